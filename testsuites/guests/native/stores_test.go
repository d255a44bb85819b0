package native_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guests/native"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const partSize = 256 << 10

// masked is a driver on the store "under". With transform it keeps content masked there, a byte for a byte.
type masked struct {
	berth.Unimplemented
	transform bool
	// refuse is what Committing answers.
	refuse error
}

const mask = 0x5a

func under(c *berth.Call) *berth.Store { return c.Store("under") }

func (d *masked) Stat(c *berth.Call, path string) (berth.Entry, error) { return under(c).Stat(path) }

func (d *masked) List(c *berth.Call, path, cursor string, limit int) (berth.Page, error) {
	return under(c).List(path, cursor, limit)
}

func (d *masked) Read(c *berth.Call, path string, offset, length int64) (berth.Content, error) {
	if !d.transform {
		return under(c).Read(path, offset, length)
	}
	e, err := under(c).Stat(path)
	switch {
	case err != nil:
		return berth.Content{}, err
	case e.Dir:
		return berth.Content{}, berth.NewError(berth.KindNotFound, "a directory")
	case offset > e.Size:
		return berth.Content{}, berth.NewError(berth.KindInvalidOffset, "beyond the end")
	}
	n := e.Size - offset
	if length >= 0 {
		n = min(n, length)
	}
	skip := offset % 1000 // frames of 1,000 bytes
	return berth.Content{Length: n, Skip: skip, State: []byte(strconv.FormatInt(offset-skip, 10))}, nil
}

