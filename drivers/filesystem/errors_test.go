package filesystem

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"reflect"
	"syscall"
	"testing"

	"github.com/berth-dev/storagedriver"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err         error
		read, write storagedriver.Kind
		temporary   bool
	}{
		{syscall.ENOENT, storagedriver.KindNotFound, storagedriver.KindNotFound, false},
		{syscall.ENOTDIR, storagedriver.KindNotFound, storagedriver.KindInvalidPath, false},
		{syscall.EISDIR, storagedriver.KindNotFound, storagedriver.KindInvalidPath, false},
		{syscall.ENOTEMPTY, storagedriver.KindInvalidPath, storagedriver.KindInvalidPath, false},
		{syscall.ENAMETOOLONG, storagedriver.KindNotFound, storagedriver.KindInvalidPath, false},
		{syscall.EACCES, storagedriver.KindPermission, storagedriver.KindPermission, false},
		{syscall.EPERM, storagedriver.KindPermission, storagedriver.KindPermission, false},
		{syscall.EROFS, storagedriver.KindPermission, storagedriver.KindPermission, false},
		{syscall.ENOSPC, storagedriver.KindNoSpace, storagedriver.KindNoSpace, false},
		{syscall.EDQUOT, storagedriver.KindNoSpace, storagedriver.KindNoSpace, false},
		{syscall.EMFILE, storagedriver.KindLimit, storagedriver.KindLimit, true},
		{syscall.ESTALE, storagedriver.KindUnavailable, storagedriver.KindUnavailable, true},
		{syscall.EIO, storagedriver.KindUnknown, storagedriver.KindUnknown, false},
		{fs.ErrClosed, storagedriver.KindClosed, storagedriver.KindClosed, false},
		{context.Canceled, storagedriver.KindCanceled, storagedriver.KindCanceled, false},
		{conflict("x"), storagedriver.KindConflict, storagedriver.KindConflict, false},
	} {
		for u, want := range map[use]storagedriver.Kind{reading: c.read, writing: c.write} {
			for _, err := range []error{c.err, &os.PathError{Op: "open", Path: "a", Err: c.err}} {
				got := classify(err, u)
				if storagedriver.KindOf(got) != want || storagedriver.IsTemporary(got) != c.temporary || !errors.Is(got, c.err) && c.err != fs.ErrClosed {
					t.Errorf("classify(%v, writing %v): %v, temporary %v; want %v", err, u, got, storagedriver.IsTemporary(got), want)
				}
			}
		}
	}
	if classify(nil, reading) != nil {
		t.Error("no error became one")
	}
}

func FuzzTokens(f *testing.F) {
	f.Add(token{session: freshSession, path: "/a/b~"}.String())
	f.Add(token{session: freshSession, path: "/a", base: seen{state{freshSession, 1, 2, 3}, 4}, beside: []seen{{state{freshSession, 0, 1, 2}, 3}}, committed: version{3, -4}}.String())
	f.Add("1,,,,")
	f.Fuzz(func(t *testing.T, s string) {
		if parsed, err := parseToken(s); err == nil {
			again, err := parseToken(parsed.String())
			if err != nil || !reflect.DeepEqual(again, parsed) {
				t.Errorf("%q: %+v, then %+v, %v", s, parsed, again, err)
			}
			if storagedriver.ValidatePrivatePath(parsed.path) != nil {
				t.Errorf("%q names %q", s, parsed.path)
			}
		}
		if parsed, ok := parseState(s); ok && (parsed.String() != s || parsed.last > parsed.length) {
			t.Errorf("state %q: %+v", s, parsed)
		}
	})
}

const freshSession = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
