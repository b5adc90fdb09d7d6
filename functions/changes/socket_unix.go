//go:build unix

package changes

import "syscall"

// nonBlocking says that tryWrite and tryRead work.
const nonBlocking = true

// tryWrite writes to a socket what the kernel takes at once.
func tryWrite(fd uintptr, p []byte) (int, error) { return syscall.Write(int(fd), p) }

// tryRead reads from a socket what is there. It returns 0 if the other side closed it.
func tryRead(fd uintptr) (int, error) {
	var p [64]byte
	return syscall.Read(int(fd), p[:])
}
