//go:build servers

package s3_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	distributiondriver "github.com/distribution/distribution/v3/registry/storage/driver"
	distribution "github.com/distribution/distribution/v3/registry/storage/driver/s3-aws"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/s3"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/testsuites/servers"
)

func TestAdoptsOnVersitygw(t *testing.T) {
	adopts(t, servers.StartS3(t, "versitygw", "BERTH_VERSITYGW"), map[string]any{"filesunderfiles": "refused"})
}

func TestAdoptsOnMinio(t *testing.T) {
	adopts(t, servers.StartS3(t, "minio", "BERTH_MINIO"), map[string]any{"filesunderfiles": "checked"})
}

// begun is an upload that distribution has begun and closed.
type begun struct {
	service      *servers.Watched
	theirs       distributiondriver.StorageDriver
	ours         storagedriver.StorageDriver
	path, folder string
	content      []byte
}

// key is that of the content: there is no root directory.
func (b *begun) key() string { return b.path[1:] }

// adopts has distribution's own driver begin uploads, in parts of one size or another, and ours go on with them, commit them
// as they are, and end them.
func adopts(t *testing.T, service servers.S3, more map[string]any) {
	watched := servers.Watch(t, service)
	parameters := on(t, watched.S3, more)
	ours, err := factory.FromOpen(s3.Name, s3.Open).Create(t.Context(), parameters)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	const mib = 1 << 20
	for _, c := range []struct{ size, chunk int }{
		{0, 5 * mib}, {1, 5 * mib}, {5*mib - 1, 5 * mib}, {5 * mib, 5 * mib}, {10 * mib, 5 * mib}, {10*mib + 1, 5 * mib}, {27 * mib, 5 * mib},
		{12 * mib, 10 * mib}, {27 * mib, 10 * mib},
	} {
		for what, check := range map[string]func(*testing.T, *begun){
			"goes on": goesOn, "is committed": isCommitted, "is cancelled": isCancelled, "is deleted": isDeleted,
		} {
			t.Run(fmt.Sprintf("%d in parts of %d %s", c.size, c.chunk, what), func(t *testing.T) {
				folder := fmt.Sprintf("/uploads/%d-%d-%s", c.size, c.chunk, strings.ReplaceAll(what, " ", "-"))
				b := &begun{service: watched, theirs: theirs(t, parameters, c.chunk), ours: ours, folder: folder, path: folder + "/data", content: someBytes(c.size)}
				b.begin(t)
				check(t, b)
				if c.size == 0 { // nothing to go on with: it lies there until its path is deleted
					isDeleted(t, b)
				}
				if left := watched.UploadsLeft(t, bucket); len(left) > 0 {
					t.Errorf("want no multipart upload left, got those to %q", left)
				}
				for key := range watched.Objects(t, bucket) {
					t.Errorf("want nothing left, got the object %s", key)
					_ = ours.Delete(t.Context(), "/"+key)
				}
			})
		}
	}
}

// theirs is distribution's driver on the same bucket.
func theirs(t *testing.T, parameters map[string]any, chunk int) distributiondriver.StorageDriver {
	t.Helper()
	p := maps.Clone(parameters)
	p["chunksize"] = chunk
	d, err := distribution.FromParameters(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func someBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 20)}).Read(b) // it does not fail
	return b
}

// begin has distribution write the content, a mebibyte at a time, and close it.
func (b *begun) begin(t *testing.T) {
	t.Helper()
	w, err := b.theirs.Writer(t.Context(), b.path, false)
	if err != nil {
		t.Fatal(err)
	}
	for rest := b.content; len(rest) > 0; {
		n := min(len(rest), 1<<20)
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// open opens it with ours, which must find as many bytes as there are.
func (b *begun) open(t *testing.T) storagedriver.FileWriter {
	t.Helper()
	w, err := b.ours.Writer(t.Context(), b.path, true)
	if err != nil {
		t.Fatal(err)
	}
	if w.Size() != int64(len(b.content)) {
		t.Fatalf("want a writer of %d bytes, got one of %d", len(b.content), w.Size())
	}
	return w
}

// wantTheirSize demands that distribution finds as many bytes.
func (b *begun) wantTheirSize(t *testing.T) {
	t.Helper()
	w, err := b.theirs.Writer(t.Context(), b.path, true)
	if err != nil {
		t.Fatal(err)
	}
	if w.Size() != int64(len(b.content)) {
		t.Fatalf("want distribution's writer of %d bytes, got one of %d", len(b.content), w.Size())
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func (b *begun) write(t *testing.T, w storagedriver.FileWriter, n int) {
	t.Helper()
	more := someBytes(n)
	if _, err := w.Write(more); err != nil {
		t.Fatal(err)
	}
	b.content = append(b.content, more...)
}

func (b *begun) commit(t *testing.T, w storagedriver.FileWriter) {
	t.Helper()
	if err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := b.ours.Reader(t.Context(), b.path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, b.content) {
		t.Fatalf("want the %d bytes written, got %d other ones, %v", len(b.content), len(got), err)
	}
	for key := range b.service.Objects(t, bucket) {
		if key != b.key() {
			t.Errorf("want nothing beside the content, got the object %s", key)
		}
	}
	if err := b.ours.Delete(t.Context(), b.folder); err != nil {
		t.Fatal(err)
	}
}

// goesOn: ours suspends it with a little more, and commits it with a part more.
func goesOn(t *testing.T, b *begun) {
	b.wantTheirSize(t)
	w := b.open(t)
	b.write(t, w, 1000)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = b.open(t)
	b.write(t, w, 6<<20+1)
	b.commit(t, w)
}

func isCommitted(t *testing.T, b *begun) {
	w := b.open(t)
	if err := w.Close(); err != nil { // with no more bytes
		t.Fatal(err)
	}
	b.commit(t, b.open(t))
}

func isCancelled(t *testing.T, b *begun) {
	w := b.open(t)
	if err := w.Cancel(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func isDeleted(t *testing.T, b *begun) {
	if err := b.ours.Delete(t.Context(), b.path); err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound {
		t.Fatal(err)
	}
}
