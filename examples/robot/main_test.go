package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/roomtest"
)

// enter joins the room of a virtual network.
func enter(t *testing.T, srv *roomtest.Server, who string, tracks ...parley.LocalTrack) *parley.Room {
	t.Helper()
	room, err := parley.Connect(srv.Token(who, "lab"), &parley.ConnectOptions{
		Transport: srv.Transport(who), ConfigureWebRTC: srv.WebRTC(who), Tracks: tracks,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { room.Disconnect() })
	return room
}

// moves are what motors were told.
type moves struct{ list []string }

func (m *moves) motors(speed, turn float64) {
	m.list = append(m.list, fmt.Sprintf("%.1f %.1f", speed, turn))
}

func say(t *testing.T, out *parley.LocalDataTrack, c command) {
	t.Helper()
	c.Time = time.Now().UnixMilli() - 946684800000 // when bubbles begin
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := send(t.Context(), out, string(text)); err != nil && t.Context().Err() != nil {
		t.Fatal(err)
	}
}

// commandTrack is the operator's.
func commandTrack(t *testing.T) *parley.LocalDataTrack {
	t.Helper()
	limit := lifetime
	out, err := parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: "commands", Unordered: true, MaxPacketLifeTime: &limit})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Two seconds without a network: the robot stops half a second after the last
// command, what was said meanwhile is lost and counted, and then it drives on.
func TestWatchdogStopsTheRobotAndStaleCommandsAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t)
		robot := enter(t, srv, "robot")
		out := commandTrack(t)
		operator := enter(t, srv, "operator", out)
		roomtest.Next[parley.TrackSubscribed](t, robot.Events())

		var m moves
		var mu sync.Mutex
		var stopped time.Time // guarded by mu
		d := newDriver(func(speed, turn float64) {
			m.motors(speed, turn)
			mu.Lock()
			defer mu.Unlock()
			if speed == 0 && stopped.IsZero() {
				stopped = time.Now()
			}
		})
		over := make(chan struct{})
		go func() {
			defer close(over)
			d.follow(robot.Messages())
		}()

		n := uint64(0)
		drive := func(times int, speed float64) {
			for range times {
				n++
				say(t, out, command{Number: n, Speed: speed})
				time.Sleep(50 * time.Millisecond)
			}
		}
		drive(20, 0.5)
		last := time.Now().Add(-50 * time.Millisecond)
		srv.Cut("operator")
		drive(40, 0.7)
		mu.Lock()
		got := stopped.Sub(last)
		mu.Unlock()
		if got < patience || got > patience+100*time.Millisecond {
			t.Errorf("stopped %v after the last command", got)
		}
		srv.Restore("operator")
		drive(40, 0.9)
		operator.Disconnect()
		time.Sleep(time.Second)
		robot.Disconnect()
		<-over

		if d.lost+d.late < 35 || d.taken < 30 || d.taken+d.lost+d.late > n {
			t.Errorf("of %d commands %d were obeyed, %d were lost, %d came too late", n, d.taken, d.lost, d.late)
		}
		// What is stale is not obeyed. It drives on, and stops when the operator leaves.
		if want := []string{"0.5 0.0", "0.0 0.0", "0.9 0.0", "0.0 0.0"}; !slices.Equal(m.list, want) {
			t.Errorf("the motors were told %q, not %q", m.list, want)
		}
	})
}

// One drives at a time, and what is no command moves nothing.
func TestOneOperatorDrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t)
		robot := enter(t, srv, "robot")
		alice, bob := commandTrack(t), commandTrack(t)
		enter(t, srv, "alice", alice)
		enter(t, srv, "bob", bob)
		events := robot.Events()
		roomtest.Next[parley.TrackSubscribed](t, events)
		roomtest.Next[parley.TrackSubscribed](t, events)
		time.Sleep(time.Second) // both are through

		var m moves
		d := newDriver(m.motors)
		over := make(chan struct{})
		go func() {
			defer close(over)
			d.follow(robot.Messages())
		}()
		synctest.Wait()
		for _, bad := range []string{"", "{", `{"number":1,"speed":7}`, `{"number":0,"speed":1}`, `{"number":-1}`, `{"number":1,"speed":"fast"}`} {
			if err := alice.SendText(t.Context(), bad); err != nil {
				t.Fatal(err)
			}
		}
		say(t, alice, command{Number: 7, Speed: 0.1})
		time.Sleep(100 * time.Millisecond)
		say(t, bob, command{Number: 1, Speed: -1}) // alice drives
		say(t, alice, command{Number: 8, Speed: 0.2})
		time.Sleep(time.Second) // alice lets go
		say(t, bob, command{Number: 2, Speed: 0.3})
		time.Sleep(100 * time.Millisecond)
		robot.Disconnect()
		<-over
		if want := []string{"0.1 0.0", "0.2 0.0", "0.0 0.0", "0.3 0.0", "0.0 0.0"}; !slices.Equal(m.list, want) {
			t.Errorf("the motors were told %q, not %q", m.list, want)
		}
		if d.bad != 6 || d.taken != 3 {
			t.Errorf("%d were bad and %d obeyed", d.bad, d.taken)
		}
	})
}
