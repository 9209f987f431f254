package sfu

import (
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/webrtc/v4"
)

// negotiate applies what the client says of one peer connection.
func (p *peer) negotiate(pc *signaling.PeerConnection) *signaling.Error {
	if p.room.mesh != nil {
		return p.pass(pc)
	}
	d := pc.Description
	if p.link == nil || p.link.id != pc.ID {
		// Another connection takes the place of the one before.
		if d == nil || d.Type != signaling.DescriptionOffer {
			return nil
		}
		if err := p.replaceLink(pc.ID); err != nil {
			return err
		}
	}
	if d != nil {
		if err := p.describe(d); err != nil {
			return err
		}
	}
	if pc.ICE != nil && p.link != nil {
		p.link.takeICE(pc.ICE)
	}
	return nil
}

func (p *peer) replaceLink(id string) *signaling.Error {
	p.closeLink()
	l, err := p.newLink(id)
	if err != nil {
		return signaling.Errorf(signaling.CodeServerLocalDescription, "no peer connection could be made: %w", err)
	}
	p.link = l
	p.boundMedia()
	return nil
}

// closeLink ends the media connection; publications and subscriptions stay,
// without media.
func (p *peer) closeLink() {
	if p.link == nil {
		return
	}
	p.mute.Stop()
	for _, s := range p.subs {
		p.drop(s)
	}
	p.subscribedDirty = true
	for _, t := range p.tracks {
		if t.up != nil {
			t.up.setInlet(nil)
		}
	}
	p.closeChannels()
	p.link.close()
	p.link = nil
}

// describe applies the revision rules to a description of the client.
func (p *peer) describe(d *signaling.Description) *signaling.Error {
	l := p.link
	switch d.Type {
	case signaling.DescriptionOffer:
		if a := l.answer; a != nil && a.Revision == d.Revision {
			p.tellDescription(a) // it was lost, or is asked for again
			return nil
		}
		if d.Revision <= l.revision {
			return nil // it crossed an offer of ours, and will come again
		}
		if l.offers.pending != nil {
			p.repeatOffer(d.Revision)
			return nil
		}
		answer, err := l.takeOffer(d.SDP)
		if err != nil {
			return err
		}
		l.revision = d.Revision
		l.answer = &signaling.Description{Type: signaling.DescriptionAnswer, Revision: d.Revision, SDP: answer}
		p.tellDescription(l.answer)
		p.openChannels()
		p.bind()
		p.tellRoom()
		p.assign()
	case signaling.DescriptionAnswer:
		return p.takeAnswer(d)
	case signaling.DescriptionClose:
		p.closeLink()
	}
	return nil
}

func (p *peer) tellDescription(d *signaling.Description) {
	p.descriptions = append(p.descriptions, signaling.PeerConnection{ID: p.link.id, Description: d})
}

// linkState looks at the state of the media connection again.
func (p *peer) linkState(l *link) {
	if p.ended || p.link != l {
		return
	}
	switch l.pc.State() {
	case webrtc.PeerConnectionStateConnected:
		l.worked = true
		p.mute.Stop()
		p.start()
	case webrtc.PeerConnectionStateClosed: // by the client
		p.mute.Reset(p.srv.cfg.SessionTimeout) // for another connection
	case webrtc.PeerConnectionStateFailed:
		switch l.pc.ICEState() {
		case webrtc.ICEConnectionStateConnected, webrtc.ICEConnectionStateCompleted:
			p.finish(signaling.NewError(signaling.CodeMediaDTLSFailed), signaling.DisconnectProtocol, 0)
		default:
			p.mute.Reset(p.srv.cfg.SessionTimeout) // for an ICE restart
		}
	}
}

func (p *peer) mediaGone() {
	if p.link == nil {
		return
	}
	switch p.link.pc.State() {
	case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
		code := signaling.CodeMediaConnection
		if !p.link.worked && p.link.pc.State() == webrtc.PeerConnectionStateClosed {
			code = signaling.CodeMediaDTLSFailed // it was closed in the middle of the handshake
		}
		p.finish(signaling.NewError(code), signaling.DisconnectTimeout, 0)
	}
}
