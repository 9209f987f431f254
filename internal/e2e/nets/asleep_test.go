//go:build e2e

package nets_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// resident returns how much memory the process holds, in bytes.
func (p *process) resident() int {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.proc.Pid))
	require.NoError(p.t, err)
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	require.NoError(p.t, err)
	return pages * os.Getpagesize()
}

// TestR20StoppedSubscriber has one of five get no processor for half a minute.
// The others notice nothing but that it is away, parley serve keeps little for
// it, and it is back when it goes on.
func TestR20StoppedSubscriber(t *testing.T) {
	w := newNetwork(t)
	w.serve("--listen", serverIP+":80", "--allow-private")
	robot := w.start(w.cli, "robot")
	var all []*process
	for n := range 4 {
		p := w.start(w.srv, "viewer", fmt.Sprint("PARLEY_NETS_IDENTITY=viewer ", n))
		p.await("picture")
		all = append(all, p)
	}
	asleep, others := all[0], all[1:]
	warm := time.Now().Add(3 * time.Second)
	asleep.await("picture", warm)

	before := w.server.resident()
	require.NoError(t, asleep.proc.Signal(syscall.SIGSTOP))
	stopped := time.Now()
	others[0].await("picture", stopped.Add(28*time.Second))
	grown := w.server.resident() - before
	others[0].await("picture", stopped.Add(30*time.Second))
	require.NoError(t, asleep.proc.Signal(syscall.SIGCONT))
	on := time.Now()
	back := asleep.await("picture", on).At.Sub(on)
	asleep.await("message", on)
	robot.await("ParticipantReconnecting", stopped)
	robot.await("ParticipantReconnected", on)
	asleep.await("picture", on.Add(5*time.Second))

	for i, p := range others {
		got, missed := p.pictures("robot")
		_, wrong := p.messages()
		t.Logf("R20 viewer %d beside the one that was stopped: %d of %d pictures, longest gap %v", i+1, got, got+missed, p.gap("picture", stopped))
		require.Empty(t, wrong)
		require.GreaterOrEqual(t, got*100, (got+missed)*99)
		p.quit()
	}
	_, wrong := asleep.messages()
	t.Logf("R20: the server holds %+d KiB after 28 s; the one that was stopped has a picture %v after it goes on; %d disorders of its messages; its events: %v",
		grown>>10, back, len(wrong), asleep.told())
	require.LessOrEqual(t, grown, 20<<20)
	asleep.quit()
	robot.quit()
	require.LessOrEqual(t, robot.await("left").Count, 0, "goroutines that stayed")
}
