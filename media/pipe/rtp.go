package pipe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtp"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/media"
)

const (
	// rtpBuffer is asked of the system for each socket: key frames come as
	// bursts.
	rtpBuffer = 4 << 20
	// rtpTick is how often an open wait for missing packets is looked at.
	rtpTick = 20 * time.Millisecond
	// maxSkew is how far a sender's report may be from our clock and still be
	// believed to be of the same.
	maxSkew = 2 * time.Second
)

// RTP receives streams on local UDP ports, from GStreamer, ffmpeg or whatever
// else sends RTP, one source for each. It returns once the first sample is
// there, within RTPOptions.StartTimeout and while ctx lasts.
//
//	p, err := pipe.RTP(ctx, []pipe.RTPStream{{Addr: "127.0.0.1:5004", Codec: media.H264}}, nil)
//
// Packets are put in order, and only whole samples come out; what was lost is
// counted in [SourceStats], and video goes on with a key frame. The first sender
// of a stream is the only one, until it has been silent for a while. Senders on
// the same machine tell by their reports (RTCP) when samples were made.
//
// The sources of video are a [media.KeyframeRequester]: they send a PLI (RFC
// 4585) to where the sender's reports come from, or to RTPStream.RTCP.
// GStreamer's rtpbin obeys with profile AVPF; ffmpeg does not.
//
// The sources end by [Pipe.Close] only, or with [ErrStalled].
func RTP(ctx context.Context, streams []RTPStream, opts *RTPOptions) (*Pipe, error) {
	o, err := opts.withDefaults()
	if err == nil && (len(streams) == 0 || len(streams) > 16) {
		err = fmt.Errorf("%w: %d streams", ErrOption, len(streams))
	}
	if err != nil {
		return nil, fmt.Errorf("media/pipe: %w", err)
	}
	p := newPipe("rtp", Options{MaxDelay: o.MaxDelay, Logger: o.Logger})
	p.asks = true
	var ports []*port
	for _, s := range streams {
		port, err := openPort(p, s, o)
		if err != nil {
			for _, port := range ports {
				port.close()
			}
			return nil, fmt.Errorf("media/pipe: rtp: %w", err)
		}
		ports = append(ports, port)
		p.sources = append(p.sources, port.src)
		p.addrs = append(p.addrs, port.conn.LocalAddr())
	}
	go p.receive(ports) // until Close, which waits for it
	if o.StartTimeout < 0 {
		return p, nil
	}
	return p.await(ctx, o.StartTimeout)
}

// Addrs returns the addresses on which the streams of [RTP] are received, in
// their order; nothing for other pipes.
func (p *Pipe) Addrs() []net.Addr { return slices.Clone(p.addrs) }

// receive runs the ports until the pipe is closed or all have stalled.
func (p *Pipe) receive(ports []*port) {
	defer close(p.done)
	var wg sync.WaitGroup
	for _, port := range ports {
		wg.Go(port.run)
		wg.Go(port.runControl)
	}
	over := make(chan struct{})
	go func() {
		wg.Wait()
		close(over)
	}()
	for running := true; running; {
		select {
		case <-p.asked:
			for _, port := range ports {
				port.requestKeyframe()
			}
		case <-p.closing:
			for _, port := range ports {
				port.close()
			}
			<-over
			running = false
		case <-over:
			running = false
		}
	}
	var err error
	for _, port := range ports {
		port.close()
		if err == nil {
			err = port.err
		}
	}
	p.finish(err)
}

// port receives one stream. Two goroutines run it: one reads RTP, the other
// RTCP.
type port struct {
	p         *Pipe
	o         RTPOptions
	src       *source
	conn      *net.UDPConn
	control   *net.UDPConn   // RTCP; nil if the next port is taken
	stated    netip.AddrPort // where to send requests, if the options say
	assembler *packet.Assembler
	line      timeline
	err       error // after run

	newest  time.Time // packet; of run, as the next
	payload int       // type, -1 before the first

	mu     sync.Mutex
	peer   netip.AddrPort // who sends
	peerAt time.Time
	source uint32         // its SSRC
	back   netip.AddrPort // where its reports come from
	report senderReport
}

