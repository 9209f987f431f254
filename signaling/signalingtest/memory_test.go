package signalingtest_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/signalingtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func memoryFixture(*testing.T) signalingtest.Fixture {
	tr := signalingtest.NewTransport()
	return signalingtest.Fixture{
		Transport: tr,
		Next: func(ctx context.Context) (signalingtest.Peer, error) {
			c, err := tr.Next(ctx)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
	}
}

func TestMemory(t *testing.T) { signalingtest.TestTransport(t, memoryFixture) }

func TestMemoryVirtual(t *testing.T) { signalingtest.TestTransportVirtual(t, memoryFixture) }

func TestMemoryPrepare(t *testing.T) {
	tr := signalingtest.NewTransport()
	want := []signaling.ICEServer{{URLs: []string{"stun:stun.example.com"}}}
	tr.SetPrepare(want, nil)
	got, err := tr.Prepare(t.Context(), "token")
	require.NoError(t, err)
	require.Equal(t, want, got)

	tr.SetPrepare(nil, signaling.NewError(signaling.CodeTokenInvalid))
	_, err = tr.Prepare(t.Context(), "token")
	require.ErrorIs(t, err, signaling.NewError(signaling.CodeTokenInvalid))
}

// A session that is not read must not grow for ever.
func TestMemorySlowClient(t *testing.T) {
	tr := signalingtest.NewTransport()
	go func() { _, _ = tr.Dial(t.Context(), signaling.Join{}) }()
	c, err := tr.Next(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Accept(signaling.State{}))
	for range 4096 {
		require.NoError(t, c.Send(signaling.Update{}))
	}
	err = c.Send(signaling.Update{})
	var e *signaling.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, signaling.DisconnectSlow, e.Reason)
}
