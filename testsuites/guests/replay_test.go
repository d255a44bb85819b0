package guests

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/runtime/trace"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
)

// tape is where a trace is recorded to.
type tape struct{ bytes.Buffer }

func (*tape) Close() error { return nil }

func (b *tape) replay(t *testing.T, guest string) *runtime.ReplayResult {
	t.Helper()
	wasm, err := os.ReadFile(guestbuild.Path(t, guest))
	if err != nil {
		t.Fatal(err)
	}
	r, err := trace.NewReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	result, err := runtime.Replay(t.Context(), guest, wasm, r, runtime.ReplayOptions{CacheDir: cacheDir})
	if err != nil {
		t.Fatal(err)
	}
	if d := result.Difference; d != nil {
		t.Fatalf("%+v", d)
	}
	return result
}

const cases = "write,list,delete,errors,reader,content/*"

// TestRecordedSuitesReplay runs cases of the suite on several instances at once, and then again from the trace alone.
func TestRecordedSuitesReplay(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T, record *trace.Recorder) func(context.Context) (storagedriver.StorageDriver, error){
		"webdav": func(t *testing.T, record *trace.Recorder) func(context.Context) (storagedriver.StorageDriver, error) {
			s := davServer(t)
			parameters := davParameters(s)
			parameters["username"], parameters["password"] = "registry", webdavPassword
			return func(ctx context.Context) (storagedriver.StorageDriver, error) {
				m, err := runtime.Load(ctx, guestbuild.Path(t, "webdav"), runtime.Config{Allow: egress.Origins(s.URL), CacheDir: cacheDir, Logger: slog.New(slog.DiscardHandler), Record: record})
				if err != nil {
					return nil, err
				}
				t.Cleanup(func() { _ = m.Close(context.Background()) })
				b, err := m.Open(ctx, parameters)
				if err != nil {
					return nil, err
				}
				return layers.Complete(b, layers.WithPartSize(partSize)), nil
			}
		},
		"layer": func(t *testing.T, record *trace.Recorder) func(context.Context) (storagedriver.StorageDriver, error) {
			memory := inmemory.New()
			return func(ctx context.Context) (storagedriver.StorageDriver, error) {
				under := layers.Complete(keptBackend{memory}, layers.WithPartSize(partSize))
				return layerOn(ctx, guestbuild.Path(t, "layer"), under, "delegate", runtime.Config{Record: record}, layers.WithPartSize(partSize))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := &tape{}
			record := trace.New(out, trace.Options{Logger: slog.New(slog.DiscardHandler)})
			opened := open(t, record)
			result := testsuites.RunAll(t.Context(), testsuites.Harness{Run: cases, PartSize: partSize, Parallel: 4, New: func(t testsuites.T) storagedriver.StorageDriver {
				d, err := opened(t.Context())
				if err != nil {
					t.Fatalf("open: %v", err)
				}
				return d
			}}, nil)
			if !result.Conforms() {
				t.Fatalf("%+v", result)
			}
			if err := record.Close(); err != nil {
				t.Fatal(err)
			}
			replayed := out.replay(t, name)
			if replayed.Calls < 100 || replayed.Instances < 4 || len(replayed.Notes) > 0 || replayed.FailureCount > 0 {
				t.Errorf("%+v", replayed)
			}
			t.Logf("%d calls and %d host calls on %d instances, %d bytes", replayed.Calls, replayed.HostCalls, replayed.Instances, out.Len())
			out.wantNoPassword(t)
		})
	}
}

const webdavPassword = "sesame/4711+open?"

// wantNoPassword looks for it as it is and as the guest spells it, for HTTP's Basic authentication above all.
func (b *tape) wantNoPassword(t *testing.T) {
	t.Helper()
	text := b.lines(t)
	forms := []string{webdavPassword, url.QueryEscape(webdavPassword), hex.EncodeToString([]byte(webdavPassword))}
	for skip := range 3 {
		coded := base64.StdEncoding.EncodeToString(append(make([]byte, skip), webdavPassword...))
		forms = append(forms, coded[(8*skip+5)/6:8*(skip+len(webdavPassword))/6])
	}
	for _, form := range forms {
		if strings.Contains(text, form) {
			t.Errorf("the trace holds the password as %q", form)
		}
	}
}

// lines are those of the trace, followed by the bytes that are in base64 in them.
func (b *tape) lines(t *testing.T) string {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	out := bytes.NewBuffer(text)
	for line := range bytes.Lines(bytes.Clone(text)) {
		var rec trace.Record
		if err := json.Unmarshal(line, &rec); err != nil {
			t.Fatal(err)
		}
		if rec.Said != nil {
			out.Write(rec.Said.Data)
		}
		out.Write(rec.Reply)
		for _, w := range rec.Writes {
			out.Write(w.Data)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// TestAServersFailureReplaysWordForWord has a server break the guest's expectations.
func TestAServersFailureReplaysWordForWord(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusMultiStatus)
		_, _ = io.WriteString(w, "<multistatus xmlns='DAV:'><response><href>/elsewhere</href><propstat>no")
	}))
	t.Cleanup(s.Close)
	out := &tape{}
	record := trace.New(out, trace.Options{Logger: slog.New(slog.DiscardHandler)})
	m, err := runtime.Load(t.Context(), guestbuild.Path(t, "webdav"), runtime.Config{Allow: egress.Origins(s.URL), CacheDir: cacheDir, Logger: slog.New(slog.DiscardHandler), Record: record})
	if err != nil {
		t.Fatal(err)
	}
	d, err := m.Open(t.Context(), map[string]any{"endpoint": s.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, failure := d.List(t.Context(), "/", "", 10)
	if failure == nil {
		t.Fatal("List of nonsense: no error")
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := record.Close(); err != nil {
		t.Fatal(err)
	}
	result := out.replay(t, "webdav")
	if result.ErrorReplies != 1 {
		t.Errorf("%d error replies came again, want 1: %v", result.ErrorReplies, failure)
	}
	if !strings.Contains(out.lines(t), strings.ReplaceAll(failure.Error(), `"`, `\"`)) {
		t.Errorf("the trace does not have the error's text: %v", failure)
	}
}
