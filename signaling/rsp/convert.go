package rsp

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/parley-rtc/parley/signaling"
)

// defaultSessionTimeout holds where a server does not tell its own.
const defaultSessionTimeout = 30 * time.Second

func connectionsToWire(pcs []signaling.PeerConnection) list[peerConnection] {
	if pcs == nil {
		return nil
	}
	out := make(list[peerConnection], len(pcs))
	for i, pc := range pcs {
		out[i].ID, out[i].Participant, out[i].AskOffer = pc.ID, pc.Participant, pc.AskOffer
		if d := pc.Description; d != nil {
			out[i].Description = &description{Type: string(d.Type), Revision: d.Revision, SDP: d.SDP}
		}
		if ice := pc.ICE; ice != nil {
			w := &iceState{
				Ufrag: ice.Ufrag, Revision: ice.Revision, Complete: ice.Complete,
				Candidates: make(list[candidate], len(ice.Candidates)), // never null
			}
			for j, c := range ice.Candidates {
				w.Candidates[j] = candidate(c)
			}
			out[i].ICE = w
		}
	}
	return out
}

func connectionsFromWire(pcs list[peerConnection]) []signaling.PeerConnection {
	if pcs == nil {
		return nil
	}
	out := make([]signaling.PeerConnection, len(pcs))
	for i, pc := range pcs {
		out[i].ID, out[i].Participant, out[i].AskOffer = pc.ID, pc.Participant, pc.AskOffer
		if d := pc.Description; d != nil && knownDescription(d.Type) {
			out[i].Description = &signaling.Description{
				Type: signaling.DescriptionType(d.Type), Revision: d.Revision, SDP: d.SDP,
			}
		}
		if ice := pc.ICE; ice != nil {
			s := &signaling.ICE{Ufrag: ice.Ufrag, Revision: ice.Revision, Complete: ice.Complete}
			for _, c := range ice.Candidates {
				s.Candidates = append(s.Candidates, signaling.Candidate(c))
			}
			out[i].ICE = s
		}
	}
	return out
}

func knownDescription(kind string) bool {
	switch signaling.DescriptionType(kind) {
	case signaling.DescriptionOffer, signaling.DescriptionAnswer, signaling.DescriptionPranswer,
		signaling.DescriptionCreateOffer, signaling.DescriptionClose:
		return true
	}
	return false
}

func localToWire(p *signaling.LocalParticipant) *localParticipant {
	w := &localParticipant{Revision: p.Revision, Tracks: make(list[localTrack], len(p.Tracks))}
	for i, t := range p.Tracks {
		w.Tracks[i] = localTrack{
			ID: t.ID, Kind: string(t.Kind), Name: t.Name, Enabled: t.Enabled,
			Priority: priorityToWire(t.Priority), Stream: t.Stream,
		}
	}
	return w
}

func localFromWire(w *localParticipant) signaling.LocalParticipant {
	p := signaling.LocalParticipant{Revision: w.Revision}
	for _, t := range w.Tracks {
		p.Tracks = append(p.Tracks, signaling.LocalTrack{
			ID: t.ID, Kind: signaling.Kind(t.Kind), Name: t.Name, Enabled: t.Enabled,
			Priority: signaling.Priority(t.Priority), Stream: t.Stream,
		})
	}
	return p
}

// priorityToWire spells the default out: browsers know no empty priority.
func priorityToWire(p signaling.Priority) string {
	if p == "" {
		p = signaling.PriorityStandard
	}
	return string(p)
}

func remotesToWire(ps []signaling.RemoteParticipant) list[remoteParticipant] {
	if ps == nil {
		return nil
	}
	out := make(list[remoteParticipant], len(ps))
	for i, p := range ps {
		out[i] = remoteParticipant{
			SID: p.SID, Identity: p.Identity, Revision: p.Revision, State: string(p.State),
			Reason: string(p.Reason), Tracks: make(list[remoteTrack], len(p.Tracks)),
		}
		for j, t := range p.Tracks {
			out[i].Tracks[j] = remoteTrack{
				SID: t.SID, Kind: string(t.Kind), Name: t.Name, Enabled: t.Enabled,
				Priority: priorityToWire(t.Priority), Stream: t.Stream,
			}
		}
	}
	return out
}

