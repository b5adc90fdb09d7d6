package redistest_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest"
)

// recorder is a test whose failure is recorded, not reported.
type recorder struct {
	testing.TB
	message string
}

func (r *recorder) Errorf(format string, args ...any) { r.message += fmt.Sprintf(format, args...) }
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); r.FailNow() }
func (r *recorder) FailNow()                          { runtime.Goexit() }

// failure returns the message that test fails with.
func failure(t *testing.T, test func(t testing.TB)) string {
	t.Helper()
	r, passed, ended := &recorder{TB: t}, false, make(chan struct{})
	go func() {
		defer close(ended)
		test(r)
		passed = true
	}()
	<-ended
	require.False(t, passed, "it passes")
	return r.message
}

func TestProgram_ReadsREDIS_SERVER(t *testing.T) {
	sh := redistest.Program(t, "sh")
	t.Setenv("REDIS_SERVER", os.Args[0])
	require.Equal(t, os.Args[0], redistest.Program(t, "redis-server"))
	require.Equal(t, sh, redistest.Program(t, "sh"))

	t.Setenv("REDIS_SERVER", "/nowhere/redis-server")
	message := failure(t, func(t testing.TB) { redistest.Program(t, "redis-server") })
	require.Contains(t, message, `REDIS_SERVER is "/nowhere/redis-server"`)
}

func TestServer_FailsWithServerLog(t *testing.T) {
	t.Setenv("REDIS_SERVER", redistest.Program(t, "sh")) // it rejects --save as an unknown option
	message := failure(t, func(t testing.TB) { redistest.Server(t) })
	require.Contains(t, message, "redis-server exited at once")
	require.Contains(t, message, "option")
}
