package bestavailable

import "strings"

// accessibleWords are in the names of accessible categories. The last is the German one: the
// plan format and its editor are from Germany.
var accessibleWords = []string{"wheelchair", "accessible", "disabled", "rollstuhl"}

// Accessible reports whether a category is for people who need an accessible place, like
// "Wheelchair" or "Accessible seating". The plan format has no mark for such seats, so their
// category's name tells, in upper or lower case. Find returns them only if the request names the
// category.
func Accessible(category string) bool {
	name := strings.ToLower(category)
	for _, word := range accessibleWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
