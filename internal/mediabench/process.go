package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/parley-rtc/parley/signaling/accesstoken"
)

// warmUp is how long each runs before it is measured.
const warmUp = 2 * time.Second

// result is what a child tells at its end.
type result struct {
	Frames   int     `json:"frames"`
	Bytes    uint64  `json:"bytes"` // of garbage
	P50, P99 float64 // latency in milliseconds
}

func (r result) garbage() float64 { return float64(r.Bytes) / float64(max(1, r.Frames)) }

// process is one that runs until its standard input ends.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Reader
}

func start(ctx context.Context, env []string, name string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd: cmd, stdin: stdin, out: bufio.NewReader(stdout)}, nil
}

// end ends the process and reads what it has to tell.
func (p *process) end() (r result, err error) {
	_ = p.stdin.Close() // that is how it ends
	told := json.NewDecoder(p.out).Decode(&r)
	return r, errors.Join(told, p.cmd.Wait())
}

// kill ends a process that tells nothing.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // or it has ended
	_ = p.cmd.Wait()                          // how it ended does not matter
}

// cpu returns the time that all threads of a process had the processor.
func (p *process) cpu() (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	if err != nil || len(tasks) == 0 {
		return 0, errors.New("the process has ended")
	}
	var sum time.Duration
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		first, _, _ := bytes.Cut(text, []byte(" "))
		ns, err := strconv.ParseInt(string(first), 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// cost returns how much of a core the process takes, in percent.
func (c *config) cost(ctx context.Context, p *process) (float64, error) {
	if err := wait(ctx, warmUp); err != nil {
		return 0, err
	}
	before, err := p.cpu()
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := wait(ctx, c.during); err != nil {
		return 0, err
	}
	after, err := p.cpu()
	return 100 * float64(after-before) / float64(time.Since(begun)), err
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// once measures one way to handle the pictures.
func (c *config) once(ctx context.Context, mode string, s setting) (cost float64, r result, err error) {
	switch mode {
	case "ffmpeg":
		cost, err = c.ffmpeg(ctx, s)
		return cost, r, err
	case "publish", "passthrough":
		return c.room(ctx, mode, s)
	}
	p, err := c.child(ctx, mode, s, "", "")
	if err != nil {
		return 0, r, err
	}
	cost, err = c.cost(ctx, p)
	r, ended := p.end()
	return cost, r, errors.Join(err, ended)
}

// child starts this program for one mode and waits until it is under way.
func (c *config) child(ctx context.Context, mode string, s setting, url, token string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := start(ctx, nil, self, "child", mode, s.clip, strconv.Itoa(s.width), strconv.Itoa(s.height), strconv.Itoa(s.bitrate), url, token)
	if err != nil {
		return nil, err
	}
	if line, err := p.out.ReadString('\n'); err != nil || line != "ready\n" {
		return nil, errors.Join(fmt.Errorf("%s said %q", mode, line), err, p.cmd.Wait())
	}
	return p, nil
}

// room measures the publisher in a room with one subscriber.
func (c *config) room(ctx context.Context, mode string, s setting) (cost float64, r result, err error) {
	key := accesstoken.NewKey()
	srv, err := start(ctx, []string{
		"PARLEY_CONFIG=", "PARLEY_API_KEYS=", "PARLEY_ACCOUNT_SID=" + key.AccountSID,
		"PARLEY_API_KEY=" + key.SID, "PARLEY_API_SECRET=" + string(key.Secret),
	}, "sh", "-c", `exec "$0" serve --listen 127.0.0.1:0 --end-with-stdin --log-level error 2>&1`, c.parley)
	if err != nil {
		return 0, r, err
	}
	defer srv.kill()
	var url string
	for url == "" {
		line, err := srv.out.ReadString('\n')
		if err != nil {
			return 0, r, fmt.Errorf("the server said %q: %w", line, err)
		}
		url, _ = strings.CutPrefix(strings.TrimSpace(line), "signaling at ")
		if !strings.HasPrefix(url, "ws") {
			url = ""
		}
	}
	var pair [2]*process
	for i, who := range []string{mode, "watch"} {
		token, err := accesstoken.Token{Identity: who, Room: "bench"}.Sign(key)
		if err != nil {
			return 0, r, err
		}
		if pair[i], err = c.child(ctx, who, s, url, token); err != nil {
			return 0, r, err
		}
	}
	cost, err = c.cost(ctx, pair[0])
	watched, err2 := pair[1].end()
	r, err3 := pair[0].end()
	r.P50, r.P99 = watched.P50, watched.P99
	return cost, r, errors.Join(err, err2, err3)
}

// ffmpeg measures ffmpeg with the settings of media/codec/vpx.
func (c *config) ffmpeg(ctx context.Context, s setting) (float64, error) {
	sink, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, err
	}
	defer func() { _ = sink.Close() }() // nobody has read from it
	rate, size := strconv.Itoa(s.bitrate), fmt.Sprintf("%dx%d", s.width, s.height)
	p, err := start(ctx, nil, "ffmpeg", "-v", "error", "-nostdin", "-re", "-stream_loop", "-1",
		"-f", "rawvideo", "-pix_fmt", "yuyv422", "-s", size, "-r", "30", "-i", s.clip,
		"-pix_fmt", "yuv420p", "-threads", "1", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "-6",
		"-b:v", rate, "-minrate", rate, "-maxrate", rate, "-bufsize", strconv.Itoa(s.bitrate*6/10),
		"-rc_init_occupancy", strconv.Itoa(s.bitrate*3/10), "-undershoot-pct", "100", "-overshoot-pct", "15",
		"-qmin", "2", "-qmax", "60", "-lag-in-frames", "0", "-auto-alt-ref", "0", "-error-resilient", "default",
		"-static-thresh", "1", "-max-intra-rate", "600", "-g", "99999", "-f", "rtp", "rtp://"+sink.LocalAddr().String()+"?pkt_size=1200")
	if err != nil {
		return 0, err
	}
	defer p.kill()
	return c.cost(ctx, p)
}
