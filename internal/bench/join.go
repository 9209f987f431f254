package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-rtc/parley"
)

// warmUp is how many times a thing is done before it is measured.
const warmUp = 3

// joins measures the way into an empty room.
func (b *bench) joins(ctx context.Context) ([]Row, error) {
	var join, message samples
	for i := range warmUp + b.times(100, 30) {
		data, err := parley.NewLocalDataTrack(nil)
		if err != nil {
			return nil, err
		}
		start := time.Now()
		c, err := b.join(ctx, fmt.Sprintf("join-%d", i), "alice", data)
		if err != nil {
			return nil, err
		}
		connected := time.Since(start)
		err = data.Send(ctx, make([]byte, 64))
		accepted := time.Since(start)
		c.leave()
		if err != nil {
			return nil, err
		}
		if i >= warmUp {
			join = append(join, connected)
			message = append(message, accepted)
		}
	}
	return []Row{
		{"join_p50_ms", "join: call to connected, p50", ms(join.at(.5)), "ms", "≤ 5"},
		{"join_p95_ms", "join: call to connected, p95", ms(join.at(.95)), "ms", ""},
		{"join_first_message_p50_ms", "join: call to first message accepted, p50", ms(message.at(.5)), "ms", "≤ 8"},
		{"join_first_message_p95_ms", "join: call to first message accepted, p95", ms(message.at(.95)), "ms", ""},
	}, nil
}

// late measures how soon somebody who comes later gets a running track.
func (b *bench) late(ctx context.Context) ([]Row, error) {
	s, err := newStream(framePace)
	if err != nil {
		return nil, err
	}
	defer s.end()
	publisher, err := b.join(ctx, "late", "alice", s)
	if err != nil {
		return nil, err
	}
	defer publisher.leave()
	var rtp samples
	for i := range warmUp + b.times(40, 15) {
		start := time.Now()
		c, err := b.join(ctx, "late", fmt.Sprintf("late-%d", i))
		if err != nil {
			return nil, err
		}
		t, err := c.video(ctx)
		if err == nil {
			err = first(ctx, t)
		}
		took := time.Since(start)
		c.leave()
		if err != nil {
			return nil, err
		}
		if i >= warmUp {
			rtp = append(rtp, took)
		}
	}
	return []Row{
		{"late_first_rtp_p50_ms", "late joiner: call to first RTP, p50", ms(rtp.at(.5)), "ms", "≤ 10"},
		{"late_first_rtp_p95_ms", "late joiner: call to first RTP, p95", ms(rtp.at(.95)), "ms", ""},
	}, nil
}

// publish measures how soon a new track is heard of by packets.
func (b *bench) publish(ctx context.Context) ([]Row, error) {
	publisher, err := b.join(ctx, "publish", "alice")
	if err != nil {
		return nil, err
	}
	defer publisher.leave()
	subscriber, err := b.join(ctx, "publish", "bob")
	if err != nil {
		return nil, err
	}
	defer subscriber.leave()
	var rtp samples
	for i := range warmUp + b.times(40, 15) {
		took, err := publishOnce(ctx, publisher, subscriber)
		if err != nil {
			return nil, err
		}
		if i >= warmUp {
			rtp = append(rtp, took)
		}
	}
	return []Row{
		{"publish_first_rtp_p50_ms", "publish: call to first RTP at a subscriber, p50", ms(rtp.at(.5)), "ms", "≤ 15"},
		{"publish_first_rtp_p95_ms", "publish: call to first RTP at a subscriber, p95", ms(rtp.at(.95)), "ms", ""},
	}, nil
}

func publishOnce(ctx context.Context, publisher, subscriber *client) (time.Duration, error) {
	s, err := newStream(time.Millisecond) // so that its pace does not count
	if err != nil {
		return 0, err
	}
	defer s.end()
	start := time.Now()
	if _, err := publisher.LocalParticipant().PublishTrack(ctx, s, nil); err != nil {
		return 0, err
	}
	t, err := subscriber.video(ctx)
	if err == nil {
		err = first(ctx, t)
	}
	took := time.Since(start)
	if err != nil {
		return 0, err
	}
	if err := publisher.LocalParticipant().UnpublishTrack(ctx, s); err != nil {
		return 0, err
	}
	select {
	case <-t.Done():
		return took, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
