package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/config"
)

func TestMisspelled_NamesMeantVariable(t *testing.T) {
	t.Parallel()
	for name, meant := range map[string]string{
		"HOLD_TTTL": "HOLD_TTL", "REDIS_ULR": "REDIS_URL", "REDIS_URI": "REDIS_URL", "MAX_SEAT_PER_USER": "MAX_SEATS_PER_USER", "MAX_SEATS_PER_REQEUSTS": "MAX_SEATS_PER_REQUEST",
		"METRIC_PORT": "METRICS_PORT", "LOGLEVEL": "LOG_LEVEL", "hold_ttl": "HOLD_TTL", "DURABEL": "DURABLE", "PROT": "PORT", "AUTH_ISUER": "AUTH_ISSUER", "HOLD-TTL": "HOLD_TTL",
	} {
		require.Equal(t, []config.Misspelling{{Name: name, Meant: meant}}, config.Misspelled([]string{"PATH=/bin", name + "=secret"}), name)
	}
}

func TestMisspelled_IgnoresOtherVariables(t *testing.T) {
	t.Parallel()
	environ := []string{
		"PATH=/bin", "PWD=/", "OLDPWD=/", "HOME=/root", "HOST=x", "HOSTNAME=x", "HOSTTYPE=x", "USER=x", "LOGNAME=x", "SHELL=/bin/sh", "SHLVL=1", "TERM=xterm", "LANG=C", "LC_ALL=C",
		"TZ=UTC", "TMPDIR=/tmp", "TEMP=/tmp", "MAIL=x", "EDITOR=vi", "PAGER=less", "DISPLAY=:0", "SSH_AUTH_SOCK=x", "http_proxy=x", "NO_PROXY=x", "_=x", "container=podman", "GOGC=100", "GOMEMLIMIT=1GiB",
		"GOMAXPROCS=2", "OTEL_EXPORTER_OTLP_ENDPOINT=http://x", "OTEL_LOG_LEVEL=info", "POD_NAME=x", "NODE_NAME=x", "K_SERVICE=x", "K_REVISION=x", "K_CONFIGURATION=x", "FUNCTION_SIGNATURE_TYPE=http",
		"KUBERNETES_SERVICE_HOST=10.0.0.1", "KUBERNETES_SERVICE_PORT=443", "KUBERNETES_SERVICE_PORT_HTTPS=443", "KUBERNETES_PORT=tcp://10.0.0.1:443", "KUBERNETES_PORT_443_TCP_PROTO=tcp",
		"REDIS_HOST=x", "REDIS_PORT=6379", "REDIS_PASSWORD=x", "REDIS_DB=0", "REDIS_USER=x", "REDIS_SSL=1", "REDIS_TLS=1", "PORT=8080", "HOLD_TTL=5m", "",
	}
	for _, service := range []string{"REDIS", "BOOKING", "METRIC", "PORT", "RESERVE"} { // Kubernetes sets these in a pod for each Service
		environ = append(environ, service+"_SERVICE_HOST=10.0.0.2", service+"_SERVICE_PORT=80", service+"_SERVICE_PORT_HTTP=80", service+"_PORT=tcp://10.0.0.2:80",
			service+"_PORT_80_TCP=tcp://10.0.0.2:80", service+"_PORT_80_TCP_PROTO=tcp", service+"_PORT_80_TCP_PORT=80", service+"_PORT_80_TCP_ADDR=10.0.0.2")
	}
	require.Empty(t, config.Misspelled(environ))
}
