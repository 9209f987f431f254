// Package pipe publishes what other programs encode: it needs no codec and no
// cgo, and whatever hardware encoder a robot has, some program already drives
// it.
//
// [Command] starts a program and reads what it writes to its standard output,
// [Reader] reads a stream that is already open, [RTP] receives on a local UDP
// port, and [RTSP] takes a network camera through ffmpeg. The streams can be
// H.264 and H.265 (Annex B), IVF, Ogg Opus, Matroska and WebM, and G.711 raw
// or in WAV. Nothing is transcoded.
//
//	p, err := pipe.Command(ctx, []string{"rpicam-vid", "-t", "0", "--inline",
//		"--intra", "30", "--flush", "-n", "-o", "-"}, nil)
//	if err != nil {
//		return err
//	}
//	defer p.Close()
//	track, err := parley.NewLocalVideoTrack(p.Video(), nil)
//
// Recipes for more programs and devices are in docs/sources.md.
//
// # Time
//
// What comes is due at once, unless [Options.Paced] says that the program runs
// faster than the clock. Timestamps are those of the container; where it has
// none, those of arrival, smoothed. Samples tell when they arrived in Captured,
// and tracks of one container stay in step there as they are in it.
//
// A source that is not read fast enough, or not at all because its track is
// not published, throws away what has become older than [Options.MaxDelay],
// and goes on with a key frame. Who reads gets live media, never a backlog.
//
// # Key frames
//
// A newcomer sees video from the next key frame on, and a program cannot be
// asked for one by what it writes. So have it make one each second. The sources
// are a [media.KeyframeRequester] only when [Options.KeyframeSignal],
// [Options.RequestKeyframe] or RTCP gives them a way to ask.
//
// # Trust
//
// What programs write is taken for hostile. A stream that is broken, or of
// another codec than it says, ends its own tracks with an [*Error], and nothing
// else. Sizes are bounded before memory is taken.
package pipe
