package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley"
)

// latency measures how long a packet takes from the publisher's program to the
// subscriber's.
func (b *bench) latency(ctx context.Context) ([]Row, error) {
	s, err := newStream(framePace)
	if err != nil {
		return nil, err
	}
	defer s.end()
	publisher, err := b.join(ctx, "latency", "alice", s)
	if err != nil {
		return nil, err
	}
	defer publisher.leave()
	subscriber, err := b.join(ctx, "latency", "bob")
	if err != nil {
		return nil, err
	}
	defer subscriber.leave()
	t, err := subscriber.video(ctx)
	if err != nil {
		return nil, err
	}
	ages := make(chan samples, 1)
	go func() { // ends with the track
		var got samples
		for {
			pkt, err := t.ReadRTP()
			if err != nil {
				ages <- got
				return
			}
			if d, ok := age(pkt); ok {
				got = append(got, d)
			}
		}
	}()
	if err := wait(ctx, b.during()); err != nil {
		return nil, err
	}
	subscriber.leave()
	got := <-ages
	if len(got) < 50 {
		return nil, fmt.Errorf("only %d packets arrived", len(got))
	}
	got = got[len(got)/10:] // the first ones meet cold caches
	return []Row{
		{"media_latency_p50_us", "one-way media latency, p50", us(got.at(.5)), "µs", "≤ 170"},
		{"media_latency_p99_us", "one-way media latency, p99", us(got.at(.99)), "µs", "≤ 1000"},
	}, nil
}

// goals of the fan-out, by the number of subscribers.
var fanOutGoals = map[int]struct{ cpu, rss string }{10: {"≤ 6", "≤ 40"}, 50: {"≤ 4", "≤ 65"}}

// fanOut measures what it costs the server to send one track to many.
func (b *bench) fanOut(ctx context.Context, n int) ([]Row, error) {
	s, err := newStream(framePace)
	if err != nil {
		return nil, err
	}
	defer s.end()
	room := fmt.Sprintf("fan-out-%d", n)
	publisher, err := b.join(ctx, room, "alice", s)
	if err != nil {
		return nil, err
	}
	defer publisher.leave()
	var tracks []*parley.RemoteVideoTrack
	var read atomic.Int64
	for i := range n {
		c, err := b.join(ctx, room, fmt.Sprintf("bob-%d", i))
		if err != nil {
			return nil, err
		}
		defer c.leave()
		t, err := c.video(ctx)
		if err != nil {
			return nil, err
		}
		tracks = append(tracks, t)
		c.wg.Go(func() {
			for {
				if _, err := t.ReadRTP(); err != nil {
					return
				}
				read.Add(1)
			}
		})
	}
	if err := wait(ctx, 500*time.Millisecond); err != nil {
		return nil, err
	}
	lostBefore := lost(tracks)
	readBefore := read.Load()
	cpuBefore, cpuErr := b.server.cpu()
	sentBefore, err := b.server.sent(ctx)
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, b.during()); err != nil {
		return nil, err
	}
	cpuAfter, err := b.server.cpu()
	cpuErr = errors.Join(cpuErr, err)
	sentAfter, err := b.server.sent(ctx)
	if err != nil {
		return nil, err
	}
	if sentAfter == sentBefore || read.Load() == readBefore {
		return nil, errors.New("no media arrived")
	}
	key := fmt.Sprintf("fan_out_%d_", n)
	label := fmt.Sprintf("1 to %d: ", n)
	rows := []Row{
		{key + "packets", label + "packets forwarded", sentAfter - sentBefore, "", ""},
		{key + "packets_lost", label + "packets lost", float64(lost(tracks) - lostBefore), "", "0"},
	}
	if cpuErr == nil {
		rows = append(rows, Row{
			key + "server_cpu_us_per_packet", label + "server CPU per forwarded packet",
			us(cpuAfter-cpuBefore) / (sentAfter - sentBefore), "µs", fanOutGoals[n].cpu,
		})
	}
	if rss, err := b.server.rss(); err == nil {
		rows = append(rows, Row{key + "server_rss_mib", label + "server memory", rss, "MiB", fanOutGoals[n].rss})
	}
	return rows, nil
}

func lost(tracks []*parley.RemoteVideoTrack) int64 {
	var sum int64
	for _, t := range tracks {
		sum += t.Stats().Lost
	}
	return sum
}
