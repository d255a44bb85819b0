package served

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
)

// receiptsOf are those of parts of these sizes.
func receiptsOf(sizes ...int64) *storagedriver.Receipts {
	r := &storagedriver.Receipts{}
	at := int64(0)
	for i, size := range sizes {
		r.Set(storagedriver.Receipt{Number: i + 1, Offset: at, Size: size})
		at += size
	}
	return r
}

func part(number int, offset int64, content string) storagedriver.Part {
	return storagedriver.Part{Number: number, Offset: offset, Body: storagedriver.BytesSource(content)}
}

func opened(t *testing.T, s *backend, append bool) storagedriver.Upload {
	t.Helper()
	u, err := s.OpenUpload(t.Context(), "/u", append)
	ok(t, err, "OpenUpload")
	return u
}

func put(t *testing.T, s *backend, token string, p storagedriver.Part) {
	t.Helper()
	_, err := s.PutPart(t.Context(), token, p)
	ok(t, err, fmt.Sprintf("PutPart %d", p.Number))
}

func wantContent(t *testing.T, d storagedriver.StorageDriver, want string) {
	t.Helper()
	if got, err := d.GetContent(t.Context(), "/u"); string(got) != want || err != nil {
		t.Errorf("the content: want %q, got %q and %v", want, got, err)
	}
}

func TestARepeatedPartIsWrittenOnce(t *testing.T) {
	d, s := served(t)
	token := opened(t, s, false).Token
	put(t, s, token, part(1, 0, "one"))
	put(t, s, token, part(1, 0, "one"))
	_, err := s.PutPart(t.Context(), token, storagedriver.Part{Number: 2, Offset: 3, Body: promised{4, "tw"}})
	wantError(t, err, storagedriver.KindCorrupt, "ended after 2 of 4", "PutPart of half")
	put(t, s, token, part(2, 3, "two "))
	_, err = s.PutPart(t.Context(), token, part(4, 20, "x"))
	wantError(t, err, storagedriver.KindConflict, "has 7 bytes where it should have 20", "PutPart beyond the end")
	_, err = s.PutPart(t.Context(), token, part(1, 0, "one"))
	wantError(t, err, storagedriver.KindConflict, "has 7 bytes where it should have 0", "PutPart of an earlier part")
	for range 2 { // it may be repeated
		ok(t, s.SuspendUpload(t.Context(), token, receiptsOf(3, 4), storagedriver.BytesSource("tail")), "SuspendUpload")
	}
	u := opened(t, s, true)
	if all := u.Receipts.All(); !u.Resumed || len(all) != 1 || all[0].Number != 1 || all[0].Size != 11 || u.Tail != nil {
		t.Fatalf("the resumed upload: want one receipt of 11 bytes, got %+v and a tail of %v", all, u.Tail)
	}
	ok(t, s.CommitUpload(t.Context(), u.Token, receiptsOf(11), storagedriver.BytesSource(" end")), "CommitUpload")
	wantContent(t, d, "onetwo tail end")
	_, err = s.PutPart(t.Context(), u.Token, part(2, 15, "x"))
	wantError(t, err, storagedriver.KindConflict, "the upload has ended", "PutPart after the commit")
}

func TestAnUploadGoesOnInAnotherProcess(t *testing.T) {
	for name, c := range map[string]struct {
		stored string // by the first process
		offset int64
		part   string
		want   string // "" is a conflict
	}{
		"where it was":        {"one", 3, "two", "onetwo"},
		"after a lost answer": {"onetwo", 3, "two", "onetwo"},
		"after half of it":    {"onetw", 3, "two", "onetwo"},
		"what was lost":       {"one", 6, "more", ""},
		"behind another":      {"one and more", 3, "two", ""},
		"from the first part": {"on", 0, "one", "one"},
	} {
		t.Run(name, func(t *testing.T) {
			d, s := served(t)
			token := opened(t, s, false).Token
			put(t, s, token, part(1, 0, c.stored))
			ok(t, s.uploads.close(), "the end of the process")
			s = newBackend(d)
			_, err := s.PutPart(t.Context(), token, part(2, c.offset, c.part))
			if c.want == "" {
				wantError(t, err, storagedriver.KindConflict, "where it should have", "PutPart")
				return
			}
			ok(t, err, "PutPart")
			receipts := receiptsOf(int64(len(c.want)))
			ok(t, s.CommitUpload(t.Context(), token, receipts, nil), "CommitUpload")
			wantContent(t, d, c.want)
			ok(t, s.CancelUpload(t.Context(), token), "CancelUpload of what is over")
			wantContent(t, d, c.want)
			ok(t, s.uploads.close(), "the end of the second process")
		})
	}
	_, s := served(t)
	_, err := s.PutPart(t.Context(), "xyz/u", part(1, 0, "x"))
	wantError(t, err, storagedriver.KindInvalidArgument, "not an upload's token", "PutPart to no upload")
}

