package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sethvargo/go-envconfig"

	"booking/functions/internal/redisclient"
)

// faults collects what is wrong with the configuration: at most one fault a variable,
// the first.
type faults struct {
	config  *Config
	env     envconfig.Lookuper
	targets []string
	found   map[string]fault // by variable
}

// fault says what a variable is, and what is wanted instead, as in the tag want. The
// latter is empty if the former says it.
type fault struct{ is, want string }

// add adds a fault of a variable; is follows its name.
func (f *faults) add(name, is string) { f.addWanting(name, is, named(name).want) }

// addWanting adds a fault for which another value is wanted than for others.
func (f *faults) addWanting(name, is, want string) {
	if !f.has(name) {
		f.found[name] = fault{is, want}
	}
}

// demand adds a fault unless ok.
func (f *faults) demand(name string, ok bool) {
	if ok {
		return
	}
	if value, set := f.env.Lookup(name); set {
		f.add(name, "is "+quote(value))
	} else {
		f.add(name, "is "+quote(named(name).fallback)+" by default")
	}
}

// missing adds the fault that a variable is not set, though another needs it.
func (f *faults) missing(name, other string) {
	f.add(name, "is not set, but "+other+" needs it")
}

func (f *faults) has(name string) bool {
	_, has := f.found[name]
	return has
}

// expand puts values in place of what the tag want has with a $.
func (f *faults) expand(want string) string {
	return os.Expand(want, func(key string) string {
		switch {
		case key == "FUNCTIONS":
			return strings.Join(f.targets, ", ")
		case key == "URL":
			return cmp.Or(redisclient.ExampleURLs[f.config.RedisMode], redisclient.ExampleURLs[redisclient.Single])
		case f.has(key):
			return key
		}
		value, _ := f.env.Lookup(key)
		return cmp.Or(value, named(key).fallback) + " (" + key + ")"
	})
}

// inOrder joins the faults in the order of Config's fields, a line each.
func (f *faults) inOrder() error {
	var errs []error
	for _, v := range variables {
		switch found, has := f.found[v.name]; {
		case !has:
		case found.want == "":
			errs = append(errs, errors.New(v.name+" "+found.is))
		default:
			errs = append(errs, errors.New(v.name+" "+found.is+": want "+f.expand(found.want)))
		}
	}
	return errors.Join(errs...)
}

// quote quotes a value, but for one that may hold a password, as a URL with a user.
func quote(value string) string {
	if strings.Contains(value, "@") {
		return "not shown, since it has an @"
	}
	return fmt.Sprintf("%q", value)
}