func remotesFromWire(ps list[remoteParticipant]) []signaling.RemoteParticipant {
	if ps == nil {
		return nil
	}
	out := make([]signaling.RemoteParticipant, len(ps))
	for i, p := range ps {
		out[i] = signaling.RemoteParticipant{
			SID: p.SID, Identity: p.Identity, Revision: p.Revision,
			State: signaling.ParticipantState(p.State), Reason: signaling.DisconnectReason(p.Reason),
		}
		for _, t := range p.Tracks {
			out[i].Tracks = append(out[i].Tracks, signaling.RemoteTrack{
				SID: t.SID, Kind: signaling.Kind(t.Kind), Name: t.Name, Enabled: t.Enabled,
				Priority: signaling.Priority(t.Priority), Stream: t.Stream,
			})
		}
	}
	return out
}

func trackErrorToWire(err *signaling.Error) *trackError {
	if err == nil {
		return nil
	}
	return &trackError{Code: int(err.Code), Message: cut(err.Message)}
}

func trackErrorFromWire(w *trackError) *signaling.Error {
	if w == nil {
		return nil
	}
	return &signaling.Error{Code: signaling.Code(w.Code), Message: cut(w.Message)}
}

func publishedToWire(p *signaling.Published) *published {
	if p == nil {
		return nil
	}
	w := &published{Revision: p.Revision, Tracks: make(list[publishedTrack], len(p.Tracks))}
	for i, t := range p.Tracks {
		w.Tracks[i] = publishedTrack{ID: t.ID, State: string(t.State), SID: t.SID, Error: trackErrorToWire(t.Err)}
	}
	return w
}

func publishedFromWire(w *published) *signaling.Published {
	if w == nil {
		return nil
	}
	p := &signaling.Published{Revision: w.Revision}
	for _, t := range w.Tracks {
		p.Tracks = append(p.Tracks, signaling.PublishedTrack{
			ID: t.ID, State: signaling.PublishState(t.State), SID: t.SID, Err: trackErrorFromWire(t.Error),
		})
	}
	return p
}

func subscribedToWire(s *signaling.Subscribed) *subscribed {
	if s == nil {
		return nil
	}
	w := &subscribed{Revision: s.Revision, Tracks: make(list[subscribedTrack], len(s.Tracks))}
	for i, t := range s.Tracks {
		w.Tracks[i] = subscribedTrack{SID: t.SID, ID: t.ID, From: t.From, Error: trackErrorToWire(t.Err)}
	}
	return w
}

func subscribedFromWire(w *subscribed) *signaling.Subscribed {
	if w == nil {
		return nil
	}
	s := &signaling.Subscribed{Revision: w.Revision}
	for _, t := range w.Tracks {
		s.Tracks = append(s.Tracks, signaling.Subscription{
			SID: t.SID, ID: t.ID, From: t.From, Err: trackErrorFromWire(t.Error),
		})
	}
	return s
}

func subscribeToWire(s *signaling.Subscribe) *subscribe {
	if s == nil {
		return nil
	}
	w := &subscribe{Revision: s.Revision, Rules: make(list[rule], len(s.Rules))}
	for i, r := range s.Rules {
		w.Rules[i] = rule{
			Type: "include", All: r.All, Kind: string(r.Kind), Publisher: r.Publisher, Track: r.Track,
		}
		if r.Exclude {
			w.Rules[i].Type = "exclude"
		}
	}
	return w
}

func subscribeFromWire(w *subscribe) *signaling.Subscribe {
	if w == nil {
		return nil
	}
	s := &signaling.Subscribe{Revision: w.Revision}
	for _, r := range w.Rules {
		s.Rules = append(s.Rules, signaling.Rule{
			Exclude: r.Type == "exclude", All: r.All, Kind: signaling.Kind(r.Kind),
			Publisher: r.Publisher, Track: r.Track,
		})
	}
	return s
}

func serversToWire(servers []signaling.ICEServer) list[iceServer] {
	if servers == nil {
		return nil
	}
	out := make(list[iceServer], len(servers))
	for i, s := range servers {
		out[i] = iceServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential}
	}
	return out
}

func serversFromWire(servers list[iceServer]) []signaling.ICEServer {
	if servers == nil {
		return nil
	}
	out := make([]signaling.ICEServer, len(servers))
	for i, s := range servers {
		out[i] = signaling.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential}
	}
	return out
}

// payloadsToWire takes the channel messages that ride in an update.
func payloadsToWire(channels []signaling.Channel) list[extensionChannel] {
	var out list[extensionChannel]
	for _, c := range channels {
		if c.Payload != nil {
			out = append(out, extensionChannel{Name: c.Name, Payload: c.Payload})
		}
	}
	return out
}

