package redistest_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest"
)

// failing is a test that may fail, and notes what it says then.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Errorf(format string, args ...any) { f.said += fmt.Sprintf(format, args...) }
func (f *failing) Fatalf(format string, args ...any) { f.Errorf(format, args...); f.FailNow() }
func (f *failing) FailNow()                          { runtime.Goexit() }

// failure returns what test says as it fails.
func failure(t *testing.T, test func(t testing.TB)) string {
	t.Helper()
	f, passed, ended := &failing{TB: t}, false, make(chan struct{})
	go func() {
		defer close(ended)
		test(f)
		passed = true
	}()
	<-ended
	require.False(t, passed, "it passes")
	return f.said
}

func TestProgram_REDIS_SERVERNamesTheServer(t *testing.T) {
	sh := redistest.Program(t, "sh")
	t.Setenv("REDIS_SERVER", os.Args[0])
	require.Equal(t, os.Args[0], redistest.Program(t, "redis-server"))
	require.Equal(t, sh, redistest.Program(t, "sh"))

	t.Setenv("REDIS_SERVER", "/nowhere/redis-server")
	said := failure(t, func(t testing.TB) { redistest.Program(t, "redis-server") })
	require.Contains(t, said, `REDIS_SERVER is "/nowhere/redis-server"`)
}

func TestServer_FailsWithTheLogOfAServerThatEnds(t *testing.T) {
	program := redistest.Program(t, "sh")
	t.Setenv("REDIS_SERVER", program) // which takes --save for an option of its own
	said := failure(t, func(t testing.TB) { redistest.Server(t) })
	require.Contains(t, said, "the server ends at once")
	require.Contains(t, said, "option")
}
