package storagedriver

import (
	"regexp"
	"strings"
)

// PathRegexp is what a public path matches, as in distribution: absolute, of one or more
// components of letters, digits, ".", "_" and "-".
var PathRegexp = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)

// PrivateMark is the byte that every private name contains and no public name can.
const PrivateMark = "~"

// MaxPath is the most bytes a path may have: the longest that distribution makes for a
// repository name of 255 bytes, doubled.
const MaxPath = 1024

// ValidatePath returns KindInvalidPath unless path matches PathRegexp, has no "." or
// ".." component, and is at most MaxPath bytes.
func ValidatePath(path string) error {
	switch {
	case len(path) > MaxPath:
		return Errorf(KindInvalidPath, "the path has %d bytes, more than %d", len(path), MaxPath)
	case !cleanPath(path, isPublic):
		return NewError(KindInvalidPath, "a path is /-separated components of letters, digits, '.', '_' and '-', none of them '.' or '..'")
	}
	return nil
}

// ValidatePrivatePath is ValidatePath for a Backend's callers: PrivateMark is allowed.
func ValidatePrivatePath(path string) error {
	if len(path) > 2*MaxPath || !cleanPath(path, func(c byte) bool { return isPublic(c) || c == PrivateMark[0] }) {
		return NewError(KindInvalidPath, "not a path of this store")
	}
	return nil
}

// IsPrivate reports whether a name or path is private.
func IsPrivate(name string) bool { return strings.Contains(name, PrivateMark) }

// cleanPath is PathRegexp without a regular expression: it runs at every call.
func cleanPath(path string, allowed func(byte) bool) bool {
	if len(path) < 2 || path[0] != '/' {
		return false
	}
	start := 1
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			if !allowed(path[i]) {
				return false
			}
			continue
		}
		switch path[start:i] {
		case "", ".", "..":
			return false
		}
		start = i + 1
	}
	return true
}

func isPublic(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}

// JoinPath returns the path of name in the directory at dir, which may be "/".
func JoinPath(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// ParentPath returns the directory that holds path, and path's last component.
func ParentPath(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return "/", strings.TrimPrefix(path, "/")
	}
	return path[:i], path[i+1:]
}

// IsBelow reports whether path lies strictly below the directory at dir.
func IsBelow(path, dir string) bool {
	if dir == "/" {
		return len(path) > 1 && path[0] == '/'
	}
	return len(path) > len(dir)+1 && path[len(dir)] == '/' && path[:len(dir)] == dir
}
