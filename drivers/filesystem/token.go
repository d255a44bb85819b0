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
	// base is the state file that the writer continues, if any, and seen how many bytes it had when
	// the writer was opened: when it has more, another writer has gone on with it.
	base state
	seen int64
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
	return fmt.Sprintf("1,%s,%s,%d,%d,%d,%s", t.session, t.base, t.seen, t.committed.size, t.committed.modTime, t.path)
}

func parseToken(s string) (token, error) {
	bad := storagedriver.NewError(storagedriver.KindInvalidArgument, "not a token of this driver")
	fields := strings.SplitN(s, ",", 7)
	if len(fields) != 7 || fields[0] != "1" || !isSession(fields[1]) || storagedriver.ValidatePrivatePath(fields[6]) != nil {
		return token{}, bad
	}
	t := token{session: fields[1], path: fields[6]}
	if fields[2] != "" {
		var ok bool
		if t.base, ok = parseState(fields[2]); !ok {
			return token{}, bad
		}
	}
	var seenErr, sizeErr, timeErr error
	t.seen, seenErr = strconv.ParseInt(fields[3], 10, 64)
	t.committed.size, sizeErr = strconv.ParseInt(fields[4], 10, 64)
	t.committed.modTime, timeErr = strconv.ParseInt(fields[5], 10, 64)
	if errors.Join(seenErr, sizeErr, timeErr) != nil {
		return token{}, bad
	}
	return t, nil
}

// state is the name of an upload's file: SESSION-LAST-LENGTH-SYNCED. The session is the writer that
// goes on with it; length bytes are durable, the last part among them begins at last, and they
// became so at synced, in milliseconds since 1970. What the file has beyond them counts for that writer alone.
type state struct {
	session              string
	last, length, synced int64
}

func (s state) String() string {
	if s == (state{}) {
		return ""
	}
	return fmt.Sprintf("%s-%d-%d-%d", s.session, s.last, s.length, s.synced)
}

func parseState(name string) (state, bool) {
	fields := strings.Split(name, "-")
	if len(fields) != 4 || !isSession(fields[0]) {
		return state{}, false
	}
	last, lastErr := strconv.ParseUint(fields[1], 10, 63)
	length, lengthErr := strconv.ParseUint(fields[2], 10, 63)
	synced, syncedErr := strconv.ParseUint(fields[3], 10, 63)
	s := state{fields[0], int64(last), int64(length), int64(synced)}
	return s, errors.Join(lastErr, lengthErr, syncedErr) == nil && last <= length && s.String() == name
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