func TestATokenSaysItsPath(t *testing.T) {
	_, s := served(t)
	for _, path := range []string{"/u", "/a~/-.-b/c~d"} {
		u, err := s.OpenUpload(t.Context(), path, false)
		ok(t, err, "OpenUpload")
		got, err := UploadPath(u.Token)
		if ok(t, err, "UploadPath"); got != path {
			t.Errorf("UploadPath of an upload to %s: got %s", path, got)
		}
	}
	for _, token := range []string{"", "n/u", "xyz/u", "nxyz/~", "nxyz/-.-foreign"} {
		_, err := UploadPath(token)
		wantError(t, err, storagedriver.KindInvalidArgument, "not an upload's token", "UploadPath of "+token)
	}
}

func TestIdleAndManyWritersAreSuspended(t *testing.T) {
	for name, set := range map[string]func(u *uploads){
		"idle": func(u *uploads) { u.idle = time.Millisecond },
		"many": func(u *uploads) { u.most = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			d, s := served(t)
			set(s.uploads)
			token := opened(t, s, false).Token
			put(t, s, token, part(1, 0, "one"))
			for range 3 {
				_, err := s.OpenUpload(t.Context(), "/other", false)
				ok(t, err, "OpenUpload")
			}
			for size, deadline := int64(0), time.Now().Add(10*time.Second); size != 3; {
				w, err := d.Writer(t.Context(), "/u", true)
				ok(t, err, "Writer")
				size = w.Size()
				ok(t, w.Close(), "Close")
				if time.Now().After(deadline) {
					t.Fatalf("the upload was not suspended: it has %d bytes", size)
				}
			}
			put(t, s, token, part(2, 3, "two"))
			ok(t, s.CommitUpload(t.Context(), token, receiptsOf(3, 3), nil), "CommitUpload")
			wantContent(t, d, "onetwo")
		})
	}
}

func TestWhoAsksForTheSizeIsToldWhatWasAccepted(t *testing.T) {
	d, s := served(t)
	token := opened(t, s, false).Token
	put(t, s, token, part(1, 0, "one")) // and its host says no more
	if u := opened(t, s, true); u.Receipts.Len() != 1 || u.Receipts.All()[0].Size != 3 {
		t.Errorf("the size of an upload with an open writer: want 3, got %+v", u.Receipts.All())
	}
	put(t, s, token, part(2, 3, "two")) // it does
	ok(t, s.CommitUpload(t.Context(), token, receiptsOf(3, 3), nil), "CommitUpload")
	wantContent(t, d, "onetwo")
}

func TestAPartGoesToNoOthersUpload(t *testing.T) {
	d, s := served(t)
	token := opened(t, s, false).Token
	put(t, s, token, part(1, 0, "one"))
	other, err := d.Writer(t.Context(), "/u", true) // of 0 bytes: nothing is suspended
	ok(t, err, "Writer")
	opened(t, s, true) // suspends it
	_, err = other.Write([]byte("xyz"))
	ok(t, err, "Write")
	wantError(t, other.Close(), storagedriver.KindConflict, "", "Close of a writer that was overtaken")
	other, err = d.Writer(t.Context(), "/u", true)
	ok(t, err, "Writer")
	_, err = other.Write([]byte("xy"))
	ok(t, errors.Join(err, other.Close()), "Write and Close")
	// The size is in the part, but not what was left.
	_, err = s.PutPart(t.Context(), token, part(2, 3, "four"))
	wantError(t, err, storagedriver.KindConflict, "has 5 bytes where it should have 3", "PutPart")
	ok(t, s.CancelUpload(t.Context(), token), "CancelUpload")
	w, err := d.Writer(t.Context(), "/u", true)
	if ok(t, err, "Writer"); w.Size() != 5 {
		t.Errorf("the other's upload: want 5 bytes, got %d", w.Size())
	}
	ok(t, w.Close(), "Close")

	// One that was told so once does not go on with another's upload of the size that it had.
	token = opened(t, s, false).Token
	first, err := d.Writer(t.Context(), "/u", false)
	ok(t, err, "Writer")
	put(t, s, token, part(1, 0, "one"))
	_, err = first.Write([]byte("xyz"))
	ok(t, errors.Join(err, first.Close()), "Write and Close")
	opened(t, s, true) // closes it, which is a conflict or not
	_, err = s.PutPart(t.Context(), token, part(2, 3, "two"))
	if err == nil {
		ok(t, s.CommitUpload(t.Context(), token, receiptsOf(3, 3), nil), "CommitUpload")
		wantContent(t, d, "onetwo")
		return
	}
	wantError(t, err, storagedriver.KindConflict, "", "PutPart after a conflict")
}

