package redistest

import "strings"

// SaleOf reads the value of a seat's key. It reports whether that is a sale, and its user and
// order.
func SaleOf(value string) (user, order string, sold bool) {
	rest, sold := strings.CutPrefix(value, "sold:")
	before, user, found := strings.Cut(rest, " ")
	if !found { // of an earlier version
		return rest, "", sold
	}
	_, order, _ = strings.Cut(before, ":")
	return user, order, sold
}
