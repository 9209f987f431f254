package pipe

// RTSPCommand is the command that RTSP runs.
func RTSPCommand(address string, opts *RTSPOptions) ([]string, *Options, error) {
	return rtspCommand(address, opts)
}

// Secrets are what its logs and errors do not show.
func (o *Options) Secrets() []string { return o.secrets }

// Redact is what is done to what programs say.
func Redact(s string, secrets []string) string { return redact(s, secrets) }