func openPort(p *Pipe, s RTPStream, o RTPOptions) (*port, error) {
	listen, stated, err := s.addrs(o.AllowRemote)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(listen))
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(rtpBuffer) // less will do
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	shape := &shaper{codec: s.Codec, sets: slices.Clone(s.ParameterSets)}
	r := &port{
		p: p, o: o, src: newSource(p, shape), conn: conn, stated: stated,
		assembler: packet.NewAssembler(s.Codec), payload: -1, newest: time.Now(),
	}
	r.assembler.SetWindow(o.Wait, packet.DefaultWindow)
	if s.PayloadType > 0 || s.Codec == media.PCMU {
		r.payload = s.PayloadType // PCMU is type 0
	}
	if local.Port() < 65535 {
		next := netip.AddrPortFrom(local.Addr(), local.Port()+1)
		if r.control, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(next)); err != nil {
			o.Logger.Info("no port for RTCP", "addr", next, "err", err)
			r.control = nil
		}
	}
	return r, nil
}

func (r *port) close() {
	_ = r.conn.Close() // a second close changes nothing
	if r.control != nil {
		_ = r.control.Close()
	}
}

// run reads the stream.
func (r *port) run() {
	buf := make([]byte, 64<<10)
	for {
		if err := r.conn.SetReadDeadline(time.Now().Add(rtpTick)); err != nil {
			return
		}
		n, from, err := r.conn.ReadFromUDPAddrPort(buf)
		now := time.Now()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if r.o.StallTimeout > 0 && now.Sub(r.newest) > r.o.StallTimeout {
				r.err = r.p.problem(fmt.Errorf("%w: none in %v", ErrStalled, r.o.StallTimeout))
				r.src.finish(r.err)
				r.close()
				return
			}
			r.assembler.Tick(now)
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			continue // an ICMP message about something that we sent
		case n > 1 && buf[1] >= 192 && buf[1] <= 223: // RFC 5761, section 4
			r.take(buf[:n], from)
			continue
		case !r.accept(buf[:n], from, now):
			continue
		}
		if !r.pop(now) {
			r.close()
			return
		}
	}
}

// accept takes a packet, if it is of the stream.
func (r *port) accept(data []byte, from netip.AddrPort, now time.Time) bool {
	var pkt rtp.Packet
	if pkt.Unmarshal(data) != nil || r.payload >= 0 && int(pkt.PayloadType) != r.payload || !r.believe(from, now) {
		r.foreign()
		return false
	}
	if r.payload < 0 {
		r.payload = int(pkt.PayloadType)
	}
	r.mu.Lock()
	known := r.source != 0
	changed := known && r.source != pkt.SSRC
	r.source = pkt.SSRC
	if changed {
		r.report = senderReport{}
	}
	r.mu.Unlock()
	if changed {
		r.assembler.Flush()
		r.pop(now)
		r.line.next()
		r.src.restarted(r.src.shape)
	}
	r.newest = now
	r.assembler.Push(&pkt, now)
	return true
}

// believe reports whether a packet comes from the stream's sender.
func (r *port) believe(from netip.AddrPort, now time.Time) bool {
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if !r.o.AllowRemote && !from.Addr().IsLoopback() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.peer != from {
		if r.peer.IsValid() && now.Sub(r.peerAt) < r.o.Relearn {
			return false
		}
		r.peer = from
	}
	r.peerAt = now
	return true
}

func (r *port) foreign() {
	r.src.mu.Lock()
	defer r.src.mu.Unlock()
	r.src.stats.Foreign++
}

// pop hands on what is whole. It is false when the track has ended.
func (r *port) pop(now time.Time) bool {
	for {
		s, ok := r.assembler.Pop()
		if !ok {
			return !r.src.over()
		}
		if s.Lost > 0 {
			r.src.lost(s.Lost)
		}
		u := unit{data: s.Data, at: s.Timestamp, arrival: now, made: r.made(s.Timestamp, now), keyframe: s.Keyframe}
		good, err := r.src.push(u, &r.line, nil)
		if err != nil {
			r.err = r.p.problem(err)
			r.src.finish(r.err)
			return false
		}
		if good {
			r.p.onOpen.Do(func() { close(r.p.opened) })
		}
	}
}
