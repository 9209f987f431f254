package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rtc/parley"
)

// talker is a participant with a data track.
type talker struct {
	*client
	out *parley.LocalDataTrack
}

func (b *bench) talker(ctx context.Context, room, identity string) (*talker, error) {
	out, err := parley.NewLocalDataTrack(nil)
	if err != nil {
		return nil, err
	}
	c, err := b.join(ctx, room, identity, out)
	if err != nil {
		return nil, err
	}
	return &talker{c, out}, nil
}

// hear waits for the other one's data track.
func (t *talker) hear(ctx context.Context) (*parley.RemoteDataTrack, error) {
	track, err := t.track(ctx)
	if err != nil {
		return nil, err
	}
	d, ok := track.(*parley.RemoteDataTrack)
	if !ok {
		return nil, fmt.Errorf("subscribed to %s instead of data", track.Kind())
	}
	return d, nil
}

// roundTrips measures a message there and back.
func (b *bench) roundTrips(ctx context.Context) ([]Row, error) {
	alice, err := b.talker(ctx, "messages", "alice")
	if err != nil {
		return nil, err
	}
	defer alice.leave()
	bob, err := b.talker(ctx, "messages", "bob")
	if err != nil {
		return nil, err
	}
	defer bob.leave()
	back, err := alice.hear(ctx)
	if err != nil {
		return nil, err
	}
	there, err := bob.hear(ctx)
	if err != nil {
		return nil, err
	}
	bob.wg.Go(func() {
		for {
			m, err := there.Receive(ctx)
			if err != nil || bob.out.Send(ctx, m.Data) != nil {
				return // the end, or alice tells
			}
		}
	})
	var trips samples
	for range b.times(2000, 500) {
		start := time.Now()
		if err := alice.out.Send(ctx, make([]byte, 64)); err != nil {
			return nil, err
		}
		if _, err := back.Receive(ctx); err != nil {
			return nil, err
		}
		trips = append(trips, time.Since(start))
	}
	trips = trips[len(trips)/10:] // the first ones meet cold caches
	return []Row{
		{"data_round_trip_p50_us", "message of 64 B, there and back, p50", us(trips.at(.5)), "µs", "≤ 75"},
		{"data_round_trip_p99_us", "message of 64 B, there and back, p99", us(trips.at(.99)), "µs", ""},
	}, nil
}

// bulkSize is the size of messages in bulk: the largest there are.
const bulkSize = 16 << 10

// bulkWindow is how many of them may be on their way. A server ends the stay of
// a subscriber for whom 4 MiB wait.
const bulkWindow = (1 << 20) / bulkSize

// throughput measures how much goes through a data track.
func (b *bench) throughput(ctx context.Context) ([]Row, error) {
	alice, err := b.talker(ctx, "bulk", "alice")
	if err != nil {
		return nil, err
	}
	defer alice.leave()
	bob, err := b.talker(ctx, "bulk", "bob")
	if err != nil {
		return nil, err
	}
	defer bob.leave()
	there, err := bob.hear(ctx)
	if err != nil {
		return nil, err
	}
	sent := int64(0)
	type outcome struct {
		got, dropped int64
		err          error
	}
	ended := make(chan outcome, 1)
	window := make(chan struct{}, bulkWindow)
	bob.wg.Go(func() {
		defer close(ended)
		var o outcome
		for {
			m, err := there.Receive(ctx)
			if err != nil {
				o.err = err
				break
			}
			if len(m.Data) == 0 { // the last one
				break
			}
			o.got++
			o.dropped += int64(m.Dropped)
			for range 1 + m.Dropped {
				<-window
			}
		}
		ended <- o
	})
	start := time.Now()
	msg := make([]byte, bulkSize)
	for time.Since(start) < b.during() {
		select {
		case window <- struct{}{}:
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), bob.Err())
		}
		if err := alice.out.Send(ctx, msg); err != nil {
			return nil, errors.Join(err, bob.Err())
		}
		sent++
	}
	if err := alice.out.Send(ctx, nil); err != nil {
		return nil, errors.Join(err, bob.Err())
	}
	o := <-ended
	if o.err != nil {
		return nil, fmt.Errorf("%d of %d messages arrived: %w", o.got, sent, errors.Join(o.err, bob.Err()))
	}
	if missing := sent - o.got - o.dropped; missing != 0 {
		return nil, fmt.Errorf("%d of %d messages are missing", missing, sent)
	}
	rate := float64(o.got) * bulkSize / 1e6 / time.Since(start).Seconds()
	return []Row{
		{"data_throughput_mb_per_s", "messages of 16 KiB", rate, "MB/s", "≥ 40"},
		{"data_messages_dropped", "messages of 16 KiB that were not read in time", float64(o.dropped), "", "0"},
	}, nil
}
