package fault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/layers/fault"
)

const everything = storagedriver.AbilityCopy | storagedriver.AbilityMove | storagedriver.AbilityConcat | storagedriver.AbilityParts |
	storagedriver.AbilityListTree | storagedriver.AbilityRedirect | storagedriver.AbilityDeleteTree | storagedriver.AbilityListUploads

// under returns a store and a backend over it that meets the rules.
func under(t testing.TB, rules ...string) (*chunkedtest.Memory, storagedriver.Backend, fault.Rules) {
	t.Helper()
	m, b, parsed := underAnything(t, rules...)
	t.Cleanup(func() {
		if b := m.Breaches(); len(b) > 0 {
			t.Errorf("the backend's contract was broken: %q", b)
		}
	})
	return m, b, parsed
}

// underAnything is under for rules that break the backend's contract.
func underAnything(t testing.TB, rules ...string) (*chunkedtest.Memory, storagedriver.Backend, fault.Rules) {
	t.Helper()
	parsed, err := fault.Parse(rules...)
	if err != nil {
		t.Fatal(err)
	}
	m := &chunkedtest.Memory{Can: everything}
	m.Set("/a/b", "0123456789")
	return m, fault.New(m, parsed), parsed
}

func wantCounts(t *testing.T, r *fault.Rule, seen, fired int64) {
	t.Helper()
	if r.Seen() != seen || r.Fired() != fired {
		t.Errorf("%q saw %d and fired %d times, want %d and %d", r, r.Seen(), r.Fired(), seen, fired)
	}
}

func read(t *testing.T, b storagedriver.Backend, path string) (string, error) {
	t.Helper()
	body, size, err := b.Read(t.Context(), path, 0, -1)
	if err != nil {
		return "", err
	}
	if size != 10 {
		t.Errorf("the promise is %d bytes, want 10 whatever comes", size)
	}
	got, err := io.ReadAll(body)
	if closeErr := body.Close(); closeErr != nil {
		t.Errorf("Close: %v", closeErr)
	}
	return string(got), err
}

// everyCall calls each method with a context once, with all that it needs.
func everyCall(ctx context.Context, b storagedriver.Backend) map[string]error {
	errs := map[string]error{}
	content := storagedriver.BytesSource("content")
	upload, err := b.OpenUpload(ctx, "/u", false)
	errs["OpenUpload"] = err
	token := upload.Token
	if err != nil {
		token = "token-1" // the one whose answer was lost
	}
	receipt, err := b.PutPart(ctx, token, storagedriver.Part{Number: 1, Body: content})
	errs["PutPart"] = err
	receipts := &storagedriver.Receipts{}
	if err == nil {
		receipts.Set(storagedriver.Receipt{Number: 1, Size: content.Size(), Data: receipt})
	}
	errs["SuspendUpload"] = b.SuspendUpload(ctx, token, receipts, nil)
	errs["CommitUpload"] = b.CommitUpload(ctx, token, receipts, nil)
	errs["CancelUpload"] = b.CancelUpload(ctx, token)
	errs["AbortUploads"] = b.AbortUploads(ctx, "/u")
	_, errs["ListUploads"] = b.ListUploads(ctx, "/", "", 10)
	_, errs["Stat"] = b.Stat(ctx, "/a/b")
	_, errs["List"] = b.List(ctx, "/a", "", 10)
	_, errs["ListTree"] = b.ListTree(ctx, "/a", "", "", 10)
	body, _, err := b.Read(ctx, "/a/b", 0, -1)
	if errs["Read"] = err; err == nil {
		_ = body.Close()
	}
	errs["Put"] = b.Put(ctx, "/p", content)
	errs["Copy"] = b.Copy(ctx, "/a/b", "/c")
	errs["Concat"] = b.Concat(ctx, "/d", []string{"/a/b"})
	errs["Move"] = b.Move(ctx, "/a/b", "/m")
	errs["Delete"] = b.Delete(ctx, "/m")
	errs["DeleteTree"] = b.DeleteTree(ctx, "/a")
	_, errs["Redirect"] = b.Redirect(ctx, "/a", storagedriver.RedirectOptions{})
	return errs
}