// labelsToWire takes the channels that a server announces as data channels.
func labelsToWire(channels []signaling.Channel) channelMap {
	var out channelMap
	for _, c := range channels {
		if c.Payload == nil && c.Label != "" {
			if out == nil {
				out = channelMap{}
			}
			out[c.Name] = mediaChannel{Transport: &channelTransport{Type: transportDataChannel, Label: c.Label}}
		}
	}
	return out
}

// channelsFromWire gives announcements, ordered by name, then messages.
func channelsFromWire(named channelMap, messages list[extensionChannel]) []signaling.Channel {
	var out []signaling.Channel
	for _, n := range slices.Sorted(maps.Keys(named)) {
		if t := named[n].Transport; t != nil && t.Type == transportDataChannel && t.Label != "" {
			out = append(out, signaling.Channel{Name: n, Label: t.Label})
		}
	}
	for _, m := range messages {
		out = append(out, signaling.Channel{Name: m.Name, Payload: m.Payload})
	}
	return out
}

// validPayloads reports whether every channel message is JSON.
func validPayloads(channels []signaling.Channel) bool {
	return !slices.ContainsFunc(channels, func(c signaling.Channel) bool {
		return c.Payload != nil && !json.Valid(c.Payload)
	})
}

// serverUpdate translates the sections of connected, synced, update or warning.
func (m *serverMessage) serverUpdate() signaling.Update {
	u := signaling.Update{
		Full:            m.Type == typeConnected || m.Type == typeSynced,
		Participants:    remotesFromWire(m.Participants),
		Published:       publishedFromWire(m.Published),
		Subscribed:      subscribedFromWire(m.Subscribed),
		PeerConnections: connectionsFromWire(m.Connections),
		Channels:        channelsFromWire(m.MediaSignaling, m.Channels),
	}
	if r := m.Recording; r != nil {
		u.Recording = &signaling.Recording{Revision: r.Revision, Active: r.Active}
	}
	if w := m.States; w != nil {
		u.Warnings = &signaling.Warnings{Revision: w.Revision, NoMedia: map[string]bool{}}
		for sid, state := range w.Tracks {
			u.Warnings.NoMedia[sid] = state.Recordings == "NO_MEDIA"
		}
	}
	return u
}

// state translates connected or synced.
func (m *serverMessage) state() signaling.State {
	s := signaling.State{
		Session: m.Session,
		Room:    signaling.Room{SID: m.SID, Name: m.Name, SessionTimeout: defaultSessionTimeout},
		Update:  m.serverUpdate(),
	}
	if m.Participant != nil {
		s.Participant = signaling.Identity(*m.Participant)
	}
	if o := m.Options; o != nil {
		s.Room.SignalingRegion, s.Room.MediaRegion = o.SignalingRegion, o.MediaRegion
		if o.SessionTimeout > 0 {
			s.Room.SessionTimeout = milliseconds(o.SessionTimeout * 1000)
		}
	}
	s.Capabilities.Resume = s.Session != ""
	channels := slices.Collect(maps.Keys(m.MediaSignaling))
	if p := m.Parley; p != nil {
		s.Capabilities.Slots, s.Capabilities.Subscribe, s.Capabilities.PeerToPeer = p.Slots, p.Subscribe, p.PeerToPeer
		s.ICEServers = serversFromWire(p.ICEServers)
		s.Room.MaxParticipants = p.MaxParticipants
		s.Permissions = (*signaling.Permissions)(p.Permissions)
		for _, n := range p.Channels {
			channels = append(channels, string(n))
		}
	}
	slices.Sort(channels)
	s.Capabilities.Channels = slices.Compact(channels)
	return s
}

// ending is the error that an error or disconnected message ends a session
// with.
func (m *serverMessage) ending() *signaling.Error {
	e := &signaling.Error{Reason: signaling.DisconnectReason(cut(m.Reason))}
	if m.RetryAfter != nil {
		e.RetryAfter = milliseconds(*m.RetryAfter)
	}
	switch {
	case m.Type == typeError:
		e.Code, e.Message = signaling.Code(m.Code), cut(m.Message)
		if e.Message == "" && e.Code == 0 {
			e.Message = "server ended the session with an error"
		}
	case m.Status == "completed":
		e.Code = signaling.CodeRoomCompleted
		if e.Reason == "" {
			e.Reason = signaling.DisconnectCompleted
		}
	default:
		e.Message = "server ended the session"
		if e.Reason != "" {
			e.Message += ": " + string(e.Reason)
		}
	}
	if e.Message == "" {
		e.Message = e.Code.Text()
	}
	return e
}

// cut bounds a text of the other side's making.
func cut(text string) string {
	if len(text) > maxErrorText {
		text = text[:maxErrorText]
	}
	return strings.ToValidUTF8(text, "")
}
