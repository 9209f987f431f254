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
	"sync/atomic"
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

	frames atomic.Int64  // that it has handled
	told   chan struct{} // closed when it tells no more of them
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

// count follows what a child says: a dot for each picture, then a line's end.
func (p *process) count() {
	p.told = make(chan struct{})
	go func() { // ends with the process
		defer close(p.told)
		for {
			if b, err := p.out.ReadByte(); err != nil || b == '\n' {
				return
			}
			p.frames.Add(1)
		}
	}()
}

// end ends the process and reads what it has to tell.
func (p *process) end() (r result, err error) {
	_ = p.stdin.Close() // that is how it ends
	<-p.told
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

// load is what a process has done up to some moment.
type load struct {
	cpu    time.Duration
	frames int64
}

func (p *process) load() (load, error) {
	cpu, err := p.cpu()
	return load{cpu, p.frames.Load()}, err
}

// costs returns how much of a core each of the processes takes for 30 pictures a
// second, in percent. They are measured at the same time, so that what else the
// machine does is the same to all.
func (c *config) costs(ctx context.Context, ps []*process) ([]float64, error) {
	if err := wait(ctx, warmUp); err != nil {
		return nil, err
	}
	before := make([]load, len(ps))
	for i, p := range ps {
		var err error
		if before[i], err = p.load(); err != nil {
			return nil, err
		}
	}
	if err := wait(ctx, c.during); err != nil {
		return nil, err
	}
	costs := make([]float64, len(ps))
	for i, p := range ps {
		after, err := p.load()
		if err != nil {
			return nil, err
		}
		frames := after.frames - before[i].frames
		if frames < 15 {
			return nil, fmt.Errorf("only %d pictures", frames)
		}
		costs[i] = 100 * (after.cpu - before[i].cpu).Seconds() / (float64(frames) / 30)
	}
	return costs, nil
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

// child starts this program for one mode and waits until it is under way.
func (c *config) child(ctx context.Context, mode string, s setting, url, token string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var env []string
	if c.profile != "" && url != "" && mode != "watch" {
		env = append(env, fmt.Sprintf("%s=%s", profileTo, filepath.Join(c.profile, fmt.Sprintf("%s-%d.pprof", mode, s.width))))
	}
	p, err := start(ctx, env, self, "child", mode, s.clip, strconv.Itoa(s.width), strconv.Itoa(s.height), strconv.Itoa(s.bitrate), url, token)
	if err != nil {
		return nil, err
	}
	if line, err := p.out.ReadString('\n'); err != nil || line != "ready\n" {
		return nil, errors.Join(fmt.Errorf("%s said %q", mode, line), err, p.cmd.Wait())
	}
	p.count()
	return p, nil
}

// room is a publisher, one who watches, and the server between them.
type room struct {
	server, publisher, watcher *process
}

func (c *config) room(ctx context.Context, mode string, s setting) (r room, err error) {
	key := accesstoken.NewKey()
	r.server, err = start(ctx, []string{
		"PARLEY_CONFIG=", "PARLEY_API_KEYS=", "PARLEY_ACCOUNT_SID=" + key.AccountSID,
		"PARLEY_API_KEY=" + key.SID, "PARLEY_API_SECRET=" + string(key.Secret),
	}, "sh", "-c", `exec "$0" serve --listen 127.0.0.1:0 --end-with-stdin --log-level error 2>&1`, c.parley)
	if err != nil {
		return r, err
	}
	var url string
	for url == "" {
		line, err := r.server.out.ReadString('\n')
		if err != nil {
			return r, fmt.Errorf("the server said %q: %w", line, err)
		}
		url, _ = strings.CutPrefix(strings.TrimSpace(line), "signaling at ")
		if !strings.HasPrefix(url, "ws") {
			url = ""
		}
	}
	for _, p := range []**process{&r.publisher, &r.watcher} { // who has nothing to watch is not under way
		who := mode
		if p == &r.watcher {
			who = "watch"
		}
		token, err := accesstoken.Token{Identity: who, Room: "bench"}.Sign(key)
		if err != nil {
			return r, err
		}
		if *p, err = c.child(ctx, who, s, url, token); err != nil {
			return r, err
		}
	}
	return r, nil
}

// end ends all, and returns what publisher and watcher have to tell.
func (r *room) end() (result, error) {
	watched, err := r.watcher.end()
	told, err2 := r.publisher.end()
	r.server.kill()
	told.P50, told.P99 = watched.P50, watched.P99
	return told, errors.Join(err, err2)
}

// ffmpeg starts ffmpeg with the settings of media/codec/vpx. What it sends goes
// to sink.
func ffmpeg(ctx context.Context, s setting, sink *net.UDPConn) (*process, error) {
	rate, size := strconv.Itoa(s.bitrate), fmt.Sprintf("%dx%d", s.width, s.height)
	p, err := start(ctx, nil, "ffmpeg", "-v", "error", "-nostdin", "-re", "-stream_loop", "-1",
		"-f", "rawvideo", "-pix_fmt", "yuyv422", "-s", size, "-r", "30", "-i", s.clip,
		"-pix_fmt", "yuv420p", "-threads", "1", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "-6",
		"-b:v", rate, "-minrate", rate, "-maxrate", rate, "-bufsize", strconv.Itoa(s.bitrate*6/10),
		"-rc_init_occupancy", strconv.Itoa(s.bitrate*3/10), "-undershoot-pct", "100", "-overshoot-pct", "15",
		"-qmin", "2", "-qmax", "60", "-lag-in-frames", "0", "-auto-alt-ref", "0", "-error-resilient", "default",
		"-static-thresh", "1", "-max-intra-rate", "600", "-g", "99999", "-f", "rtp", "rtp://"+sink.LocalAddr().String()+"?pkt_size=1200")
	if err != nil {
		return nil, err
	}
	go func() { // ends with the socket
		packet := make([]byte, 2048)
		for {
			n, err := sink.Read(packet)
			if err != nil {
				return
			}
			if n > 1 && packet[1]&0x80 != 0 { // the last of a picture
				p.frames.Add(1)
			}
		}
	}()
	return p, nil
}
