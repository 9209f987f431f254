// Package ipcamera gives tests, those with the tag e2e, a camera on the network.
// It needs ffmpeg and VLC.
package ipcamera
