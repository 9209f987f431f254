package rtc

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// layered is an offer as a browser makes it: an audio section, one video
// section with three layers, and data.
const layered = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\na=msid-semantic: WMS\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:uuuu\r\na=ice-pwd:pppppppppppppppppppppp\r\n" +
	"a=fingerprint:sha-256 " + testHash + "\r\na=setup:actpass\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:uuuu\r\na=ice-pwd:pppppppppppppppppppppp\r\n" +
	"a=fingerprint:sha-256 " + testHash + "\r\na=setup:actpass\r\na=mid:1\r\na=sendrecv\r\na=msid:- cam\r\na=rtcp-mux\r\n" +
	"a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n" +
	"a=ssrc-group:SIM 10 20 30\r\na=ssrc-group:FID 10 11\r\na=ssrc-group:FID 20 21\r\na=ssrc-group:FID 30 31\r\n" +
	"a=ssrc:10 cname:c\r\na=ssrc:10 msid:- cam\r\na=ssrc:11 cname:c\r\na=ssrc:11 msid:- cam\r\na=ssrc:20 cname:c\r\na=ssrc:21 cname:c\r\n" +
	"a=ssrc:30 cname:c\r\na=ssrc:31 cname:c\r\na=x-google-flag:conference\r\n" +
	"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:uuuu\r\na=ice-pwd:pppppppppppppppppppppp\r\n" +
	"a=fingerprint:sha-256 " + testHash + "\r\na=setup:actpass\r\na=mid:2\r\na=sctp-port:5000\r\n"

const testHash = "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"

func mids(text string) (list []string) {
	for _, s := range Sections(text) {
		list = append(list, s.Mid)
	}
	return list
}

// expected returns the SSRCs that are waited for, by mid.
func (s *side) expected() map[string]int {
	all := map[string]int{}
	for _, t := range s.pc.GetTransceivers() {
		if r := t.Receiver(); r != nil && r.Track() != nil {
			all[t.Mid()] = int(r.Track().SSRC())
		}
	}
	return all
}

// Trap 4 of the protocol: pion refuses what browsers offer as simulcast.
func TestSimulcastOfBrowsersIsOneSectionPerLayer(t *testing.T) {
	s := newSide(t, loopback(t), "s")
	for round := range 3 {
		require.NoError(t, s.SetRemoteOffer(layered))
		_, err := s.FillOutlets(func(mid string, _ media.Kind) OutletConfig { return OutletConfig{ID: mid} })
		require.NoError(t, err)
		answer, err := s.Answer(true)
		require.NoError(t, err)
		require.Equal(t, []string{"0", "1", "2"}, mids(answer))
		require.NotContains(t, answer, virtualMark)
		require.Contains(t, answer, "a=group:BUNDLE 0 1 2\r\n")
		require.Equal(t, map[string]int{"1": 10, "~1~1": 20, "~2~1": 30}, s.expected(), round)
		for _, sec := range s.RemoteSections() {
			require.Equal(t, map[bool]int{true: 3, false: 1}[sec.Mid == "1"], sec.Layers)
		}

		// The track ends; the section stays, and so do the virtual ones.
		gone := strings.ReplaceAll(layered, "a=sendrecv", "a=recvonly")
		for _, line := range strings.SplitAfter(gone, "\r\n") {
			if strings.HasPrefix(line, "a=ssrc") || strings.HasPrefix(line, "a=msid:") {
				gone = strings.Replace(gone, line, "", 1)
			}
		}
		require.NoError(t, s.SetRemoteOffer(gone))
		_, err = s.FillOutlets(func(mid string, _ media.Kind) OutletConfig { return OutletConfig{ID: mid} })
		require.NoError(t, err)
		answer, err = s.Answer(true)
		require.NoError(t, err)
		require.Equal(t, []string{"0", "1", "2"}, mids(answer))
		require.Empty(t, s.expected())

		// An offer of ours has none of them either.
		_, err = s.AddOutlet(media.Video, OutletConfig{ID: "more"})
		require.NoError(t, err)
		offer, err := s.Offer(false)
		require.NoError(t, err)
		require.NotContains(t, offer, virtualMark)
	}
}

