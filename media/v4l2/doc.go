// Package v4l2 reads cameras on Linux through V4L2, without cgo and without a
// library.
//
// [Devices] lists them, [Open] opens one by id, label or path. A camera that
// gives raw pictures or JPEG is a [media.VideoReader]; one that encodes by
// itself is published as it is, through [Camera.Source]:
//
//	camera, err := v4l2.Open(ctx, "", v4l2.Options{Format: "H264"})
//	if err != nil {
//		return err
//	}
//	track, err := parley.NewLocalVideoTrack(camera.Source(), nil)
//
// What is asked for in [Options] is granted exactly or refused, with what the
// camera has in the error. A camera that is unplugged may be waited for, see
// [Options.Reopen]; [Watch] tells when cameras come and go.
//
// Devices are not trusted: whatever a driver says is checked, and a camera that
// lies about its pictures ends with [ErrBroken].
package v4l2
