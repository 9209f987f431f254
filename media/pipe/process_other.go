//go:build !unix

package pipe

import (
	"os"
	"os/exec"
)

func group(*exec.Cmd) {}

func killGroup(p *os.Process) { _ = p.Kill() } // it may have ended

func terminateGroup(p *os.Process) { _ = p.Kill() } // there is nothing gentler

// reap waits for the end of a child.
func reap(cmd *exec.Cmd, last func()) {
	_ = cmd.Wait() // its error is in ProcessState
	last()
}
