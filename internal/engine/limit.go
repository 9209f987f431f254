package engine

// MediaLimit returns how much video can be sent, in bits per second of payload,
// over the narrowest of the connections; ok is false where none has shown a
// limit.
func (e *Engine) MediaLimit() (bitrate int, ok bool) {
	for _, l := range e.links {
		if b, _, limited := l.peer.MediaLimit(); limited && (!ok || b < bitrate) {
			bitrate, ok = b, true
		}
	}
	return bitrate, ok
}

// Want says how much video there would be to send, in bits per second of
// payload, so that the connections find out whether there is room for it; 0:
// nothing that is not sent.
func (e *Engine) Want(bitrate int) {
	for _, l := range e.links {
		l.peer.Want(bitrate)
	}
}

func (e *Engine) limitChanged() {
	if e.cfg.LimitChanged != nil {
		e.cfg.LimitChanged()
	}
}
