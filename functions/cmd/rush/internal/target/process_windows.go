package target

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// shield keeps a Ctrl-C in the terminal from cmd.
func shield(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

var errNoPause = errors.New("Windows can't pause a process; leave stall out of -chaos")

func pause(*os.Process) error { return errNoPause }

func resume(*os.Process) error { return errNoPause }