// Stream's state of an upload is its offset: the mask of a byte depends on that.
func (d *masked) Stream(c *berth.Call, path string, state []byte, body *berth.Stream, out *berth.Output) ([]byte, error) {
	offset, _ := strconv.ParseInt(string(state), 10, 64)
	if body == nil {
		content, err := under(c).Read(path, offset, -1)
		if err != nil || content.Body == nil {
			return nil, err
		}
		body = content.Body
	}
	buf := make([]byte, 10_000)
	for {
		n, err := body.Read(buf)
		for i := range buf[:n] {
			buf[i] ^= mask ^ byte(offset+int64(i))
		}
		offset += int64(n)
		if _, werr := out.Write(buf[:n]); werr != nil {
			return nil, werr
		}
		if err == io.EOF {
			return []byte(strconv.FormatInt(offset, 10)), nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (d *masked) Put(c *berth.Call, path string, body *berth.Stream) error {
	if !d.transform {
		return under(c).PutStreams(path, body)
	}
	sink, err := under(c).Begin(path)
	if err != nil {
		return err
	}
	defer sink.Close()
	if _, err := d.Stream(c, path, nil, body, berth.NewOutput(sinkOf{sink})); err != nil {
		return err
	}
	return sink.Finish()
}

type sinkOf struct{ *berth.StoreSink }

func (d *masked) Delete(c *berth.Call, path string) error     { return under(c).Delete(path) }
func (d *masked) DeleteTree(c *berth.Call, path string) error { return under(c).DeleteTree(path) }
func (d *masked) Move(c *berth.Call, source, dest string) error {
	return under(c).Move(source, dest)
}

func (d *masked) OpenUpload(_ *berth.Call, path string, _ bool, _ *berth.Receipts) (berth.Upload, error) {
	return berth.Upload{Delegate: berth.Delegate{Store: "under", Path: path, Transform: d.transform}}, nil
}

func (d *masked) AbortUploads(c *berth.Call, path string) error { return under(c).AbortUploads(path) }

func (d *masked) Committing(*berth.Call, string, int64, []byte, *berth.Output) error { return d.refuse }

const maskedAbilities = berth.AbilityMove | berth.AbilityMoveTree | berth.AbilityDeleteTree | berth.AbilityParts

// onMemory opens d on storage that stays.
func onMemory(d *masked) storagedriver.OpenFunc {
	memory := layers.Complete(inmemory.New())
	config := native.Config{Granted: map[string]storagedriver.StorageDriver{"under": memory}}
	return config.Open(berth.Manifest{Name: "masked"}, func(c *berth.Call, _ []byte) (berth.Driver, berth.Abilities, int64, error) {
		info, err := c.Store("under").Info()
		return d, maskedAbilities | info.Abilities&berth.AbilityFilesUnderFiles, info.MaxObject, err
	})
}

func complete(t interface {
	Helper()
	Context() context.Context
	Fatalf(string, ...any)
}, open storagedriver.OpenFunc, options ...layers.Option) storagedriver.StorageDriver {
	t.Helper()
	b, err := open(t.Context(), nil)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return layers.Complete(b, append(options, layers.WithPartSize(partSize))...)
}

func TestDriversOnStoresConformNatively(t *testing.T) {
	open := onMemory(&masked{})
	testsuites.RegisterInProcessSuite(t, func(t testsuites.T) storagedriver.StorageDriver { return complete(t, open) },
		testsuites.Configure(func(h *testsuites.Harness) {
			h.PartSize, h.Parallel = partSize, 4
			h.NewWithBudget = func(t testsuites.T, bytes int64) storagedriver.StorageDriver {
				return complete(t, open, layers.WithBudget(chunked.NewBudget(bytes)))
			}
		}))
}

func TestContentOfAStoreIsTransformed(t *testing.T) {
	memory := layers.Complete(inmemory.New())
	config := native.Config{Granted: map[string]storagedriver.StorageDriver{"under": memory}}
	d := &masked{transform: true}
	b, err := config.Open(berth.Manifest{Name: "masked"}, func(*berth.Call, []byte) (berth.Driver, berth.Abilities, int64, error) {
		return d, maskedAbilities, 0, nil
	})(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	top := layers.Complete(b, layers.WithPartSize(partSize))
	defer top.Close()
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	w, err := top.Writer(t.Context(), "/a", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	d.refuse = berth.NewError(berth.KindConflict, "not now")
	if err := w.Commit(t.Context()); storagedriver.KindOf(err) != storagedriver.KindConflict {
		t.Fatalf("Commit when the driver refuses: %v", err)
	}
	if _, err := top.Stat(t.Context(), "/a"); storagedriver.KindOf(err) != storagedriver.KindNotFound {
		t.Fatalf("Stat of what was refused: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	d.refuse = nil
	if w, err = top.Writer(t.Context(), "/a", true); err != nil || w.Size() != int64(len(content)) {
		t.Fatalf("continued with %d bytes, %v", w.Size(), err)
	}
	if err := errors.Join(w.Commit(t.Context()), w.Close()); err != nil {
		t.Fatal(err)
	}
	kept, err := memory.GetContent(t.Context(), "/a")
	if err != nil {
		t.Fatal(err)
	}
	for i := range kept {
		kept[i] ^= mask ^ byte(i)
	}
	if !bytes.Equal(kept, content) {
		t.Errorf("the store has %d bytes that are not the content, masked", len(kept))
	}
	names, err := memory.List(t.Context(), "/")
	if err != nil || len(names) != 1 {
		t.Errorf("the store has %v, %v, want nothing but the content", names, err)
	}
	for _, offset := range []int64{0, 1, 999, 1000, 500_001, 999_999, 1_000_000} {
		r, err := top.Reader(t.Context(), "/a", offset)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, content[offset:]) {
			t.Errorf("from %d: %d bytes, %v", offset, len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAReaderThatIsDroppedEndsItsStream(t *testing.T) {
	top := complete(t, onMemory(&masked{transform: true}))
	defer top.Close()
	if err := top.PutContent(t.Context(), "/a", make([]byte, 3_000_000)); err != nil {
		t.Fatal(err)
	}
	r, err := top.Reader(t.Context(), "/a", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil { // goleak knows whether the stream has ended
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if r, err = top.Reader(ctx, "/a", 0); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("reading when the context has ended: %v", err)
	}
}
