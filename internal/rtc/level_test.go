package rtc

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// Levels travel both ways, also in a section that was added after a first
// negotiation that had none to send in.
func TestAudioLevelsTravel(t *testing.T) {
	client, server := newSide(t, loopback(t), "c"), newSide(t, loopback(t), "s")
	_, err := client.AddInlet(media.Audio)
	require.NoError(t, err)
	_, err = client.AddInlet(media.Video)
	require.NoError(t, err)
	join(t, client, server)
	out, err := client.AddOutlet(media.Audio, OutletConfig{Codec: media.Opus, ID: "voice"})
	require.NoError(t, err)
	_, err = client.AddOutlet(media.Video, OutletConfig{Codec: media.VP8, ID: "picture"})
	require.NoError(t, err)
	join(t, client, server)
	outlets, _ := server.sections()
	var down *Outlet
	for _, o := range outlets {
		if o.kind == media.Audio {
			down = o
		}
	}

	levels := []int{-1, -127, -42, 0, -200, -60, -61}
	sent := func(o *Outlet) (stop func()) {
		done, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			var l Level
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for seq := uint16(0); ; seq++ {
				if pt, ok := o.PayloadType(Codec{Codec: media.Opus}); ok {
					h := rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: seq}
					l.Put(&h, o, levels[int(seq)%len(levels)])
					_ = o.Write(&h, []byte{1, 2, 3}, time.Time{})
				}
				select {
				case <-done:
					return
				case <-tick.C:
				}
			}
		}()
		return func() { close(done); <-ended }
	}
	check := func(s *side, want media.Kind) {
		in := <-s.inlets
		for in.MediaKind() != want {
			in = <-s.inlets
		}
		buf := make([]byte, 1500)
		var h rtp.Header
		for range 50 {
			_, err := in.Read(buf, &h)
			require.NoError(t, err)
			level := max(levels[int(h.SequenceNumber)%len(levels)], -maxLevel)
			require.Equal(t, level, in.Level(&h))
			require.Equal(t, level != 0, h.GetExtension(in.level) != nil)
			if level != 0 {
				require.Equal(t, level >= -60, h.GetExtension(in.level)[0]&voice != 0)
			}
		}
	}
	stopUp := sent(out)
	defer stopUp()
	stopDown := sent(down)
	defer stopDown()
	check(server, media.Audio)
	check(client, media.Audio)
}

func TestLevelsAllocateNothing(t *testing.T) {
	o := &Outlet{}
	o.bound.Store(&binding{level: 3})
	var l Level
	var h rtp.Header
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		h = rtp.Header{Version: 2}
		l.Put(&h, o, -30)
	}), 0.5)
	require.Equal(t, []byte{30 | voice}, h.GetExtension(3))
	h = rtp.Header{Version: 2}
	l.Put(&h, o, 0)
	require.False(t, h.Extension, "not known")
}
