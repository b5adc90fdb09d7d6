package redisclient

import "net/url"

// A URLError says what is wrong with a URL. It does not show the URL, which may hold a
// password.
type URLError struct {
	Text string // what follows the name of the URL, like "has no master_name"
}

func (e *URLError) Error() string { return "redisclient: the URL " + e.Text }

// urlError says why go-redis can't read the URL. go-redis's own error may show it.
func (o Options) urlError() *URLError {
	u, err := url.Parse(o.URL)
	if err != nil {
		return &URLError{"is not a URL; in a user or password, write % as %25, / as %2F, : as %3A, ? as %3F, # as %23, @ as %40"}
	}
	query := u.Query()
	switch {
	case u.Scheme != "redis" && u.Scheme != "rediss":
		return &URLError{"does not begin with redis:// or rediss://"}
	case o.Mode == Sentinel && !query.Has("master_name"):
		return &URLError{"has no master_name"}
	case o.Mode != Sentinel && query.Has("master_name"):
		return &URLError{"has a master_name, which only Sentinels know"}
	case o.Mode == Single && query.Has("addr"):
		return &URLError{"has an addr, which only Sentinels and clusters have"}
	}
	return &URLError{"has a path or a parameter that go-redis can't read"}
}
