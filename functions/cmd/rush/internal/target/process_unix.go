//go:build unix

package target

import (
	"os"
	"os/exec"
	"syscall"
)

// shield keeps a Ctrl-C in the terminal from cmd.
func shield(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// pause stops p until resume.
func pause(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
