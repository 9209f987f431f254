//go:build unix && !linux

package pipe

import (
	"os"
	"os/exec"
	"syscall"
)

// group gives the program a process group of its own.
func group(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) } // it may have ended

func terminateGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGTERM) } // it may have ended

// reap waits for the end of a child, and calls last while what is left of its
// group keeps the group's id.
func reap(cmd *exec.Cmd, last func()) {
	_ = cmd.Wait() // its error is in ProcessState
	last()
}
