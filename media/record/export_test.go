package record

// File is what a recorder needs of a file.
type File = file

// NewWith returns a recorder that opens its file with open.
func NewWith(name string, opts *Options, open func(name string) (File, error)) (*Recorder, error) {
	return newRecorder(name, opts, open)
}
