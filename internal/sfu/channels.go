package sfu

import (
	"encoding/json"
	"slices"

	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/webrtc/v4"
	"golang.org/x/time/rate"
)

// Media-signaling channels: JSON messages beside the state, about speakers,
// quality, priorities and the like. A client asks for them by name when it
// joins. To one that speaks our extensions the messages go with the signaling;
// any other gets a data channel for each, which the server opens.

// channelKind is a sort of channel that we serve. Its functions run in the
// peer's loop.
type channelKind struct {
	name string
	// ready tells the client where things stand: the channel works now, for
	// the first time or again.
	ready func(*peer)
	// receive takes a message of the client; nil: it has none to send.
	receive func(*peer, []byte)
}

// channelKinds are the channels that this server serves.
var channelKinds = []channelKind{
	{name: speakerChannel, ready: (*peer).tellSpeaker},
	{name: qualityChannel, receive: (*peer).measured},
}

// What a client may send over its channels, and what may wait for it.
const (
	channelMessage = 64 << 10 // bytes of one message
	channelBacklog = 256 << 10
	channelRate    = 50 // messages a second over all its channels
	channelBurst   = 200
)

// channel is one media-signaling channel of a client. It belongs to the peer's
// goroutine.
type channel struct {
	*channelKind
	dc    *webrtc.DataChannel // nil: messages go with the signaling, or there is no connection
	label string              // of dc
	open  bool
}

// lateMessage waits on a data channel until the news of its turn are told, so
// that who hears of a participant that left does not hear of its silence first.
type lateMessage struct {
	dc   *webrtc.DataChannel
	text string
}

// channels is all that a peer has of them.
type channels struct {
	inSignaling bool
	list        []*channel
	messages    []signaling.Channel // wait for the next flush
	late        []lateMessage       // on data channels, after that
	incoming    *rate.Limiter       // used on any goroutine
}

// wantChannels notes which channels the client asked for, of those that we
// serve.
func (p *peer) wantChannels(j *signaling.Join) {
	p.channels.inSignaling = j.ChannelMessages
	p.channels.list = nil
	p.channels.incoming = rate.NewLimiter(channelRate, channelBurst)
	for i := range channelKinds {
		if k := &channelKinds[i]; slices.Contains(j.Channels, k.name) {
			p.channels.list = append(p.channels.list, &channel{channelKind: k, open: j.ChannelMessages})
		}
	}
}

// channelNames lists the served channels that go with the signaling.
func (p *peer) channelNames() []string {
	var names []string
	if p.channels.inSignaling {
		for _, c := range p.channels.list {
			names = append(names, c.name)
		}
	}
	if p.extended {
		names = append(names, controlChannel)
	}
	return names
}

// channelState is what a client is told of its channels when it comes or comes
// back: which data channels there are, known or not, or what they say.
func (p *peer) channelState() []signaling.Channel {
	if p.channels.inSignaling {
		return p.channels.messages
	}
	var list []signaling.Channel
	for _, c := range p.channels.list {
		if c.dc != nil {
			list = append(list, signaling.Channel{Name: c.name, Label: c.label})
		}
	}
	return list
}

// has reports whether the client has the channel.
func (p *peer) has(name string) bool {
	return slices.ContainsFunc(p.channels.list, func(c *channel) bool { return c.name == name })
}

// channelsReady has every channel that works tell where things stand: the
// client has joined, or is back.
func (p *peer) channelsReady() {
	for _, c := range p.channels.list {
		if c.open && c.ready != nil {
			c.ready(p)
		}
	}
}

// say sends a message on the channel, if the client has it and it works. What
// it says is said again by ready when the channel works later.
func (p *peer) say(name string, message any) {
	i := slices.IndexFunc(p.channels.list, func(c *channel) bool { return c.name == name })
	if i < 0 || !p.channels.list[i].open || p.ended {
		return
	}
	data, err := json.Marshal(message)
	if err != nil {
		p.srv.log.Error("a channel message cannot be encoded", "channel", name, "err", err)
		return
	}
	c := p.channels.list[i]
	switch {
	case p.channels.inSignaling:
		if p.conn != nil { // one that is away is told where things stand when it is back
			p.channels.messages = append(p.channels.messages, signaling.Channel{Name: name, Payload: data})
		}
	default:
		p.channels.late = append(p.channels.late, lateMessage{c.dc, string(data)})
	}
}

// sayLate sends what waited for the news.
func (p *peer) sayLate() {
	for _, m := range p.channels.late {
		if m.dc.BufferedAmount() > channelBacklog {
			p.tooSlow()
			break
		}
		_ = m.dc.SendText(m.text) // its only error is that the channel has ended
	}
	p.channels.late = nil
}

// openChannels opens the data channels of a new media connection and announces
// them.
func (p *peer) openChannels() {
	if p.channels.inSignaling || p.link == nil {
		return
	}
	l, incoming := p.link, p.channels.incoming
	for _, c := range p.channels.list {
		if c.dc != nil {
			continue
		}
		label := freshID()
		dc, err := l.pc.CreateChannel(label, nil)
		if err != nil {
			return // the connection has ended
		}
		if !hasSection(l.pc.RemoteSections(), "application") {
			l.offers.needed = true
		}
		c.dc, c.label = dc, label
		dc.OnClose(func() { p.post(func() { p.channelClosed(c, dc) }) })
		dc.OnMessage(func(m webrtc.DataChannelMessage) {
			// One that sends more than anybody needs is not heard.
			if len(m.Data) <= channelMessage && incoming.Allow() {
				p.post(func() { p.channelData(c, dc, m.Data) })
			}
		})
		p.channels.messages = append(p.channels.messages, signaling.Channel{Name: c.name, Label: label})
	}
}

// closeChannels forgets the data channels, whose connection ends.
func (p *peer) closeChannels() {
	for _, c := range p.channels.list {
		if c.dc != nil {
			c.dc, c.open = nil, false
		}
	}
}

// channelData takes a message that came over a data channel. Only the first one
// tells that the client listens: what is sent as soon as the channel is open
// can come before its label, and browsers drop it then.
func (p *peer) channelData(c *channel, dc *webrtc.DataChannel, data []byte) {
	if c.dc != dc {
		return // of a connection that is gone
	}
	var m struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(data, &m) != nil {
		return
	}
	if !c.open || m.Type == "ready" {
		c.open = true
		if c.ready != nil {
			c.ready(p)
		}
	}
	p.channelMessage(c, data)
}

// channelClosed notes that the client has closed a channel: it wants no more of
// it on this connection.
func (p *peer) channelClosed(c *channel, dc *webrtc.DataChannel) {
	if c.dc == dc {
		c.open = false
	}
}

// channelMessage takes what a client sent on a channel.
func (p *peer) channelMessage(c *channel, data []byte) {
	if !p.ended && c.receive != nil {
		c.receive(p, data)
	}
}

// channelMessages takes those that came with the signaling.
func (p *peer) channelMessages(list []signaling.Channel) {
	for _, m := range list {
		if m.Name == controlChannel && p.extended && len(m.Payload) <= channelMessage && !p.ended {
			p.takeControl(m.Payload)
			continue
		}
		for _, c := range p.channels.list {
			if c.name == m.Name && p.channels.inSignaling && len(m.Payload) <= channelMessage && p.channels.incoming.Allow() {
				p.channelMessage(c, m.Payload)
			}
		}
	}
}
