package sink

import (
	"errors"
	"net"
	"net/url"
	"strings"
)

// CheckURL returns an error unless text can be the URL of a sink. Events name users, so they need TLS
// outside of this machine and the cluster. The error does not show the URL: it may have a password.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("is no http:// or https:// URL")
	case u.User != nil:
		return errors.New("has a user or a password")
	case u.Hostname() == "":
		return errors.New("has no host")
	case strings.Contains(text, "#"):
		return errors.New("has a #")
	case u.Scheme == "http" && !isNear(u.Hostname()):
		return errors.New("is http:// for a host outside of this machine and the cluster")
	}
	return nil
}

// isNear reports whether a host is this machine or a Service of the cluster.
func isNear(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback() || strings.HasSuffix(host, ".svc") || strings.HasSuffix(host, ".svc.cluster.local")
}
