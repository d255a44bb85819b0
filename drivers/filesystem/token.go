package filesystem

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// token names one writer of one upload. Every opening makes one, so that the writers of
// an upload can be told apart.
type token struct {
	session string
	path    string
	// base is the state file that the writer continues, if any.
	base state
	// committed is the content at path that the writer continues, if any.
	committed version
}

// version tells the content of a path from what replaced it.
type version struct {
	size, modTime int64 // modTime in nanoseconds since 1970; zero: no version
}

func versionOf(info fs.FileInfo) version { return version{info.Size(), info.ModTime().UnixNano()} }

// String is what the caller keeps: fields that have no "," in them.
func (t token) String() string {
	return fmt.Sprintf("1,%s,%s,%d,%d,%s", t.session, t.base, t.committed.size, t.committed.modTime, t.path)
}

func parseToken(s string) (token, error) {
	bad := storagedriver.NewError(storagedriver.KindInvalidArgument, "not a token of this driver")
	fields := strings.SplitN(s, ",", 6)
	if len(fields) != 6 || fields[0] != "1" || !isSession(fields[1]) || storagedriver.ValidatePrivatePath(fields[5]) != nil {
		return token{}, bad
	}
	t := token{session: fields[1], path: fields[5]}
	if fields[2] != "" {
		var ok bool
		if t.base, ok = parseState(fields[2]); !ok {
			return token{}, bad
		}
	}
	var sizeErr, timeErr error
	t.committed.size, sizeErr = strconv.ParseInt(fields[3], 10, 64)
	t.committed.modTime, timeErr = strconv.ParseInt(fields[4], 10, 64)
	if errors.Join(sizeErr, timeErr) != nil {
		return token{}, bad
	}
	return t, nil
}

// state is the name of an upload's file: SESSION-LAST-LENGTH. The session is the writer that
// accepted the last part; that part begins at last; length bytes are durable, and what the file
// has beyond them does not count.
type state struct {
	session      string
	last, length int64
}

func (s state) String() string {
	if s == (state{}) {
		return ""
	}
	return fmt.Sprintf("%s-%d-%d", s.session, s.last, s.length)
}

func parseState(name string) (state, bool) {
	fields := strings.Split(name, "-")
	if len(fields) != 3 || !isSession(fields[0]) {
		return state{}, false
	}
	last, lastErr := strconv.ParseUint(fields[1], 10, 63)
	length, lengthErr := strconv.ParseUint(fields[2], 10, 63)
	s := state{fields[0], int64(last), int64(length)}
	return s, lastErr == nil && lengthErr == nil && last <= length && s.String() == name
}

// isSession reports whether s is like rand.Text.
func isSession(s string) bool {
	for i := range len(s) {
		if !('A' <= s[i] && s[i] <= 'Z' || '2' <= s[i] && s[i] <= '7') {
			return false
		}
	}
	return len(s) >= 26 && len(s) <= 64
}

// uploadDir returns the name of the directory that holds the uploads to path.
func uploadDir(path string) string { return rel(path) + storagedriver.PrivateMark }

// freshName is the file of a writer whose first part is not accepted yet. It is no state, so
// nobody resumes it.
func freshName(session string) string { return session + freshSuffix }

const freshSuffix = ".new"
