package rsp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/parley-rtc/parley/signaling"
)

// ReadJoin waits for the client to join or to resume. Requests for ICE servers
// that come before are answered with what ice returns; a nil ice gives none.
// When ice returns an error the client is rejected with it and ReadJoin returns
// it. A client that leaves without joining gives io.EOF; the other errors are
// those of Receive, and [signaling.CodeSignalingTimeout] when no join came in
// time. ReadJoin is called once.
//
// The client's messages are read in the background from Upgrade on; those that
// follow the join wait, bounded, until Receive.
func (c *ServerConn) ReadJoin(ctx context.Context,
	ice func(token string) ([]signaling.ICEServer, *signaling.Error),
) (signaling.Join, error) {
	for {
		select {
		case m, ok := <-c.in:
			switch {
			case !ok:
				return signaling.Join{}, c.cause()
			case m.Type == typeICE:
				if err := c.answerICE(m.Token, ice); err != nil {
					return signaling.Join{}, err
				}
			default:
				return m.join(), nil
			}
		case <-ctx.Done():
			return signaling.Join{}, fmt.Errorf("rsp: awaiting the join: %w", ctx.Err())
		}
	}
}

func (c *ServerConn) answerICE(token string, ice func(string) ([]signaling.ICEServer, *signaling.Error)) error {
	var servers []signaling.ICEServer
	if ice != nil {
		var refusal *signaling.Error
		if servers, refusal = ice(token); refusal != nil {
			// The refusal is what matters, whether or not it arrives.
			_ = c.Reject(refusal)
			return refusal
		}
	}
	m := &serverMessage{Type: typeICED, Version: iceVersion, ICEServers: serversToWire(servers)}
	if m.ICEServers == nil {
		m.ICEServers = list[iceServer]{}
	}
	return c.sendMessage(m)
}

// join translates connect or sync.
func (m *clientMessage) join() signaling.Join {
	j := signaling.Join{
		Token:            m.Token,
		Participant:      localFromWire(m.Participant),
		PeerConnections:  connectionsFromWire(m.Connections),
		BandwidthProfile: profileFromWire(m.Profile),
		Channels:         slices.Sorted(maps.Keys(m.MediaSignaling)),
		OwnICEServers:    m.ICEServers == "overrode",
		Agent:            agentOf(m.Publisher),
	}
	if m.Name != nil {
		j.Room = *m.Name
	}
	if m.Type == typeSync {
		j.Resume = *m.Session
	}
	if s := subscribeFromWire(m.Subscribe); s != nil {
		j.Subscribe = *s
	}
	if m.Parley != nil {
		j.Slots, j.ChannelMessages = m.Parley.Slots, true
	}
	return j
}

var (
	errAnswered    = errors.New("rsp: the join was answered before, or none was read")
	errNotAccepted = errors.New("rsp: the client was not accepted")
)

// Accept answers the join with the state: with connected, or with synced when
// the client asked to resume. In synced a nil state.Update.PeerConnections is
// left out; a list that is given closes the peer connections it does not name.
func (c *ServerConn) Accept(state signaling.State) error {
	if !validPayloads(state.Update.Channels) {
		return signaling.Errorf(signaling.CodeSignalingOutgoingInvalid, "rsp: channel payload is not JSON")
	}
	c.mu.Lock()
	if c.phase != phaseJoining {
		c.mu.Unlock()
		return errAnswered
	}
	c.phase = phaseAccepted
	m := stateMessage(&state, c.resume, c.parley)
	c.mu.Unlock()

	c.welcome()
	if err := c.sendMessage(m); err != nil {
		return err
	}
	c.alive()
	if w := state.Update.Warnings; w != nil {
		return c.Send(signaling.Update{Warnings: w})
	}
	return nil
}

// stateMessage makes connected or synced.
func stateMessage(s *signaling.State, resume, parley bool) *serverMessage {
	m := sectionsMessage(&s.Update, parley)
	m.Type, m.Version = typeConnected, rspVersion
	m.SID, m.Name, m.Session = s.Room.SID, s.Room.Name, s.Session
	if m.Name == "" {
		m.Name = s.Room.SID
	}
	m.Participant = &identity{SID: s.Participant.SID, Identity: s.Participant.Identity}
	timeout := s.Room.SessionTimeout
	if timeout <= 0 {
		timeout = defaultSessionTimeout
	}
	m.Options = &roomOptions{
		SessionTimeout:  timeout.Seconds(),
		SignalingRegion: s.Room.SignalingRegion,
		MediaRegion:     s.Room.MediaRegion,
		AudioProcessors: audioProcessors,
	}
	if m.Participants == nil {
		m.Participants = list[remoteParticipant]{}
	}
	if m.MediaSignaling == nil {
		m.MediaSignaling = channelMap{}
	}
	if resume {
		m.Type = typeSynced
	} else if m.Connections == nil {
		m.Connections = list[peerConnection]{}
	}
	if parley {
		m.Parley = &serverExtension{
			Version:         parleyVersion,
			Slots:           s.Capabilities.Slots,
			Subscribe:       s.Capabilities.Subscribe,
			PeerToPeer:      s.Capabilities.PeerToPeer,
			ICEServers:      serversToWire(s.ICEServers),
			MaxParticipants: s.Room.MaxParticipants,
			Permissions:     (*permissions)(s.Permissions),
		}
		for _, n := range s.Capabilities.Channels {
			m.Parley.Channels = append(m.Parley.Channels, name(n))
		}
	}
	return m
}

// sectionsMessage makes an update. Channel messages are for clients that speak
// the extensions.
func sectionsMessage(u *signaling.Update, parley bool) *serverMessage {
	m := &serverMessage{
		Type:           typeUpdate,
		Version:        rspVersion,
		Participants:   remotesToWire(u.Participants),
		Connections:    connectionsToWire(u.PeerConnections),
		Published:      publishedToWire(u.Published),
		Subscribed:     subscribedToWire(u.Subscribed),
		MediaSignaling: labelsToWire(u.Channels),
	}
	if r := u.Recording; r != nil {
		m.Recording = &recording{Revision: r.Revision, Active: r.Active}
	}
	if parley {
		m.Channels = payloadsToWire(u.Channels)
	}
	return m
}

// Reject refuses the client with the error and closes the connection, waiting
// for the client to read it no longer than the write timeout. A
// [signaling.CodeServerBusy] tells the client to come back after RetryAfter,
// or never when that is negative. A client is either accepted or rejected.
func (c *ServerConn) Reject(err *signaling.Error) error {
	c.mu.Lock()
	if c.phase == phaseAccepted || c.phase == phaseRejected {
		c.mu.Unlock()
		return errAnswered
	}
	c.phase = phaseRejected
	welcomed := c.welcomed
	c.mu.Unlock()

	c.setCause(err)
	if err.Code == signaling.CodeServerBusy && !welcomed {
		after := err.RetryAfter
		if after == 0 {
			after = time.Second
		}
		data, encodeErr := encode(busyFrame{Type: frameBusy, RetryAfter: retryMilliseconds(after)})
		if encodeErr != nil {
			return encodeErr
		}
		c.finish(closeTryLater, "busy", data)
	} else {
		c.finish(closeRejected, "rejected", c.errorFrames(err)...)
	}
	c.flush()
	return nil
}
