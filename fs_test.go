package storagedriver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
)

// onDrivers runs f on drivers that lead the file system different ways.
func onDrivers(t *testing.T, f func(t *testing.T, d storagedriver.StorageDriver)) {
	for name, open := range map[string]storagedriver.OpenFunc{
		"filesystem": func(ctx context.Context, _ map[string]any) (storagedriver.Backend, error) {
			return filesystem.Open(ctx, map[string]any{"rootdirectory": t.TempDir()})
		},
		"inmemory": inmemory.Open,
		"listed page by page": func(context.Context, map[string]any) (storagedriver.Backend, error) {
			return &chunkedtest.Memory{}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := open(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			d := layers.Complete(b)
			defer func() {
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			}()
			f(t, d)
		})
	}
}

var files = map[string]string{
	"docker/registry/v2/blobs/sha256/aa/data":  strings.Repeat("0123456789", 1000),
	"docker/registry/v2/blobs/sha256/ab/data":  "",
	"docker/registry/v2/repositories/x/link":   "sha256:aa",
	"docker/registry/v2/repositories/x-y/link": "sha256:ab",
	"a-b": "sorts before a/ and after a", "a/b": "in a", "README.md": "hello",
}

func put(t *testing.T, d storagedriver.StorageDriver) []string {
	t.Helper()
	var names []string
	for name, content := range files {
		if err := d.PutContent(t.Context(), "/"+name, []byte(content)); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestFSIsAFileSystem(t *testing.T) {
	onDrivers(t, func(t *testing.T, d storagedriver.StorageDriver) {
		if err := fstest.TestFS(storagedriver.FS(d)); err != nil {
			t.Errorf("an empty one: %v", err)
		}
		names := put(t, d)
		// An unfinished upload leaves private names beside its target.
		w, err := d.Writer(t.Context(), "/a/upload", false)
		if err == nil {
			_, err = w.Write([]byte("unfinished"))
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		fsys := storagedriver.FS(d)
		if err := fstest.TestFS(fsys, names...); err != nil {
			t.Error(err)
		}
		var walked []string
		err = fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				walked = append(walked, name)
			}
			return err
		})
		if slices.Sort(walked); err != nil || !slices.Equal(walked, names) {
			t.Errorf("WalkDir found %q, want %q: %v", walked, names, err)
		}
	})
}

func TestFSInfo(t *testing.T) {
	onDrivers(t, func(t *testing.T, d storagedriver.StorageDriver) {
		put(t, d)
		fsys := storagedriver.FS(d)
		info, err := fs.Stat(fsys, "a/b")
		if err != nil {
			t.Fatal(err)
		}
		want, err := d.Stat(t.Context(), "/a/b")
		if err != nil {
			t.Fatal(err)
		}
		if info.Name() != "b" || info.Size() != 4 || info.Mode() != 0o444 || !info.ModTime().Equal(want.ModTime()) || info.IsDir() {
			t.Errorf("a file: %v, want one of %v", fs.FormatFileInfo(info), want)
		}
		if of, is := info.Sys().(storagedriver.FileInfo); !is || of.Path() != "/a/b" {
			t.Errorf("Sys is %v", info.Sys())
		}
		if info, err = fs.Stat(fsys, "."); err != nil || info.Mode() != fs.ModeDir|0o555 || info.Name() != "." || !info.ModTime().IsZero() {
			t.Errorf("the root: %v, %v", info, err)
		}
		if content, err := fs.ReadFile(fsys, "README.md"); err != nil || string(content) != "hello" {
			t.Errorf("ReadFile: %q, %v", content, err)
		}
	})
}

