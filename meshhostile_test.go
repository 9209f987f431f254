package parley_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

// forger is a transport that forges what a client says of its connections.
type forger struct {
	signaling.Transport
	forge func(*signaling.PeerConnection) []signaling.PeerConnection
}

func (f *forger) all(pcs []signaling.PeerConnection) (forged []signaling.PeerConnection) {
	for i := range pcs {
		pc := pcs[i]
		if pc.Description != nil {
			d := *pc.Description
			pc.Description = &d
		}
		forged = append(forged, f.forge(&pc)...)
	}
	return forged
}

func (f *forger) Dial(ctx context.Context, join signaling.Join) (signaling.Session, error) {
	join.PeerConnections = f.all(join.PeerConnections)
	session, err := f.Transport.Dial(ctx, join)
	if err != nil {
		return nil, err
	}
	return forgery{session, f}, nil
}

type forgery struct {
	signaling.Session
	by *forger
}

func (f forgery) Send(u signaling.Update) error {
	u.PeerConnections = f.by.all(u.PeerConnections)
	return f.Session.Send(u)
}

// rewritten forges descriptions by their text.
func rewritten(pattern, text string) func(*signaling.PeerConnection) []signaling.PeerConnection {
	re := regexp.MustCompile(pattern)
	return described(func(d *signaling.Description) { d.SDP = re.ReplaceAllString(d.SDP, text) })
}

func described(f func(*signaling.Description)) func(*signaling.PeerConnection) []signaling.PeerConnection {
	return func(pc *signaling.PeerConnection) []signaling.PeerConnection {
		if pc.Description != nil && pc.Description.SDP != "" {
			f(pc.Description)
		}
		return []signaling.PeerConnection{*pc}
	}
}

// In a peer-to-peer room what one says of its connections reaches the others.
// Whatever that is, it costs them nothing: they keep what they have of each
// other, and take in who comes next.
func TestMeshNonsenseCostsNobodyElse(t *testing.T) {
	for name, forge := range map[string]func(*signaling.PeerConnection) []signaling.PeerConnection{
		"no description":        rewritten(`(?s).+`, "nonsense"),
		"another fingerprint":   rewritten(`(a=fingerprint:sha-256 )\S\S:\S\S`, "${1}00:00"),
		"no fingerprint":        rewritten(`a=fingerprint:[^\n]*\n`, ""),
		"no user fragment":      rewritten(`a=ice-ufrag:[^\n]*\n`, ""),
		"no mids":               rewritten(`a=mid:[^\n]*\n`, ""),
		"one mid":               rewritten(`a=mid:[^\r\n]*`, "a=mid:x"),
		"no codecs":             rewritten(`a=rtpmap:[^\n]*\n`, ""),
		"one codec":             rewritten(`a=rtpmap:(\d+) [^\r\n]*`, "a=rtpmap:$1 opus/48000/2"),
		"a codec of no rate":    rewritten(`a=rtpmap:(\d+) (\w+)/\d+`, "a=rtpmap:$1 $2/0"),
		"one stream":            rewritten(`a=ssrc:\d+`, "a=ssrc:1"),
		"nothing is sent":       rewritten(`a=(sendrecv|sendonly|recvonly)`, "a=inactive"),
		"everything is refused": rewritten(`m=(\w+) \d+ `, "m=$1 0 "),
		"both are active":       rewritten(`a=setup:\w+`, "a=setup:active"),
		"both are passive":      rewritten(`a=setup:\w+`, "a=setup:passive"),
		"one section": described(func(d *signaling.Description) {
			if parts := strings.Split(d.SDP, "\r\nm="); len(parts) > 2 {
				d.SDP = parts[0] + "\r\nm=" + parts[1] + "\r\n"
			}
		}),
		"sections in another order": described(func(d *signaling.Description) {
			parts := strings.Split(strings.TrimSuffix(d.SDP, "\r\n"), "\r\nm=")
			slices.Reverse(parts[1:])
			d.SDP = strings.Join(parts, "\r\nm=") + "\r\n"
		}),
		"answers for offers": described(func(d *signaling.Description) {
			if d.Type == signaling.DescriptionOffer {
				d.Type = signaling.DescriptionAnswer
			} else {
				d.Type = signaling.DescriptionOffer
			}
		}),
		"late revisions":  described(func(d *signaling.Description) { d.Revision += 1 << 30 }),
		"early revisions": described(func(d *signaling.Description) { d.Revision = -d.Revision }),
		"everything twice and then its end": func(pc *signaling.PeerConnection) []signaling.PeerConnection {
			end := &signaling.Description{Type: signaling.DescriptionClose, Revision: 1000}
			return []signaling.PeerConnection{*pc, *pc, {ID: pc.ID, Description: end}, *pc}
		},
		"ids of nobody": func(pc *signaling.PeerConnection) (all []signaling.PeerConnection) {
			for i := range 20 {
				other := *pc
				other.ID = fmt.Sprint(i)
				all = append(all, other)
			}
			return all
		},
		"candidates that lead nowhere": func(pc *signaling.PeerConnection) []signaling.PeerConnection {
			if pc.ICE != nil {
				ice := *pc.ICE
				ice.Candidates = slices.Clone(ice.Candidates)
				for i := range 200 {
					ice.Candidates = append(ice.Candidates, signaling.Candidate{
						Candidate: fmt.Sprintf("candidate:%d 1 udp 2130706431 1.2.9.%d 9 typ host", i, i),
					})
				}
				ice.Revision += 1000
				pc.ICE = &ice
			}
			return []signaling.PeerConnection{*pc}
		},
		"offers for ever": func(pc *signaling.PeerConnection) (all []signaling.PeerConnection) {
			for range 20 {
				all = append(all, signaling.PeerConnection{ID: pc.ID, AskOffer: true})
			}
			return append(all, *pc)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, 1, func(l *lab) {
				alice, bob := l.meet("alice"), l.meet("bob")
				connected(l.t, alice, bob)
				begin := time.Now()
				ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
				defer cancel()
				mallory, err := l.dial(ctx, "mallory", publishing(picture(l.t), dataTrack(l.t, "words")), func(o *parley.ConnectOptions) {
					o.Transport = &forger{o.Transport, forge}
				})
				l.t.Log("mallory:", err)
				time.Sleep(20 * time.Second)
				connected(l.t, alice, bob)
				if err == nil {
					_ = mallory.room.Disconnect() // it may have ended
				}
				carol := l.meet("carol")
				connected(l.t, alice, bob, carol)
				for p, other := range map[*meshPeer]string{alice: "bob", bob: "alice"} {
					require.NotContains(l.t, p.log.since(0), "Reconnecting", "%s: %s", p.name, p.log)
					require.Less(l.t, p.views[other].gap(begin), 300*time.Millisecond, "%s sees %s", p.name, other)
				}
				l.noMedia()
			}, peerToPeer)
		})
	}
}
