//go:build !unix

package changes

import "syscall"

// On other systems a goroutine a stream writes and reads: see newStream.
const nonBlocking = false

func tryWrite(uintptr, []byte) (int, error) { return 0, syscall.EAGAIN }
func tryRead(uintptr) (int, error)          { return 0, syscall.EAGAIN }
