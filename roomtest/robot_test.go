package roomtest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// drive is a program to test: a robot whose motor runs only while its room is
// connected.
func drive(room *parley.Room, motor chan<- bool) {
	defer close(motor)
	motor <- true
	for ev := range room.Events() {
		switch ev.(type) {
		case parley.Reconnecting, parley.Disconnected:
			motor <- false
		case parley.Reconnected:
			motor <- true
		}
	}
}

// On real sockets: the operator sees the robot's camera, and the motor stops
// while the robot is out of reach.
func TestMotorStopsWhileReconnecting(t *testing.T) {
	srv := roomtest.NewServer(t)
	camera, err := parley.NewLocalVideoTrack(synth.Video(), nil)
	require.NoError(t, err)
	defer camera.Stop()
	robot, err := parley.Connect(srv.Token("robot", "yard"), &parley.ConnectOptions{
		URL:    srv.URL(),
		Tracks: []parley.LocalTrack{camera},
	})
	require.NoError(t, err)
	defer robot.Disconnect()
	motor := make(chan bool)
	go drive(robot, motor)
	require.True(t, <-motor)

	operator, err := parley.Connect(srv.Token("operator", "yard"), &parley.ConnectOptions{URL: srv.URL()})
	require.NoError(t, err)
	defer operator.Disconnect()
	started := roomtest.Next[parley.TrackStarted](t, operator.Events())
	require.Equal(t, "robot", started.Participant.Identity())

	srv.DropSignaling("robot")
	require.False(t, <-motor)
	require.True(t, <-motor)

	require.NoError(t, robot.Disconnect())
	require.False(t, <-motor)
	gone := roomtest.Next[parley.ParticipantDisconnected](t, operator.Events())
	require.Equal(t, "robot", gone.Participant.Identity())
	require.NoError(t, operator.Disconnect())
	roomtest.Rest(t, operator.Events())
}

// In virtual time: after a minute in the dark the motor has stopped for good.
func TestMotorStopsForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t)
		robot, err := parley.Connect(srv.Token("robot", "yard"), &parley.ConnectOptions{
			Transport:       srv.Transport("robot"),
			ConfigureWebRTC: srv.WebRTC("robot"),
		})
		require.NoError(t, err)
		motor := make(chan bool, 10)
		go drive(robot, motor)

		srv.Cut("robot")
		time.Sleep(time.Minute)
		var states []bool
		for on := range motor {
			states = append(states, on)
		}
		require.Equal(t, []bool{true, false, false}, states)
		require.ErrorIs(t, robot.Err(), parley.ErrSignalingDisconnected)
	})
}