func TestAbortUploadsEndsWhatIsUnderWay(t *testing.T) {
	d, s := served(t)
	token := opened(t, s, false).Token
	put(t, s, token, part(1, 0, "one"))
	below, err := s.OpenUpload(t.Context(), "/dir/u", false)
	ok(t, err, "OpenUpload")
	put(t, s, below.Token, part(1, 0, "below"))
	ok(t, s.AbortUploads(t.Context(), "/dir"), "AbortUploads of a directory")
	put(t, s, token, part(2, 3, "two"))
	ok(t, s.AbortUploads(t.Context(), "/u"), "AbortUploads")
	for _, token := range []string{token, below.Token} {
		_, err = s.PutPart(t.Context(), token, part(3, 6, "three"))
		wantError(t, err, storagedriver.KindConflict, "the upload was ended", "PutPart")
		ok(t, s.CancelUpload(t.Context(), token), "CancelUpload")
	}
	for _, path := range []string{"/u", "/dir/u"} {
		w, err := d.Writer(t.Context(), path, true)
		if ok(t, err, "Writer"); w.Size() != 0 {
			t.Errorf("what is left of the upload to %s: want nothing, got %d bytes", path, w.Size())
		}
		ok(t, w.Close(), "Close")
	}
	ok(t, s.AbortUploads(t.Context(), "/u/below/what/is/missing"), "AbortUploads of nothing")
	ok(t, d.PutContent(t.Context(), "/file", nil), "PutContent")
	ok(t, s.AbortUploads(t.Context(), "/file/below"), "AbortUploads below a file")
}

// slow is a driver whose writers wait in Write until their context ends, from the given size on.
type slow struct {
	storagedriver.StorageDriver
	from    int64
	waiting chan struct{}
}

func (d slow) Writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	w, err := d.StorageDriver.Writer(ctx, path, append)
	return slowWriter{w, d, ctx}, err
}

type slowWriter struct {
	storagedriver.FileWriter
	d   slow
	ctx context.Context
}

func (w slowWriter) Write(p []byte) (int, error) {
	if w.Size() < w.d.from {
		return w.FileWriter.Write(p)
	}
	w.d.waiting <- struct{}{}
	<-w.ctx.Done()
	return 0, w.ctx.Err()
}

func TestAPartWhoseContextEndsReturnsAndWhatWasAcceptedIsThere(t *testing.T) {
	d := layers.Complete(inmemory.New())
	waiting := make(chan struct{}, 1)
	s := newBackend(slow{d, 3, waiting})
	defer func() { ok(t, s.Close(), "Close") }()
	token := opened(t, s, false).Token
	put(t, s, token, part(1, 0, "one"))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-waiting
		cancel()
	}()
	_, err := s.PutPart(ctx, token, part(2, 3, "two"))
	wantError(t, err, storagedriver.KindCanceled, "", "PutPart whose context ends")
	if u := opened(t, s, true); u.Receipts.Len() != 1 || u.Receipts.All()[0].Size != 3 {
		t.Errorf("the size afterwards: want 3, got %+v", u.Receipts.All())
	}
	_, err = s.PutPart(ctx, token, part(2, 3, "two"))
	wantError(t, err, storagedriver.KindCanceled, "", "PutPart whose context has ended")
	ok(t, s.CommitUpload(t.Context(), token, receiptsOf(3), nil), "CommitUpload")
	wantContent(t, d, "one")
}

func TestCloseSuspendsWhatIsUnderWay(t *testing.T) {
	memory := inmemory.New()
	s := newBackend(layers.Complete(keptBackend{memory}))
	token := opened(t, s, false).Token
	put(t, s, token, part(1, 0, "one"))
	ok(t, s.Close(), "Close")
	d := layers.Complete(memory)
	next := newBackend(d)
	defer func() { ok(t, next.Close(), "Close") }()
	u := opened(t, next, true)
	ok(t, next.CommitUpload(t.Context(), u.Token, receiptsOf(3), nil), "CommitUpload")
	wantContent(t, d, "one")
}
