// Package freeport reserves TCP ports for servers that start later.
package freeport

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
)

// Reserve returns a TCP port on which nothing listens, until release is called. Linux
// gives a port that a socket is bound to neither to another listener nor to an
// outgoing connection, yet a server that names the port and sets SO_REUSEADDR, as
// those of Go and Redis do, may listen on it (socket(7)), and again after a crash. Other
// systems let no server beside the socket, so there the port is only looked for.
func Reserve() (port string, release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return "", nil, os.NewSyscallError("socket", err)
	}
	syscall.CloseOnExec(fd)
	release = func() { _ = syscall.Close(fd) }
	port, err = bind(fd)
	if err != nil || runtime.GOOS != "linux" {
		release()
		release = func() {}
	}
	return port, release, err
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
