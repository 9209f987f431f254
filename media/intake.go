package media

import (
	"context"
	"fmt"
	"time"
)

// maxBroken is how many pictures in a row may be broken, or come in no order,
// before they end the track: cheap cameras send torn JPEGs now and then.
const maxBroken = 30

// intake takes pictures from a reader and leaves broken ones out.
type intake struct {
	r       VideoReader
	broken  int
	started bool
	last    time.Duration
}

// next waits for the next picture whose timestamp grows, and has use make of
// it what it may. Both fail together only for the reader's errors and after
// too many broken pictures in a row.
func (in *intake) next(ctx context.Context, f *VideoFrame, use func(*VideoFrame) error) error {
	for {
		if err := in.r.ReadFrame(ctx, f); err != nil {
			return err
		}
		err := in.check(f)
		if err == nil {
			if err = use(f); err == nil {
				in.started, in.last, in.broken = true, f.Timestamp, 0
				return nil
			}
		}
		if in.broken++; in.broken >= maxBroken {
			return fmt.Errorf("%d pictures in a row cannot be used: %w", in.broken, err)
		}
	}
}

func (in *intake) check(f *VideoFrame) error {
	if in.started && f.Timestamp <= in.last {
		return f.failed(fmt.Errorf("%w: %v after %v", ErrTimestamp, f.Timestamp, in.last))
	}
	return nil
}