func TestFSErrorsKeepTheirKind(t *testing.T) {
	onDrivers(t, func(t *testing.T, d storagedriver.StorageDriver) {
		put(t, d)
		fsys := storagedriver.FS(d)
		closed, err := fsys.Open("a/b")
		if err == nil {
			err = closed.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		ignore := func(_ any, err error) error { return err }
		for _, c := range []struct {
			what string
			err  error
			kind storagedriver.Kind
			is   error
		}{
			{"open of nothing", ignore(fsys.Open("none")), storagedriver.KindNotFound, fs.ErrNotExist},
			{"stat of nothing", ignore(fs.Stat(fsys, "none")), storagedriver.KindNotFound, fs.ErrNotExist},
			{"read of nothing", ignore(fs.ReadFile(fsys, "none")), storagedriver.KindNotFound, fs.ErrNotExist},
			{"list of nothing", ignore(fs.ReadDir(fsys, "none")), storagedriver.KindNotFound, fs.ErrNotExist},
			{"list of a file", ignore(fs.ReadDir(fsys, "a/b")), storagedriver.KindInvalidArgument, fs.ErrInvalid},
			{"read of the root", ignore(fs.ReadFile(fsys, ".")), storagedriver.KindInvalidArgument, fs.ErrInvalid},
			{"a malformed name", ignore(fsys.Open("/a/b")), storagedriver.KindInvalidPath, fs.ErrInvalid},
			{"a name with ..", ignore(fsys.Open("a/../a")), storagedriver.KindInvalidPath, fs.ErrInvalid},
			{"a name that no path has", ignore(fsys.Open("favicon ico")), storagedriver.KindNotFound, fs.ErrNotExist},
			{"a private name", ignore(fsys.Open("a/upload~1")), storagedriver.KindNotFound, fs.ErrNotExist},
			{"read of a closed file", ignore(closed.Read(make([]byte, 1))), storagedriver.KindClosed, fs.ErrClosed},
			{"an ended context", ignore(storagedriver.FSContext(ended, d).Open("a/b")), storagedriver.KindCanceled, context.Canceled},
		} {
			var e *fs.PathError
			if !errors.As(c.err, &e) || storagedriver.KindOf(c.err) != c.kind || !errors.Is(c.err, c.is) {
				t.Errorf("%s: %#v (%v), want a *fs.PathError of kind %v", c.what, c.err, c.err, c.kind)
			}
		}
	})
}

func TestFSFilesAreReadFromWhereItIsAsked(t *testing.T) {
	onDrivers(t, func(t *testing.T, d storagedriver.StorageDriver) {
		put(t, d)
		const name = "docker/registry/v2/blobs/sha256/aa/data"
		want := files[name]
		f, err := storagedriver.FS(d).Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if at, err := f.(io.Seeker).Seek(-13, io.SeekEnd); at != int64(len(want)-13) || err != nil {
			t.Fatalf("Seek: %d, %v", at, err)
		}
		if got, err := io.ReadAll(f); string(got) != want[len(want)-13:] || err != nil {
			t.Errorf("the end: %q, %v", got, err)
		}
		if _, err := f.(io.Seeker).Seek(3, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		section := io.NewSectionReader(f.(io.ReaderAt), 5, 20)
		if got, err := io.ReadAll(section); string(got) != want[5:25] || err != nil {
			t.Errorf("a section: %q, %v", got, err)
		}
		var got bytes.Buffer
		if _, err := io.CopyN(&got, f, 4); got.String() != want[3:7] || err != nil {
			t.Errorf("after the section the file goes on with %q, %v", got.String(), err)
		}
		if _, err := f.(io.Seeker).Seek(1<<40, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if n, err := f.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("beyond the end: %d, %v", n, err)
		}
	})
}

func TestFSIsServed(t *testing.T) {
	onDrivers(t, func(t *testing.T, d storagedriver.StorageDriver) {
		put(t, d)
		server := httptest.NewServer(http.FileServer(http.FS(storagedriver.FS(d))))
		defer server.Close()
		get := func(path, bytes string) (int, string) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if bytes != "" {
				r.Header.Set("Range", bytes)
			}
			response, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			return response.StatusCode, string(body)
		}
		for _, c := range []struct {
			path, bytes string
			status      int
			body        string
		}{
			{"/README.md", "", 200, "hello"},
			{"/docker/registry/v2/blobs/sha256/aa/data", "bytes=9995-", 206, "56789"},
			{"/a/", "", 200, `<a href="b">b</a>`},
			{"/none", "", 404, ""},
			{"/not%20a%20name", "", 404, ""},
			{"/a/b~1", "", 404, ""},
		} {
			if status, body := get(c.path, c.bytes); status != c.status || !strings.Contains(body, c.body) {
				t.Errorf("GET %s: %d %q, want %d with %q", c.path, status, body, c.status, c.body)
			}
		}
	})
}
