package rtc_test

import (
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/stretchr/testify/require"
)

// A TURN server that says nothing is not asked for long, one that has answered
// is for ever.
func TestQuestionsThatNobodyAnswersEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := faultnet.NewWorld(t, faultnet.WorldConfig{})
		socket := func(host *faultnet.Host) net.PacketConn {
			c, err := rtc.Repeating(host).ListenPacket("udp4", host.Addresses()[0].String()+":0")
			require.NoError(t, err)
			t.Cleanup(func() { _ = c.Close() })
			return c
		}
		client, server := socket(w.Host("client")), socket(w.Host("server"))
		question := []byte{0, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
		ask := func() error {
			_, err := client.WriteTo(question, server.LocalAddr())
			return err
		}
		require.NoError(t, ask())
		time.Sleep(3 * time.Second)
		require.NoError(t, ask())
		time.Sleep(time.Millisecond)
		require.ErrorIs(t, ask(), os.ErrDeadlineExceeded)
		_, err := client.WriteTo([]byte("no question"), server.LocalAddr())
		require.NoError(t, err)
		_, err = server.WriteTo(question, client.LocalAddr())
		require.NoError(t, err)
		_, _, err = client.ReadFrom(make([]byte, 100))
		require.NoError(t, err)
		require.NoError(t, ask())
		time.Sleep(time.Hour)
		require.NoError(t, ask())
	})
}
