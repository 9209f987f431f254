package parley

import (
	"slices"
	"strings"
	"time"

	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/webrtc/v4"
)

// credentialTime is how long the credentials of TURN servers are good, at the
// least that servers give, and less.
const credentialTime = 4 * time.Minute

var errUnrelayed = signaling.Errorf(signaling.CodeTURNFailed, "no TURN server could be used")

// relays reports whether there is a TURN server among the ICE servers.
func relays(servers []webrtc.ICEServer) bool {
	return slices.ContainsFunc(servers, func(s webrtc.ICEServer) bool {
		return slices.ContainsFunc(s.URLs, func(url string) bool {
			url = strings.ToLower(url)
			return strings.HasPrefix(url, "turn:") || strings.HasPrefix(url, "turns:")
		})
	})
}

// takeServers takes the ICE servers that came with a session, or with its
// resumption. It runs on the loop, before the rest of the state is applied: the
// first offer waits for it.
//
// Media that is down has asked the old ones for another way already. If those
// were too old to answer, it asks again.
func (r *Room) takeServers(servers []signaling.ICEServer, fresh bool) error {
	l := &r.loop
	stale := time.Since(l.serversAt) > credentialTime
	if len(servers) > 0 {
		l.servers, l.serversAt = servers, time.Now()
	}
	list := r.iceServers()
	if err := l.engine.UseServers(list); err != nil {
		return err
	}
	if !relays(list) {
		if r.opts.RelayOnly {
			return signaling.Errorf(signaling.CodeTURNFailed, "the server names no TURN server, and RelayOnly is set")
		}
		return nil
	}
	if !fresh && stale && l.re.mediaDown && !l.caps.PeerToPeer {
		return l.engine.RenewICE()
	}
	return nil
}