func TestEachLayerArrives(t *testing.T) {
	api := loopback(t)
	client, server := newSide(t, api, "c"), newSide(t, api, "s")
	var cfgs []OutletConfig
	asked := make(chan int, 10)
	for i := range 3 {
		cfgs = append(cfgs, OutletConfig{Codec: media.VP8, ID: "cam", Keyframe: func() { asked <- i }})
	}
	outs, err := client.AddLayers(cfgs)
	require.NoError(t, err)
	_, err = client.AddInlet(media.Video)
	require.NoError(t, err)
	join(t, client, server)
	require.Len(t, server.RemoteSections(), 3)
	require.Equal(t, 3, server.RemoteSections()[0].Layers)
	require.Equal(t, "cam", server.RemoteSections()[0].Track)

	for client.State() != webrtc.PeerConnectionStateConnected || server.State() != webrtc.PeerConnectionStateConnected {
		select {
		case <-client.state:
		case <-server.state:
		}
	}
	byMid := map[string]*Inlet{}
	for range 3 {
		in := <-server.inlets
		byMid[in.Mid()] = in
	}
	ins := []*Inlet{byMid["c0"], byMid[LayerMid("c0", 1)], byMid[LayerMid("c0", 2)]}
	got := make([]chan string, len(ins))
	for i, in := range ins {
		require.NotNil(t, in, i)
		got[i] = make(chan string)
		go func() {
			defer close(got[i])
			buf := make([]byte, 1500)
			var h rtp.Header
			for {
				payload, err := in.Read(buf, &h)
				if err != nil {
					return
				}
				got[i] <- string(payload)
			}
		}()
	}
	seq := uint16(0)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for round := range 3 {
		for i, out := range outs {
			require.True(t, out.Negotiated(), i)
			pt, ok := out.PayloadType(Codec{Codec: media.VP8})
			require.True(t, ok)
			heard, answered := false, false
			for !heard || !answered { // pion drops what comes too early, without a word
				select {
				case payload := <-got[i]:
					heard = true
					require.Equal(t, fmt.Sprint("layer", i), payload)
					require.NoError(t, ins[i].RequestKeyframe())
				case layer := <-asked:
					answered = answered || layer == i
				case <-tick.C:
					require.NoError(t, out.Write(&rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: seq}, []byte(fmt.Sprint("layer", i)), time.Time{}))
					seq++
				}
			}
		}
		// The next round of negotiation adds a section behind them.
		_, err = client.AddInlet(media.Audio)
		require.NoError(t, err)
		join(t, client, server)
		require.Len(t, server.RemoteSections(), 4+round)
	}
	require.Empty(t, server.inlets)
	require.NoError(t, server.Close())
	for _, c := range got {
		for range c {
		}
	}
	_, err = client.AddLayers(make([]OutletConfig, MaxLayers+1))
	require.ErrorIs(t, err, ErrLayers)
}

func TestBadLayersAreRefused(t *testing.T) {
	for name, change := range map[string][2]string{
		"two groups":        {"a=ssrc-group:FID 10 11", "a=ssrc-group:SIM 10 20 30"},
		"too many":          {"SIM 10 20 30", "SIM 10 20 30 40"},
		"none":              {"SIM 10 20 30", "SIM  "},
		"twice":             {"SIM 10 20 30", "SIM 10 20 20"},
		"not described":     {"SIM 10 20 30", "SIM 10 20 35"},
		"no number":         {"SIM 10 20 30", "SIM 10 20 030"},
		"foreign repair":    {"FID 30 31", "FID 40 31"},
		"repair of a layer": {"FID 30 31", "FID 30 20"},
		"repaired twice":    {"FID 30 31", "FID 20 31"},
		"half a repair":     {"FID 30 31", "FID 30"},
		"our own mids":      {"a=mid:1", "a=mid:~1~0"},
	} {
		s := newSide(t, loopback(t), "s")
		offer := strings.Replace(layered, change[0], change[1], 1)
		require.NotEqual(t, layered, offer)
		require.ErrorIs(t, s.SetRemoteOffer(offer), ErrLayers, name)
		require.NoError(t, s.SetRemoteOffer(layered), "nothing happened: %s", name)
	}
}

func TestSectionsWithLayersAreBounded(t *testing.T) {
	head, rest, _ := strings.Cut(layered, "m=video")
	video, data, _ := strings.Cut(rest, "m=application")
	offer := head
	for i := range 2 * maxLayered {
		section := strings.ReplaceAll(video, "a=mid:1", fmt.Sprint("a=mid:v", i))
		for _, n := range []string{"10", "11", "20", "21", "30", "31"} {
			ssrc := fmt.Sprint(i+1, "0", n)
			section = strings.NewReplacer("a=ssrc:"+n+" ", "a=ssrc:"+ssrc+" ", "SIM "+n+" ", "SIM "+ssrc+" ", " "+n+" 30", " "+ssrc+" 30", " "+n+"\r", " "+ssrc+"\r", "FID "+n+" ", "FID "+ssrc+" ").Replace(section)
		}
		offer += "m=video" + section
	}
	var l layers
	shown, err := l.in(offer+"m=application"+data, false)
	require.NoError(t, err)
	require.Len(t, Sections(shown), 2+2*maxLayered+2*maxLayered)
	again, err := l.in(offer+"m=application"+data, false)
	require.NoError(t, err)
	require.Equal(t, shown, again)
}

func FuzzLayers(f *testing.F) {
	f.Add(layered, strings.ReplaceAll(layered, "a=sendrecv", "a=inactive"))
	f.Add("m=video 9 x\na=mid:1\na=ssrc-group:SIM 1 2\na=ssrc:1\na=ssrc:2 \na=inactive", "m=\na=mid:~")
	f.Add("a=group:BUNDLE\nm=video 0\na=ssrc-group:SIM 1\na=ssrc:1", "")
	f.Fuzz(func(t *testing.T, first, second string) {
		var l layers
		for _, text := range []string{first, second, first} {
			shown, err := l.in(text, text == second)
			if err != nil {
				continue
			}
			for _, section := range parseLines(shown).sections {
				if section.value(simGroup) != "" {
					t.Fatalf("a group is left in %q", shown)
				}
			}
			if n := len(l.virtual); n > maxLayered*(MaxLayers-1) {
				t.Fatalf("%d virtual sections", n)
			}
			if back := l.out(shown); strings.Contains(back, "a=mid:"+virtualMark) {
				t.Fatalf("a virtual section is left in %q", back)
			}
		}
	})
}
