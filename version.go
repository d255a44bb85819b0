package storagedriver

import (
	"strconv"
	"strings"
)

// Version is the version of a driver interface, in the form Major.Minor. A driver is
// accepted when its major equals ours and its minor is at most ours.
type Version string

// CurrentVersion is the version of this interface.
const CurrentVersion Version = "1.0"

// Major returns the part before the dot, or 0 when it is not a number.
func (v Version) Major() uint {
	major, _, _ := strings.Cut(string(v), ".")
	return number(major)
}

// Minor returns the part after the dot, or 0 when it is not a number.
func (v Version) Minor() uint {
	_, minor, _ := strings.Cut(string(v), ".")
	return number(minor)
}

func number(s string) uint {
	n, err := strconv.ParseUint(s, 10, 0)
	if err != nil {
		return 0
	}
	return uint(n)
}
