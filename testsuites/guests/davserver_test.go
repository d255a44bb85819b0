package guests

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"golang.org/x/net/webdav"
)

// davServer is golang.org/x/net/webdav over its MemFS, made safe where the library is not: a MOVE onto a file
// replaces it in one step.
func davServer(t *testing.T) *httptest.Server {
	handler := &webdav.Handler{Prefix: "/dav", FileSystem: atomicMoves{webdav.NewMemFS()}, LockSystem: webdav.NewMemLS()}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), methodKey{}, r.Method)))
	}))
	// A PROPFIND that meets a deletion ends half way, and net/http says so each time.
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

type methodKey struct{}

// atomicMoves undoes the library's removal of a MOVE's target before the rename.
type atomicMoves struct{ webdav.FileSystem }

func (a atomicMoves) RemoveAll(ctx context.Context, name string) error {
	if info, err := a.Stat(ctx, name); ctx.Value(methodKey{}) == "MOVE" && err == nil && !info.IsDir() {
		return nil // Rename replaces it
	}
	return a.FileSystem.RemoveAll(ctx, name)
}

func (a atomicMoves) Rename(ctx context.Context, from, to string) error {
	source, err := a.Stat(ctx, from)
	if err != nil {
		return err
	}
	if target, err := a.Stat(ctx, to); err == nil && source.IsDir() && !target.IsDir() {
		if err := a.FileSystem.RemoveAll(ctx, to); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return a.FileSystem.Rename(ctx, from, to)
}
