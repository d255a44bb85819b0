package adapt_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry/adapt"
)

// TestFailureIsWhatARequestMayBeRepeatedFor: a missing path explains nothing, and what passes comes before what does not.
func TestFailureIsWhatARequestMayBeRepeatedFor(t *testing.T) {
	kind := func(kind storagedriver.Kind, temporary bool) error {
		return &storagedriver.Error{Kind: kind, Temporary: temporary, Err: errors.New("cause")}
	}
	busy, full, refused := kind(storagedriver.KindUnavailable, true), kind(storagedriver.KindNoSpace, false), kind(storagedriver.KindPermission, false)
	for what, c := range map[string]struct {
		errs []error
		want error
	}{
		"nothing":                         {nil, nil},
		"what handlers understand":        {[]error{kind(storagedriver.KindNotFound, false), kind(storagedriver.KindInvalidPath, false), kind(storagedriver.KindUnsupported, false)}, nil},
		"the client is gone":              {[]error{kind(storagedriver.KindCanceled, false)}, nil},
		"a conflict":                      {[]error{kind(storagedriver.KindConflict, false)}, nil},
		"an object that is too large":     {[]error{kind(storagedriver.KindLimit, false)}, nil},
		"the last that passes":            {[]error{kind(storagedriver.KindDeadline, true), busy}, busy},
		"what passes, and then is full":   {[]error{busy, full, refused}, busy},
		"refused, and then full":          {[]error{refused, full, refused}, full},
		"refused":                         {[]error{refused, kind(storagedriver.KindNotFound, false)}, refused},
		"temporary, of another kind":      {[]error{kind(storagedriver.KindLimit, true)}, kind(storagedriver.KindLimit, true)},
		"unavailable, said to be lasting": {[]error{kind(storagedriver.KindUnavailable, false)}, kind(storagedriver.KindUnavailable, false)},
		"a deadline that is bare":         {[]error{context.DeadlineExceeded}, kind(storagedriver.KindDeadline, false)},
	} {
		ctx := adapt.WithRequest(t.Context())
		for _, err := range c.errs {
			_, _ = adapt.ToDistribution(failing{err: err}).Stat(ctx, "/a")
		}
		got := adapt.Failure(ctx)
		switch {
		case c.want == nil && got != nil:
			t.Errorf("%s: got %v, want nothing", what, got)
		case c.want != nil && (got == nil || got.Kind != storagedriver.KindOf(c.want) || got.Temporary != storagedriver.IsTemporary(c.want)):
			t.Errorf("%s: got %v, want %v", what, got, c.want)
		}
		adapt.EndRequest(ctx)
	}
	_, _ = adapt.ToDistribution(failing{err: busy}).Stat(t.Context(), "/a") // without a request nobody asks
	if got := adapt.Failure(t.Context()); got != nil {
		t.Errorf("without a request: got %v", got)
	}
}

// breaking gives a body that fails, and a writer that cannot be suspended.
type breaking struct {
	failing
	writer storagedriver.FileWriter
}

func (b breaking) Reader(context.Context, string, int64) (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(&brokenBody{err: b.err})), nil
}

func (b breaking) Writer(context.Context, string, bool) (storagedriver.FileWriter, error) {
	return unsuspended{b.writer, b.err}, nil
}

type brokenBody struct{ err error }

func (b *brokenBody) Read([]byte) (int, error) { return 0, b.err }

type unsuspended struct {
	storagedriver.FileWriter
	err error
}

func (u unsuspended) Close() error { return u.err }

func TestBodiesAndWritersTellTheirRequest(t *testing.T) {
	d := adapt.ToDistribution(breaking{failing: failing{err: storagedriver.NewError(storagedriver.KindUnavailable, "slow down")}})
	ctx := adapt.WithRequest(t.Context())
	r, err := d.Reader(ctx, "/a", 0)
	if err != nil || adapt.Failure(ctx) != nil {
		t.Fatalf("Reader: %v, failure %v", err, adapt.Failure(ctx))
	}
	if _, err := io.ReadAll(r); storagedriver.KindOf(err) != storagedriver.KindUnavailable || adapt.Failure(ctx) == nil {
		t.Errorf("Read: %v, failure %v", err, adapt.Failure(ctx))
	}
	ctx = adapt.WithRequest(t.Context())
	w, err := d.Writer(ctx, "/docker/registry/v2/repositories/a/_uploads/1/data", false)
	if err != nil {
		t.Fatal(err)
	}
	if err := adapt.Lost(ctx); err != nil {
		t.Errorf("bytes are lost before the writer is closed: %v", err)
	}
	if err := w.Close(); err == nil || storagedriver.KindOf(adapt.Lost(ctx)) != storagedriver.KindUnavailable || adapt.Failure(ctx) == nil {
		t.Errorf("Close: %v, lost %v, failure %v", err, adapt.Lost(ctx), adapt.Failure(ctx))
	}
	adapt.EndRequest(ctx)
}