func TestEveryOperationFailsAfterItsEffect(t *testing.T) {
	_, b, _ := under(t, "slow 1ns on *")
	for op, err := range everyCall(t.Context(), b) {
		if err != nil {
			t.Errorf("%s without a failure: %v", op, err)
		}
		t.Run(op, func(t *testing.T) {
			m, b, rules := under(t, "fail after conflict temporary retry-after 3s on "+op+" call 1")
			err := everyCall(t.Context(), b)[op]
			var e *storagedriver.Error
			if !errors.As(err, &e) || e.Kind != storagedriver.KindConflict || !e.Temporary || e.RetryAfter != 3*time.Second ||
				!strings.Contains(err.Error(), rules.String()) {
				t.Errorf("%s: %v, want the rule's conflict", op, err)
			}
			wantCounts(t, rules[0], 1, 1)
			if m.Calls(op) != 1 {
				t.Errorf("%s reached the backend %d times, want once", op, m.Calls(op))
			}
		})
	}
}

func TestEveryOperationFailsBeforeItsEffect(t *testing.T) {
	m, b, rules := under(t, "fail before on *")
	for op, err := range everyCall(t.Context(), b) {
		if storagedriver.KindOf(err) != storagedriver.KindUnavailable || storagedriver.IsTemporary(err) || m.Calls(op) != 0 {
			t.Errorf("%s: %v and %d calls of the backend, want unavailable and none", op, err, m.Calls(op))
		}
	}
	wantCounts(t, rules[0], 18, 18)
	if err := b.Close(); err != nil || m.Calls("Close") != 1 {
		t.Errorf("Close: %v; it is not among *", err)
	}
}

func TestCloseFails(t *testing.T) {
	m, b, _ := under(t, "fail before permission-denied on Close call 1", "fail after on Close call 2")
	for i, want := range []storagedriver.Kind{storagedriver.KindPermission, storagedriver.KindUnavailable} {
		if err := b.Close(); storagedriver.KindOf(err) != want || m.Calls("Close") != i {
			t.Errorf("Close %d: %v after %d calls, want %v", i+1, err, m.Calls("Close"), want)
		}
	}
}

func TestHangEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, b, rules := under(t, "hang before on Delete", "hang after on Put", "hang body 4 on Read", "hang source 2 on PutPart")
		timed := func(f func(ctx context.Context) error) error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			begin := time.Now()
			err := f(ctx)
			if took := time.Since(begin); took != time.Hour {
				t.Errorf("it took %v, want it to hang for the hour", took)
			}
			return err
		}
		calls := map[string]func(ctx context.Context) error{
			"Delete": func(ctx context.Context) error { return b.Delete(ctx, "/a/b") },
			"Put":    func(ctx context.Context) error { return b.Put(ctx, "/p", storagedriver.BytesSource("new")) },
			"Read": func(ctx context.Context) error {
				body, _, err := b.Read(ctx, "/a/b", 0, -1)
				if err != nil {
					return err
				}
				defer body.Close()
				got, err := io.ReadAll(body)
				if string(got) != "0123" {
					t.Errorf("%q came before it hung", got)
				}
				return err
			},
			"PutPart": func(ctx context.Context) error {
				u, err := b.OpenUpload(ctx, "/u", false)
				if err != nil {
					return err
				}
				_, err = b.PutPart(ctx, u.Token, storagedriver.Part{Number: 1, Body: storagedriver.BytesSource("part")})
				return err
			},
		}
		for op, call := range calls {
			if err := timed(call); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", op, err)
			}
		}
		content := m.Content()
		if content["/p"] != "new" || content["/a/b"] == "" {
			t.Errorf("there is %q; the Put was done and the Delete was not", content)
		}
		for _, r := range rules {
			wantCounts(t, r, 1, 1)
		}
	})
}

