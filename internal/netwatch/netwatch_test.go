package netwatch

import (
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOneNoticeForWhatComesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		opened := 0
		h := &hub{open: func() (io.ReadCloser, error) { opened++; return r, nil }}
		first, second := 0, 0
		stopFirst, err := h.watch(func() { first++ })
		require.NoError(t, err)
		stopSecond, err := h.watch(func() { second++ })
		require.NoError(t, err)
		require.Equal(t, 1, opened)

		began := time.Now()
		for range 5 {
			_, err := w.Write([]byte("link"))
			require.NoError(t, err)
			time.Sleep(settle / 6)
		}
		time.Sleep(settle)
		synctest.Wait()
		require.Equal(t, []int{1, 1}, []int{first, second}, "after %v", time.Since(began))

		stopFirst()
		stopFirst() // harmless
		_, err = w.Write([]byte("address"))
		require.NoError(t, err)
		time.Sleep(2 * settle)
		synctest.Wait()
		require.Equal(t, []int{1, 2}, []int{first, second})
		stopSecond()
		_, err = w.Write([]byte("nobody listens"))
		require.ErrorIs(t, err, io.ErrClosedPipe)
	})
}

// The real socket can be opened, and closing it ends its reader.
func TestTheSystemsNotices(t *testing.T) {
	source, err := open()
	if err != nil {
		require.ErrorIs(t, err, ErrUnsupported)
		return
	}
	read := make(chan error, 1)
	go func() {
		for {
			if _, err := source.Read(make([]byte, 1<<16)); err != nil {
				read <- err
				return
			}
		}
	}()
	require.NoError(t, source.Close())
	require.ErrorIs(t, <-read, os.ErrClosed)

	for range 3 {
		stop, err := Watch(func() {})
		require.NoError(t, err)
		stop()
	}
}
