package runtime_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
)

const delegatedPart = 64 << 10

// delegating opens the guest below a gate, on a store that outlives it.
func delegating(t *testing.T) (d, under storagedriver.StorageDriver, reopen func() storagedriver.StorageDriver) {
	t.Helper()
	small := layers.WithPartSize(delegatedPart)
	under = layers.Complete(inmemory.New(), small)
	reopen = func() storagedriver.StorageDriver {
		b, _ := granting(t, runtime.Config{}, under)
		return layers.Complete(b, small)
	}
	return reopen(), under, reopen
}

func write(t *testing.T, w storagedriver.FileWriter, content []byte) {
	t.Helper()
	n, err := w.Write(content)
	if ok(t, err, "Write"); n != len(content) {
		t.Fatalf("Write: want %d bytes taken, got %d", len(content), n)
	}
}

func TestADelegatedUploadIsOneOfTheStore(t *testing.T) {
	d, under, reopen := delegating(t)
	ctx, content := t.Context(), unique(5*delegatedPart+77)
	const path, dest = "/delegated/plain/a/b", "/in-store/a/b"
	w, err := d.Writer(ctx, path, false)
	ok(t, err, "Writer")
	write(t, w, content[:2*delegatedPart+5])
	ok(t, w.Close(), "Close")
	if n := uploadSize(t, under, dest); n != 2*delegatedPart+5 {
		t.Errorf("the store's upload: want %d bytes, got %d", 2*delegatedPart+5, n)
	}
	w, err = reopen().Writer(ctx, path, true) // another process
	if ok(t, err, "Writer"); w.Size() != 2*delegatedPart+5 {
		t.Fatalf("the resumed upload: want %d bytes, got %d", 2*delegatedPart+5, w.Size())
	}
	write(t, w, content[2*delegatedPart+5:])
	_, err = under.Stat(ctx, dest)
	wantKind(t, err, storagedriver.KindNotFound)
	ok(t, w.Commit(ctx), "Commit")
	ok(t, w.Close(), "Close")
	wantContent(t, under, dest, content)
}

func TestACancelledDelegatedUploadLeavesNothing(t *testing.T) {
	d, under, _ := delegating(t)
	w, err := d.Writer(t.Context(), "/delegated/plain/u", false)
	ok(t, err, "Writer")
	write(t, w, unique(3*delegatedPart))
	ok(t, w.Cancel(t.Context()), "Cancel")
	ok(t, w.Close(), "Close")
	if n := uploadSize(t, under, "/in-store/u"); n != 0 {
		t.Errorf("the store's upload: want none, got %d bytes", n)
	}
}

func TestAGuestMayPreventACommit(t *testing.T) {
	d, under, reopen := delegating(t)
	ctx, content := t.Context(), unique(300_000)
	const path = "/delegated/refused/u"
	w, err := d.Writer(ctx, path, false)
	ok(t, err, "Writer")
	write(t, w, content[:200_000])
	wantKind(t, w.Commit(ctx), storagedriver.KindPermission, "no "+path+" of kk")
	_, err = under.Stat(ctx, "/in-store/u")
	wantKind(t, err, storagedriver.KindNotFound)
	ok(t, w.Close(), "Close")
	w, err = reopen().Writer(ctx, path, true)
	if ok(t, err, "Writer"); w.Size() != 200_000 {
		t.Fatalf("the upload after a commit that was prevented: want 200000 bytes, got %d", w.Size())
	}
	write(t, w, content[200_000:])
	ok(t, errors.Join(w.Commit(ctx), w.Close()), "Commit and Close")
	wantContent(t, under, "/in-store/u", content)
}

func TestCloseSuspendsDelegatedUploads(t *testing.T) {
	under := layers.Complete(inmemory.New())
	b, _ := granting(t, runtime.Config{}, under)
	up, err := b.OpenUpload(t.Context(), "/delegated/plain/u", false)
	ok(t, err, "OpenUpload")
	part := storagedriver.Part{Number: 1, Body: storagedriver.BytesSource("content")}
	_, err = b.PutPart(t.Context(), up.Token, part)
	ok(t, err, "PutPart")
	ok(t, b.Close(), "Close")
	if n := uploadSize(t, under, "/in-store/u"); n != 7 {
		t.Errorf("the upload when the driver is closed: want 7 bytes, got %d", n)
	}
	// What is durable goes on in another process, with the token.
	next, _ := granting(t, runtime.Config{}, under)
	receipts := &storagedriver.Receipts{}
	receipts.Set(storagedriver.Receipt{Number: 1, Size: 7})
	ok(t, next.CommitUpload(t.Context(), up.Token, receipts, storagedriver.BytesSource(" and more")), "CommitUpload")
	wantContent(t, under, "/in-store/u", []byte("content and more"))
	none, _, _ := open(t, runtime.Config{}, nil)
	_, err = none.PutPart(t.Context(), up.Token, part)
	wantKind(t, err, storagedriver.KindDenied, `the store "under" is not granted`)
}

