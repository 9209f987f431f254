package bench

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

const (
	idleRoom = 50
	// settleTime is how long connections have for what they do after joining.
	settleTime = time.Second
)

// idle measures what a participant weighs that only sits in a room with others.
func (b *bench) idle(ctx context.Context) ([]Row, error) {
	goroutines, memory := weight()
	for i := range idleRoom {
		c, err := b.join(ctx, "idle", fmt.Sprintf("sitter-%d", i))
		if err != nil {
			return nil, err
		}
		defer c.leave()
	}
	if err := wait(ctx, settleTime); err != nil {
		return nil, err
	}
	g, m := weight()
	// One of them reads the events, for this program and not for the room.
	return []Row{
		{
			"idle_participant_goroutines", "idle participant in a room of 50: goroutines",
			float64(g-goroutines)/idleRoom - 1, "", "≤ 24",
		},
		{
			"idle_participant_mib", "idle participant in a room of 50: heap and stack",
			(m - memory) / idleRoom, "MiB", "≤ 0.40",
		},
	}, nil
}

// weight returns the program's goroutines, and the MiB of heap and stack that
// are in use.
func weight() (goroutines int, mib float64) {
	runtime.GC()
	runtime.GC() // what finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), float64(m.HeapAlloc+m.StackInuse) / (1 << 20)
}
