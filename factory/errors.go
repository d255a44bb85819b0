package factory

import (
	"io/fs"
	"strconv"
	"strings"
)

const nameRule = "a name is at most 64 letters, digits, '-' and '_'"

// ValidName reports whether name may name a driver: 1 to 64 ASCII letters, digits, "-"
// and "_".
func ValidName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return 0 < len(name) && len(name) <= 64
}

// InvalidStorageDriverError says that there is no driver of a name. Is fs.ErrNotExist.
type InvalidStorageDriverError struct {
	// Name is what was asked for.
	Name string
	// Known are the names registered, in ascending order.
	Known []string
	// Searched are the paths of the files that were looked for, in order.
	Searched []string
}

// Error returns one line that says what there is, where it was looked for and what to do.
func (e InvalidStorageDriverError) Error() string {
	var b strings.Builder
	b.WriteString("no storage driver " + quote(e.Name) + ": ")
	if len(e.Known) == 0 {
		b.WriteString("none is registered")
	} else {
		b.WriteString("registered are " + strings.Join(e.Known, ", "))
	}
	switch {
	case !ValidName(e.Name):
		b.WriteString("; " + nameRule)
	case len(e.Searched) == 0:
		b.WriteString("; no folder is searched for drivers in files: correct the name, or give the Registry a SearchPath and loaders")
	default:
		b.WriteString("; there is no file " + strings.Join(e.Searched, ", ") +
			": correct the name, or put the file there or in a folder named in " + SearchPathVariable)
	}
	return b.String()
}

// Is implements errors.Is.
func (e InvalidStorageDriverError) Is(target error) bool { return target == fs.ErrNotExist }

// quote is strconv.Quote of no more than one line's worth.
func quote(s string) string {
	if len(s) > 80 {
		return strconv.Quote(s[:80]) + "..."
	}
	return strconv.Quote(s)
}
