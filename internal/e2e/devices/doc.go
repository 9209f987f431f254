// Package devices tests whole calls with real devices of the kernel: cameras
// and microphones at one end, decoded pictures and sound at the other, the
// server between them. The tests run in the machine of internal/devicevm:
//
//	go test -tags 'devicevm codecs' -exec "$PWD/internal/devicevm/run" ./internal/e2e/devices/
package devices
