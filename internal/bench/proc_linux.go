package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// cpu returns the time that the server has computed so far, over all its
// threads.
func (s *server) cpu() (time.Duration, error) {
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		if fields := bytes.Fields(text); len(fields) > 0 {
			n, err := strconv.ParseInt(string(fields[0]), 10, 64)
			if err != nil {
				return 0, err
			}
			sum += time.Duration(n)
		}
	}
	if sum == 0 {
		return 0, errors.New("the system does not tell the server's computing time")
	}
	return sum, nil
}

// rss returns the server's resident memory in MiB.
func (s *server) rss() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			kib, err := strconv.ParseFloat(string(bytes.Fields(value)[0]), 64)
			return kib / 1024, err
		}
	}
	return 0, errors.New("the system does not tell the server's memory")
}
