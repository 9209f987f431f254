//go:build !cgo

package device

func pulse(bool) ([]Device, error) { return nil, errNoPulse }

func openPulse(Device, microphoneWant) (microphone, error) { return nil, errNoPulse }
