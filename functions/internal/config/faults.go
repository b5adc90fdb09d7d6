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

// faults collects what is wrong with the configuration. It keeps the first fault of each
// variable.
type faults struct {
	config  *Config
	env     envconfig.Lookuper
	targets []string
	found   map[string]fault // by variable
}

// fault is what is wrong with a variable, and the values that are valid instead, like the
// tag values. want may be empty.
type fault struct{ is, want string }

// add adds a fault of a variable. is follows the variable's name.
func (f *faults) add(name, is string) { f.addWant(name, is, lookup(name).values) }

// addWant adds a fault whose valid values are not those of the tag.
func (f *faults) addWant(name, is, want string) {
	if !f.has(name) {
		f.found[name] = fault{is, want}
	}
}

// require adds a fault of the variable's value unless ok.
func (f *faults) require(name string, ok bool) {
	if ok {
		return
	}
	if value, set := f.env.Lookup(name); set {
		f.add(name, "is "+quote(value))
	} else {
		f.add(name, "is "+quote(lookup(name).byDefault)+" by default")
	}
}

// addUnset adds the fault that a variable is not set, but another needs it.
func (f *faults) addUnset(name, other string) {
	f.add(name, "is not set, but "+other+" needs it")
}

// requireOrigins adds a fault of each of the variable's values that is no origin.
func (f *faults) requireOrigins(name string, origins []string) {
	for _, origin := range origins {
		if !isOrigin(origin) {
			f.add(name, "has "+quote(origin))
		}
	}
}

func (f *faults) has(name string) bool {
	_, has := f.found[name]
	return has
}

// expand replaces each $NAME of want.
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
		return cmp.Or(value, lookup(key).byDefault) + " (" + key + ")"
	})
}

// err joins the faults, a line each, in the order of Config's fields.
func (f *faults) err() error {
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

// quote quotes a value. It hides a value that may hold a password, like a URL with a user.
func quote(value string) string {
	if strings.Contains(value, "@") {
		return "not shown, since it has an @"
	}
	return fmt.Sprintf("%q", value)
}
