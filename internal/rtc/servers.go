package rtc

import (
	"errors"
	"fmt"

	"github.com/pion/webrtc/v4"
)

// CheckServer tells whether a connection can be made with the ICE server: pion
// refuses all of them when one is malformed.
func (a *API) CheckServer(s webrtc.ICEServer) error {
	if len(s.URLs) == 0 {
		return errors.New("ICE server without a URL")
	}
	_, err := a.build(nil).NewICEGatherer(webrtc.ICEGatherOptions{ICEServers: []webrtc.ICEServer{s}})
	if err != nil {
		return fmt.Errorf("ICE server %q: %w", s.URLs[0], err)
	}
	return nil
}
