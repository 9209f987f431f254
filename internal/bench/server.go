package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/parley-rtc/parley/signaling/accesstoken"
)

const (
	startTime = 10 * time.Second
	stopTime  = 3 * time.Second
)

// announce begins the line in which the server tells its address.
const announce = "signaling at "

// server is the other process.
type server struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	url   string // for signaling
	key   accesstoken.Key
	done  chan struct{} // closed when the process has ended
}

// startServer runs the server on a port that the system chooses, with its
// bounds for strangers lifted. It ends with our end of its standard input.
func startServer(ctx context.Context, line []string) (*server, error) {
	if len(line) == 0 {
		return nil, errors.New("there is no program to run")
	}
	s := &server{key: accesstoken.NewKey(), done: make(chan struct{})}
	args := append(line[1:len(line):len(line)], "--listen", "127.0.0.1:0", "--end-with-stdin", "--log-level", "error",
		"--max-participants", "200", "--max-joins-per-second", "-1", "--max-sockets-per-ip", "-1",
		"--max-data-bytes-per-second", "-1", "--max-data-messages-per-second", "-1")
	s.cmd = exec.Command(line[0], args...) //nolint:noctx // stop ends it in good order, which a context does not
	s.cmd.Env = append(os.Environ(), "PARLEY_CONFIG=", "PARLEY_API_KEYS=", "PARLEY_ACCOUNT_SID="+s.key.AccountSID,
		"PARLEY_API_KEY="+s.key.SID, "PARLEY_API_SECRET="+string(s.key.Secret))
	out, in := io.Pipe()
	s.cmd.Stderr = in
	var err error
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process, which stop waits for
		defer close(s.done)
		_ = s.cmd.Wait() // what it says tells more than how it ended
		_ = in.Close()
	}()
	address := make(chan string, 1)
	said := make(chan string, 1)
	go func() { // ends with the process
		var last string
		for lines := bufio.NewScanner(out); lines.Scan(); {
			last = lines.Text()
			if url, ok := strings.CutPrefix(last, announce); ok {
				address <- url
			}
		}
		said <- last
	}()
	timer := time.NewTimer(startTime)
	defer timer.Stop()
	select {
	case s.url = <-address:
		return s, nil
	case last := <-said:
		return nil, fmt.Errorf("it ended at once: %s", last)
	case <-timer.C:
		err = errors.New("it does not tell its address")
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, errors.Join(err, s.stop())
}

// stop ends the process.
func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // or it has ended
	_ = s.stdin.Close()
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-s.done:
		return nil
	case <-timer.C:
		_ = s.cmd.Process.Kill() // or it has ended
		<-s.done
		return errors.New("the server did not end by itself")
	}
}

// token lets somebody into a room.
func (s *server) token(identity, room string) (string, error) {
	return accesstoken.Token{Identity: identity, Room: room}.Sign(s.key)
}

// sent returns how many RTP packets the server has sent so far.
func (s *server) sent(ctx context.Context) (float64, error) {
	page := "http" + strings.TrimSuffix(strings.TrimPrefix(s.url, "ws"), "/signaling") + "/metrics"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return 0, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(`parley_rtp_packets_total{direction="out"} `)); ok {
			return strconv.ParseFloat(string(bytes.TrimSpace(value)), 64)
		}
	}
	return 0, errors.New("the server's metrics do not tell the packets")
}