func TestBodies(t *testing.T) {
	for rule, want := range map[string]struct {
		got   string
		err   error
		kind  storagedriver.Kind
		fired int64
	}{
		"truncate body 3 on Read":                {got: "012", fired: 1},
		"truncate body 3 unexpected-eof on Read": {got: "012", err: io.ErrUnexpectedEOF, fired: 1},
		"truncate body 0 on Read":                {fired: 1},
		"truncate body 9 on Read":                {got: "012345678", fired: 1},
		"truncate body 10 on Read":               {got: "0123456789"},
		"truncate body 11 on Read":               {got: "0123456789"},
		"corrupt body 0 on Read":                 {got: "1123456789", fired: 1},
		"corrupt body 9 on Read":                 {got: "0123456788", fired: 1},
		"corrupt body 10 on Read":                {got: "0123456789"},
		"fail body 5 no-space on Read":           {got: "01234", kind: storagedriver.KindNoSpace, fired: 1},
	} {
		_, b, rules := under(t, rule)
		got, err := read(t, b, "/a/b")
		if got != want.got || want.err != nil && err != want.err || storagedriver.KindOf(err) != want.kind ||
			err != nil && want.err == nil && want.kind == 0 {
			t.Errorf("%q: %q and %v, want %q and %v %v", rule, got, err, want.got, want.kind, want.err)
		}
		wantCounts(t, rules[0], 1, want.fired)
	}
}

func TestSources(t *testing.T) {
	m, b, _ := underAnything(t, "corrupt source 1 on Put call 1", "fail source 2 on Put call 2", "truncate source 2 on Put calls 3-")
	put := func() error { return b.Put(t.Context(), "/p", storagedriver.BytesSource("abcd")) }
	if err := put(); err != nil || m.Content()["/p"] != "accd" {
		t.Errorf("corrupted: %v, and %q is stored", err, m.Content()["/p"])
	}
	if err := put(); storagedriver.KindOf(err) != storagedriver.KindUnavailable || m.Content()["/p"] != "accd" {
		t.Errorf("failed: %v, and %q is stored", err, m.Content()["/p"])
	}
	// The length that is promised stays: it is for the backend to compare.
	if err := put(); storagedriver.KindOf(err) != storagedriver.KindCorrupt || m.Content()["/p"] != "accd" {
		t.Errorf("truncated: %v, and %q is stored", err, m.Content()["/p"])
	}
	if got := m.Breaches(); len(got) != 1 || got[0] != "a body of 2 bytes was said to have 4" {
		t.Errorf("breaches: %q", got)
	}
}

func TestTailOfAnUpload(t *testing.T) {
	m, b, rules := under(t, "truncate body 1 on OpenUpload")
	m.Limits.Min = 5
	for range 2 {
		u, err := b.OpenUpload(t.Context(), "/u", true)
		if err != nil {
			t.Fatal(err)
		}
		if u.Tail == nil {
			if err := b.SuspendUpload(t.Context(), u.Token, nil, storagedriver.BytesSource("tail")); err != nil {
				t.Fatal(err)
			}
			continue
		}
		body, err := u.Tail.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		_ = body.Close()
		if string(got) != "t" || err != nil || u.Tail.Size() != 4 {
			t.Errorf("the tail of %d bytes gives %q, %v", u.Tail.Size(), got, err)
		}
	}
	wantCounts(t, rules[0], 2, 1)
}

func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, b, rules := under(t, "slow 3s on Stat", "slow body 1000/s on Read")
		m.Set("/big", strings.Repeat("x", 5000))
		begin := time.Now()
		if _, err := b.Stat(t.Context(), "/a/b"); err != nil || time.Since(begin) != 3*time.Second {
			t.Errorf("Stat took %v: %v", time.Since(begin), err)
		}
		begin = time.Now()
		body, _, err := b.Read(t.Context(), "/big", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		_, err = got.ReadFrom(body)
		_ = body.Close()
		if took := time.Since(begin); err != nil || got.Len() != 5000 || took < 4900*time.Millisecond || took > 5100*time.Millisecond {
			t.Errorf("%d bytes at 1000/s took %v: %v", got.Len(), took, err)
		}
		wantCounts(t, rules[1], 1, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Stat(ctx, "/a/b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stat within a second: %v", err)
		}
	})
}

func TestStale(t *testing.T) {
	m, b, rules := under(t, "stale on List calls 2-3", "stale on Stat at /a/b")
	names := func() string {
		page, err := b.List(t.Context(), "/a", "", 10)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range page.Entries {
			names = append(names, e.Name)
		}
		return strings.Join(names, " ")
	}
	for i, want := range []string{"b", "b", "b c", "b c"} {
		if got := names(); got != want {
			t.Errorf("listing %d: %q, want %q", i+1, got, want)
		}
		m.Set("/a/c", "new")
	}
	wantCounts(t, rules[0], 4, 2)
	for i, want := range []int64{10, 10, 3} {
		if e, err := b.Stat(t.Context(), "/a/b"); err != nil || e.Size != want {
			t.Errorf("Stat %d: %d bytes (%v), want %d", i+1, e.Size, err, want)
		}
		m.Set("/a/b", "new")
	}
	if e, err := b.Stat(t.Context(), "/a/c"); err != nil || e.Size != 3 {
		t.Errorf("Stat of what the pattern is not about: %v, %v", e, err)
	}
}

