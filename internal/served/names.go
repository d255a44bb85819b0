package served

import (
	"strings"

	"github.com/berth-dev/storagedriver"
)

// escapeMark begins the names that private names have at a StorageDriver. After it "-" is always followed by
// "-" or "t".
const escapeMark = "-.-"

// EscapePath returns the path that a Backend's path has at a StorageDriver. It may be longer than
// storagedriver.MaxPath.
func EscapePath(path string) string {
	if !storagedriver.IsPrivate(path) && !strings.Contains(path, "/"+escapeMark) {
		return path
	}
	names := strings.Split(path, "/")
	for i, name := range names {
		names[i] = escapeName(name)
	}
	return strings.Join(names, "/")
}

var escaper = strings.NewReplacer("-", "--", storagedriver.PrivateMark, "-t")

// escapeName returns the name at a StorageDriver: another for a private name and for one that would be taken for such
// a name, and otherwise the same.
func escapeName(name string) string {
	if !storagedriver.IsPrivate(name) && !strings.HasPrefix(name, escapeMark) {
		return name
	}
	return escapeMark + escaper.Replace(name)
}

// unescapeName returns the name that has this one at a StorageDriver, and false if none has.
func unescapeName(escaped string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(escaped, escapeMark)
	if !ok {
		return escaped, !storagedriver.IsPrivate(escaped)
	}
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		if c == '-' {
			i++
			switch {
			case i == len(rest):
				return "", false
			case rest[i] == 't':
				c = storagedriver.PrivateMark[0]
			case rest[i] != '-':
				return "", false
			}
		}
		b.WriteByte(c)
	}
	// What needs no escaping has one name only: its own.
	name = b.String()
	return name, escapeName(name) == escaped
}
