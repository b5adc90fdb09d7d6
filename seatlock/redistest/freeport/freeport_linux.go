package freeport

import (
	"os"
	"strconv"
	"syscall"
)

// Reserve returns a free TCP port and reserves it until release is called.
func Reserve() (port string, release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return "", nil, os.NewSyscallError("socket", err)
	}
	syscall.CloseOnExec(fd)
	release = func() { _ = syscall.Close(fd) }
	if port, err = bind(fd); err != nil {
		release()
		return "", nil, err
	}
	return port, release, nil
}

// bind binds the socket fd to a free port.
func bind(fd int) (port string, err error) {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return "", os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{}); err != nil {
		return "", os.NewSyscallError("bind", err)
	}
	addr, err := syscall.Getsockname(fd)
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	return strconv.Itoa(addr.(*syscall.SockaddrInet4).Port), nil
}