func TestPatterns(t *testing.T) {
	for pattern, paths := range map[string]map[string]bool{
		"/a/b":     {"/a/b": true, "/a": false, "/a/b/c": false},
		"/*/b":     {"/a/b": true, "/c/b": true, "/b": false},
		"/**":      {"/": true, "/a": true, "/a/b~/c": true},
		"/**/c":    {"/c": true, "/a/c": true, "/a/b/c": true, "/a/b/c/d": false},
		"/a/**/c":  {"/a/c": true, "/a/x/y/c": true, "/a": false},
		"/**/x/**": {"/x": true, "/a/x/b": true, "/a/b": false},
		"/a*/[bc]": {"/abc/c": true, "/a/d": false},
		"/":        {"/": true, "/a": false},
	} {
		for path, want := range paths {
			_, b, rules := under(t, "fail before on Delete at "+pattern)
			if err := b.Delete(t.Context(), path); (rules[0].Fired() == 1) != want || want && err == nil {
				t.Errorf("%s and %s: %v, want a match %t", pattern, path, err, want)
			}
		}
	}
}

func TestPatternOfEitherSideAndOfUploads(t *testing.T) {
	_, b, rules := under(t, "slow 1ns on Move,Copy,Concat at /x", "slow 1ns on PutPart,CommitUpload at /u")
	ctx := t.Context()
	for _, err := range []error{
		b.Copy(ctx, "/a/b", "/x"), b.Copy(ctx, "/x", "/y"), b.Concat(ctx, "/z", []string{"/y", "/x"}), b.Move(ctx, "/x", "/w"), b.Move(ctx, "/w", "/v"),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	wantCounts(t, rules[0], 4, 4)
	for _, path := range []string{"/u", "/other"} {
		u, err := b.OpenUpload(ctx, path, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.PutPart(ctx, u.Token, storagedriver.Part{Number: 1, Body: storagedriver.BytesSource("x")}); err != nil {
			t.Error(err)
		}
		if err := b.CommitUpload(ctx, u.Token, &storagedriver.Receipts{}, storagedriver.BytesSource("x")); err != nil {
			t.Error(err)
		}
	}
	wantCounts(t, rules[1], 2, 2)
}

// TestRulesAreIndependent has two rules on one operation, of which the first ends the call.
func TestRulesAreIndependent(t *testing.T) {
	_, b, rules := under(t, "fail before conflict on Stat every 2", "fail before no-space on Stat calls 2-3")
	for i, want := range []storagedriver.Kind{0, storagedriver.KindConflict, storagedriver.KindNoSpace, storagedriver.KindConflict} {
		if _, err := b.Stat(t.Context(), "/a/b"); storagedriver.KindOf(err) != want {
			t.Errorf("Stat %d: %v, want %v", i+1, err, want)
		}
	}
	wantCounts(t, rules[0], 4, 2)
	wantCounts(t, rules[1], 4, 1)
}

func TestConcurrently(t *testing.T) {
	_, b, rules := under(t, "fail before on Stat every 5", "stale on *", "corrupt body 1 on Read")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				_, _ = b.Stat(t.Context(), "/a/b")
				_, _ = b.List(t.Context(), "/a", "", 10)
				if got, err := read(t, b, "/a/b"); got != "0023456789" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
	wantCounts(t, rules[0], 400, 80)
	wantCounts(t, rules[2], 400, 400)
}

func TestWithoutRulesNothingIsInTheWay(t *testing.T) {
	m := &chunkedtest.Memory{Can: everything, MaxObject: 5}
	if fault.New(m, nil) != storagedriver.Backend(m) {
		t.Error("without rules another backend comes back")
	}
	rules, err := fault.Parse("hang before on Stat call 99")
	if err != nil {
		t.Fatal(err)
	}
	b := fault.New(m, rules)
	if b.Name() != "memory" || b.Capabilities() != m.Capabilities() {
		t.Errorf("%s with %v", b.Name(), b.Capabilities())
	}
}
