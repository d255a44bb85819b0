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
	// base is the file that the writer continues, if any.
	base seen
	// beside are other files of the upload that were there when the writer was opened. They end with it.
	beside []seen
	// committed is the content at path that the writer continues, if any.
	committed version
}

// seen is an upload's file as a writer found it when it was opened. When it has another name since, or more
// bytes, another writer has gone on with it.
type seen struct {
	state
	size int64
}

func (s seen) String() string { return fmt.Sprintf("%s:%d", s.state, s.size) }

func parseSeen(text string) (s seen, ok bool) {
	name, size, _ := strings.Cut(text, ":")
	s.state, ok = parseState(name)
	var err error
	s.size, err = strconv.ParseInt(size, 10, 64)
	return s, ok && err == nil
}

// version tells the content of a path from what replaced it.
type version struct {
	size, modTime int64 // modTime in nanoseconds since 1970; zero: no version
}

func versionOf(info fs.FileInfo) version { return version{info.Size(), info.ModTime().UnixNano()} }

// String is what the caller keeps: fields that have no "," in them.
func (t token) String() string {
	var files []string
	for _, f := range t.files() {
		files = append(files, f.String())
	}
	return fmt.Sprintf("1,%s,%s,%d,%d,%s", t.session, strings.Join(files, "+"), t.committed.size, t.committed.modTime, t.path)
}

// files are the upload's when the writer was opened.
func (t token) files() []seen {
	if t.base == (seen{}) {
		return nil
	}
	return append([]seen{t.base}, t.beside...)
}

func parseToken(s string) (token, error) {
	bad := storagedriver.NewError(storagedriver.KindInvalidArgument, "not a token of this driver")
	fields := strings.SplitN(s, ",", 6)
	if len(fields) != 6 || fields[0] != "1" || !isSession(fields[1]) || storagedriver.ValidatePrivatePath(fields[5]) != nil {
		return token{}, bad
	}
	t := token{session: fields[1], path: fields[5]}
	if fields[2] != "" {
		for i, text := range strings.Split(fields[2], "+") {
			f, ok := parseSeen(text)
			switch {
			case !ok:
				return token{}, bad
			case i == 0:
				t.base = f
			default:
				t.beside = append(t.beside, f)
			}
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

// state is the name of an upload's file: SESSION-LAST-LENGTH-SYNCED. The session is the writer that
// goes on with it; length bytes are durable, the last part among them begins at last, and they
// became so at synced, in milliseconds since 1970. What the file has beyond them counts for that writer alone.
type state struct {
	session              string
	last, length, synced int64
}

func (s state) String() string {
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