func TestDelegationsThatCannotBeAreTheGuestsFault(t *testing.T) {
	for kind, says := range map[string]string{
		"unknown":  `the store "missing" is not granted: the driver's configuration would have to name it under stores; it grants under`,
		"both":     `it delegates the upload to the store "under" and answers with one of its own`,
		"path":     `it delegates the upload to "/../u"`,
		"nameless": "no store",
		"forged":   `a token that begins with "~store:"`,
	} {
		t.Run(kind, func(t *testing.T) {
			b, _ := granting(t, runtime.Config{}, memory())
			_, err := b.OpenUpload(t.Context(), "/delegated/"+kind+"/u", false)
			wantKind(t, err, storagedriver.KindGuest, "upload_open", says)
		})
	}
}

func TestTokensOfDelegatedUploads(t *testing.T) {
	b, _ := granting(t, runtime.Config{}, memory())
	ctx := t.Context()
	long := "/delegated/plain" + strings.Repeat("/"+strings.Repeat("x", 200), 4)
	long += "/" + strings.Repeat("y", storagedriver.MaxPath-len(long)-1)
	up, err := b.OpenUpload(ctx, long, false)
	if ok(t, err, "OpenUpload of the longest path"); len(up.Token) > storagedriver.MaxToken {
		t.Errorf("a token of %d bytes, more than %d", len(up.Token), storagedriver.MaxToken)
	}
	ok(t, b.CancelUpload(ctx, up.Token), "CancelUpload")
	for _, token := range []string{
		"~store:", "~store:under:plain:1", "~store:under:plain:x:/a:nABC/a", "~store:under:plain:99:/a:nABC/a",
		"~store:under:other:2::nABC/a", "~store:under:plain:1:b:nABC/a", "~store:under:plain:-1:/a:nABC/a",
	} {
		_, err := b.PutPart(ctx, token, storagedriver.Part{Number: 1, Body: storagedriver.BytesSource("x")})
		wantKind(t, err, storagedriver.KindInvalidArgument, "not a delegated upload's token")
		wantKind(t, b.SuspendUpload(ctx, token, nil, nil), storagedriver.KindInvalidArgument)
		wantKind(t, b.CommitUpload(ctx, token, nil, nil), storagedriver.KindInvalidArgument)
		wantKind(t, b.CancelUpload(ctx, token), storagedriver.KindInvalidArgument)
	}
	wantKind(t, b.CancelUpload(ctx, "~store:gone:plain:2::nABC/a"), storagedriver.KindDenied, `the store "gone" is not granted`)
}

// TestACommitDoesNotWaitForCallsThatWaitForIt has the one instance wait for the memory that an upload has which is about to be committed.
func TestACommitDoesNotWaitForCallsThatWaitForIt(t *testing.T) {
	budget := chunked.NewBudget(delegatedPart)
	under := layers.Complete(inmemory.New(), layers.WithPartSize(delegatedPart), layers.WithBudget(budget))
	b, m := granting(t, runtime.Config{MaxInstances: 1}, under)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	up, err := b.OpenUpload(ctx, "/delegated/plain/u", false)
	ok(t, err, "OpenUpload")
	_, err = b.PutPart(ctx, up.Token, storagedriver.Part{Number: 1, Body: storagedriver.BytesSource("content")})
	ok(t, err, "PutPart")
	if budget.InUse() != delegatedPart {
		t.Fatalf("want the upload to have all of the budget, it has %d bytes", budget.InUse())
	}
	put := make(chan error, 1)
	go func() { put <- b.Put(ctx, "put under /f", storagedriver.BytesSource(unique(largePut))) }()
	eventually(t, "the put has the instance", func() bool { return m.Stats().ByOp["put"] == 1 })
	receipts := &storagedriver.Receipts{}
	receipts.Set(storagedriver.Receipt{Number: 1, Size: 7})
	ok(t, b.CommitUpload(ctx, up.Token, receipts, nil), "CommitUpload")
	ok(t, <-put, "put")
	wantContent(t, under, "/in-store/u", []byte("content"))
	wantContent(t, under, "/f", unique(largePut))
}
