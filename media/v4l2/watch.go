package v4l2

import (
	"context"
	"iter"
	"slices"
	"time"
)

// Event says that a camera came or went.
type Event struct {
	// Device is the camera; Formats is empty for one that went.
	Device Device
	// Added is true when it came, false when it went.
	Added bool
}

// settle is how long device files are left alone until they are looked at:
// their rights and names come a moment later.
const settle = 200 * time.Millisecond

// Watch tells which cameras come and go, those that are there already first. It
// ends with ctx, without an error, and works in the goroutine that ranges over
// it:
//
//	for event, err := range v4l2.Watch(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(event.Added, event.Device)
//	}
//
// A camera that is plugged in again is told of even where both lie between two
// looks, when it got another device file. One whose driver changes what it is
// without plugging, such as v4l2loopback, is not noticed.
func Watch(ctx context.Context) iter.Seq2[Event, error] { return watch(ctx, system()) }

func watch(ctx context.Context, h host) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		w, err := newWatcher()
		if err != nil {
			yield(Event{}, errorOf("watch", "", err))
			return
		}
		defer w.close()
		wake, err := newWaker()
		if err != nil {
			yield(Event{}, errorOf("watch", "", err))
			return
		}
		defer wake.close()
		defer context.AfterFunc(ctx, wake.wake)()

		var known []Device
		for ctx.Err() == nil {
			now := look(h)
			if !tell(known, now, yield) {
				return
			}
			known = now
			if err := changed(ctx, wake, w); err != nil {
				yield(Event{}, errorOf("watch", "", err))
				return
			}
		}
	}
}

// look lists what there is; where that fails there is nothing.
func look(h host) []Device {
	found, err := devices(h)
	if err != nil {
		return nil
	}
	return found
}

// tell yields how the devices differ. It reports whether to go on.
func tell(before, now []Device, yield func(Event, error) bool) bool {
	has := func(all []Device, d Device) bool {
		return slices.ContainsFunc(all, func(o Device) bool { return o.ID == d.ID && o.Path == d.Path })
	}
	for _, d := range before {
		if !has(now, d) && !yield(Event{Device: Device{ID: d.ID, Label: d.Label, Path: d.Path, Driver: d.Driver}}, nil) {
			return false
		}
	}
	for _, d := range now {
		if !has(before, d) && !yield(Event{Device: d, Added: true}, nil) {
			return false
		}
	}
	return true
}

// changed waits until device files changed and have settled.
func changed(ctx context.Context, wake *waker, w *watcher) error {
	timeout := time.Duration(-1)
	for ctx.Err() == nil {
		ready, err := wake.wait(timeout, w.fd())
		if err != nil {
			return err
		}
		switch {
		case ready && w.drain():
			timeout = settle
		case !ready && timeout > 0:
			return nil
		}
	}
	return nil
}
