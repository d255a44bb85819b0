package guests

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
)

// TestStatefulGuestConforms has a guest that runs one call at a time be written by the derived writer, and
// moved by a put of what is read: the host opens what a put is made of before it.
func TestStatefulGuestConforms(t *testing.T) {
	t.Parallel()
	s := startStore(t)
	m := load(t, "stateful", s.url)
	loader := func(ctx context.Context, _ string, parameters map[string]any) (storagedriver.StorageDriver, error) {
		b, err := m.Open(ctx, parameters)
		if err != nil {
			return nil, err
		}
		return layers.Complete(b, layers.WithPartSize(partSize)), nil
	}
	t.Cleanup(func() {
		wantNothingLeft(t, s)
		if stats := m.Stats(); stats.OpenBodies != 0 {
			t.Errorf("%d bodies are open at the end", stats.OpenBodies)
		}
	})
	testsuites.RegisterWasmSuite(t, guestbuild.Path(t, "stateful"), s.parameters(), loader, smallParts, transcribed("stateful"), budgeted(m.Open, s.parameters()))
}

func TestAStatefulGuestTakesAnUploadOfSeveralSegments(t *testing.T) {
	const most = 64 // as docs/storage-drivers.md says
	for name, c := range map[string]struct {
		segments int
		refused  bool
	}{"three": {3, false}, "as many as are opened": {most, false}, "one too many": {most + 1, true}} {
		t.Run(name, func(t *testing.T) {
			const segment = 4 << 10
			s := startStore(t)
			m := load(t, "stateful", s.url)
			b, err := m.Open(t.Context(), s.parameters())
			ok(t, err, "open")
			d := layers.Complete(b, layers.WithPartSize(segment))
			defer d.Close()
			content := pattern(segment * c.segments)
			w := writer(t, d, false, 0)
			write(t, w, content)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err = w.Commit(ctx)
			if !c.refused {
				ok(t, err, "Commit")
				wantContent(t, d, content)
				if got := strings.Join(s.Keys(), " "); got != target[1:] {
					t.Errorf("want nothing but the content at the store, got %s", got)
				}
			} else {
				wantKind(t, err, storagedriver.KindUnsupported, "Commit")
				const text = "stateful: Commit /a/b/data: unsupported: the driver cannot read while it puts, so that at most 64 segments are joined, " +
					"opened beforehand; there are 65 (a driver that declares concat or parts has no such limit): "
				if !strings.HasPrefix(err.Error(), text) {
					t.Errorf("Commit: want an error that begins\n%s, got\n%v", text, err)
				}
				ok(t, w.Close(), "Close")
				w = writer(t, d, true, len(content))
				ok(t, w.Cancel(t.Context()), "Cancel")
			}
			if stats := m.Stats(); stats.Instances != 1 || stats.OpenBodies != 0 {
				t.Errorf("want one instance and no body open, got %+v", stats)
			}
		})
	}
}
