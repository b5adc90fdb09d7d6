package auth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSellerToken_IsItsSecretAlone(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("s", minSellerToken)
	s, err := NewSellerToken(secret)
	require.NoError(t, err)
	require.True(t, s.is(secret))
	for _, other := range []string{"", "s", secret[1:], secret + "s", strings.ToUpper(secret), " " + secret} {
		require.False(t, s.is(other), other)
	}
	require.False(t, (*SellerToken)(nil).is(""))
}

func TestSellerToken_FollowsItsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	write := func(content string) { require.NoError(t, os.WriteFile(path, []byte(content), 0o600)) }
	now := time.Unix(1_700_000_000, 0)
	first, second, third := strings.Repeat("1", 32), strings.Repeat("2", 32), strings.Repeat("3", 40)

	_, err := readSellerToken(path, func() time.Time { return now })
	require.ErrorIs(t, err, os.ErrNotExist)
	write(first + "\n")
	s, err := readSellerToken(path, func() time.Time { return now })
	require.NoError(t, err)
	require.True(t, s.is(first))

	write(second)
	now = now.Add(fileInterval - 1)
	require.True(t, s.is(first), "it is not read more often than once a second")
	now = now.Add(1)
	require.False(t, s.is(first))
	require.True(t, s.is(second))

	for _, broken := range []string{"", "\n", "short", second + " " + second, strings.Repeat("x", maxSellerToken+1)} {
		write(broken)
		now = now.Add(fileInterval)
		require.True(t, s.is(second), "%q", broken)
		require.False(t, s.is(strings.TrimSpace(broken)), "%q", broken)
	}
	require.NoError(t, os.Remove(path))
	now = now.Add(fileInterval)
	require.True(t, s.is(second))

	// A volume of Kubernetes replaces the file by a symbolic link to another one.
	other := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(other, []byte(third), 0o600))
	require.NoError(t, os.Symlink(other, path))
	now = now.Add(fileInterval)
	require.True(t, s.is(third))
	require.False(t, s.is(second))
}
