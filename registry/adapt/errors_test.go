package adapt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry/adapt"
	"github.com/distribution/distribution/v3/registry/storage/driver"
)

// failing is a driver of ours every call of which fails with err.
type failing struct {
	storagedriver.StorageDriver
	err error
}

func (f failing) Name() string { return "failing" }

func (f failing) Capabilities() storagedriver.Capabilities { return storagedriver.Capabilities{} }

func (f failing) GetContent(context.Context, string) ([]byte, error)           { return nil, f.err }
func (f failing) PutContent(context.Context, string, []byte) error             { return f.err }
func (f failing) List(context.Context, string) ([]string, error)               { return nil, f.err }
func (f failing) Move(context.Context, string, string) error                   { return f.err }
func (f failing) Delete(context.Context, string) error                         { return f.err }
func (f failing) Stat(context.Context, string) (storagedriver.FileInfo, error) { return nil, f.err }

func (f failing) Reader(context.Context, string, int64) (io.ReadCloser, error) { return nil, f.err }

func (f failing) Writer(context.Context, string, bool) (storagedriver.FileWriter, error) {
	return nil, f.err
}

func (f failing) RedirectURL(context.Context, string, storagedriver.RedirectOptions) (string, error) {
	return "", f.err
}

func (f failing) Walk(context.Context, string, storagedriver.WalkFunc, ...func(*storagedriver.WalkOptions)) error {
	return f.err
}

// calls makes every call that can fail, by name.
func calls(d driver.StorageDriver) map[string]error {
	ctx := context.Background()
	out := map[string]error{}
	_, out["GetContent"] = d.GetContent(ctx, "/a")
	out["PutContent"] = d.PutContent(ctx, "/a", nil)
	_, out["Reader"] = d.Reader(ctx, "/a", 7)
	_, out["Writer"] = d.Writer(ctx, "/a", true)
	_, out["Stat"] = d.Stat(ctx, "/a")
	_, out["List"] = d.List(ctx, "/a")
	out["Move"] = d.Move(ctx, "/a", "/b")
	out["Delete"] = d.Delete(ctx, "/a")
	_, out["RedirectURL"] = d.RedirectURL(httptest.NewRequest(http.MethodGet, "/", nil), "/a")
	walked := func(driver.FileInfo) error { return nil }
	out["Walk"] = d.Walk(ctx, "/a", walked)
	out["Walk, paged"] = d.Walk(ctx, "/a", walked, driver.WithStartAfterHint(""))
	return out
}

func TestEveryKindBecomesDistributionsBareValueAndComesBack(t *testing.T) {
	for kind := range storagedriver.NumKinds {
		t.Run(kind.String(), func(t *testing.T) {
			err := &storagedriver.Error{Op: "Op", Driver: "failing", Path: "/a", Kind: kind, Temporary: true, Err: errors.New("cause")}
			for call, got := range calls(adapt.ToDistribution(failing{err: err})) {
				var offset int64
				if call == "Reader" {
					offset = 7
				}
				var want error
				switch kind {
				case storagedriver.KindNotFound:
					want = driver.PathNotFoundError{Path: "/a", DriverName: "failing"}
				case storagedriver.KindInvalidPath:
					want = driver.InvalidPathError{Path: "/a", DriverName: "failing"}
				case storagedriver.KindInvalidOffset:
					want = driver.InvalidOffsetError{Path: "/a", Offset: offset, DriverName: "failing"}
				case storagedriver.KindUnsupported:
					want = driver.ErrUnsupportedMethod{DriverName: "failing"}
					if call == "RedirectURL" {
						want = nil // the content is served instead
					}
				default:
					want = driver.Error{DriverName: "failing", Detail: err}
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s: got %#v, want %#v", call, got, want)
				}
			}

			there := adapt.FromDistribution(adapt.ToDistribution(failing{err: err}))
			_, back := there.GetContent(context.Background(), "/a")
			if got := storagedriver.KindOf(back); got != kind {
				t.Errorf("there and back: got %v (%v), want %v", got, back, kind)
			}
			var e *storagedriver.Error
			if !errors.As(back, &e) || e.Op != "GetContent" || e.Driver != "failing" || e.Path != "/a" {
				t.Errorf("there and back: got %#v, want an *Error with operation, driver and path", back)
			}
		})
	}
}

func TestTemporarySurvivesThereAndBack(t *testing.T) {
	err := &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true}
	_, back := adapt.FromDistribution(adapt.ToDistribution(failing{err: err})).GetContent(context.Background(), "/a")
	if !storagedriver.IsTemporary(back) {
		t.Errorf("got %#v, want it to be temporary", back)
	}
}

// foreign is a driver of distribution that fails with err.
type foreign struct {
	driver.StorageDriver
	err error
}

func (f foreign) Name() string                                       { return "foreign" }
func (f foreign) GetContent(context.Context, string) ([]byte, error) { return nil, f.err }

func TestDistributionsErrorsAreClassified(t *testing.T) {
	for _, c := range []struct {
		err  error
		want storagedriver.Kind
	}{
		{driver.PathNotFoundError{Path: "/a"}, storagedriver.KindNotFound},
		{fmt.Errorf("wrapped: %w", driver.PathNotFoundError{Path: "/a"}), storagedriver.KindNotFound},
		{driver.InvalidPathError{Path: "/a"}, storagedriver.KindInvalidPath},
		{driver.InvalidOffsetError{Path: "/a", Offset: -1}, storagedriver.KindInvalidOffset},
		{driver.ErrUnsupportedMethod{}, storagedriver.KindUnsupported},
		{driver.Error{Detail: context.Canceled}, storagedriver.KindCanceled},
		{driver.Error{Detail: driver.PathNotFoundError{}}, storagedriver.KindNotFound},
		{driver.Error{Detail: fs.ErrPermission}, storagedriver.KindPermission},
		{driver.Errors{Errs: []error{errors.New("one"), fs.ErrPermission}}, storagedriver.KindPermission},
		{context.DeadlineExceeded, storagedriver.KindDeadline},
		{errors.New("anything"), storagedriver.KindUnknown},
	} {
		_, err := adapt.FromDistribution(foreign{err: c.err}).GetContent(context.Background(), "/a")
		if got := storagedriver.KindOf(err); got != c.want {
			t.Errorf("%#v: got %v, want %v", c.err, got, c.want)
		}
	}
}

// redirecting answers what it was asked.
type redirecting struct {
	failing
}

func (redirecting) RedirectURL(_ context.Context, path string, o storagedriver.RedirectOptions) (string, error) {
	return fmt.Sprintf("%s %s %s %s", path, o.Method, o.RemoteAddr, o.ForwardedFor), nil
}

func TestRedirectURLCarriesTheRequest(t *testing.T) {
	r := httptest.NewRequest(http.MethodHead, "/v2/", nil)
	r.RemoteAddr = "192.0.2.1:99"
	r.Header.Set("X-Forwarded-For", "198.51.100.7")
	const want = "/a HEAD 192.0.2.1:99 198.51.100.7"
	there := adapt.ToDistribution(redirecting{})
	if got, err := there.RedirectURL(r, "/a"); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	options := storagedriver.RedirectOptions{Method: "HEAD", RemoteAddr: "192.0.2.1:99", ForwardedFor: "198.51.100.7"}
	if got, err := adapt.FromDistribution(there).RedirectURL(context.Background(), "/a", options); err != nil || got != want {
		t.Errorf("there and back: got %q, %v, want %q", got, err, want)
	}
}
