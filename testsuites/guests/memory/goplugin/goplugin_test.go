package goplugin

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/testsuites/guests/memory"
	"github.com/berth-dev/storagedriver/testsuites/guests/native"
	"github.com/hashicorp/go-plugin"
)

func connected(t *testing.T) *client {
	t.Helper()
	b, err := native.Open(memory.Manifest(), memory.Open)(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := plugin.TestPluginGRPCConn(t, false, plugin.PluginSet{name: &dispensed{backend: b}})
	t.Cleanup(func() {
		if err := c.Close(); err != nil { // ends the server too
			t.Error(err)
		}
	})
	raw, err := c.Dispense(name)
	if err != nil {
		t.Fatal(err)
	}
	return raw.(*client)
}

func TestContentGoesBothWays(t *testing.T) {
	c := connected(t)
	content := bytes.Repeat([]byte("0123456789abcdef"), 3*chunk/16+1) // no multiple of chunk
	if err := c.Put(t.Context(), "/a/b", storagedriver.BytesSource(content)); err != nil {
		t.Fatal(err)
	}
	for _, at := range []struct{ offset, length, from, to int64 }{
		{0, -1, 0, int64(len(content))}, {5, 10, 5, 15}, {chunk, 2 * chunk, chunk, 3 * chunk}, {int64(len(content)), -1, 0, 0},
	} {
		r, n, err := c.Read(t.Context(), "/a/b", at.offset, at.length)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if want := content[at.from:at.to]; err != nil || n != int64(len(want)) || !bytes.Equal(got, want) {
			t.Errorf("Read of %d from %d: want %d bytes, got %d of %d, %v", at.length, at.offset, len(want), len(got), n, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	page, err := c.List(t.Context(), "/", "", 10)
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Name != "a" || !page.Entries[0].Dir {
		t.Errorf("List: want the directory a, got %+v, %v", page, err)
	}
}

// short is a body that ends before its size.
type short struct{ storagedriver.BytesSource }

func (s short) Size() int64 { return s.BytesSource.Size() + 1 }

func TestWhatFailsIsToldWhy(t *testing.T) {
	c := connected(t)
	_, _, err := c.Read(t.Context(), "/none", 0, -1)
	wantError(t, err, "not found")
	_, err = c.List(t.Context(), "/none", "", 10)
	wantError(t, err, "not found")
	if err := c.Put(t.Context(), "/a", storagedriver.BytesSource("old")); err != nil {
		t.Fatal(err)
	}
	wantError(t, c.Put(t.Context(), "/a", short{storagedriver.BytesSource("new")}), "unexpected EOF")
	r, _, err := c.Read(t.Context(), "/a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != "old" {
		t.Errorf("after a body that ended early: want the old content, got %q, %v", got, err)
	}
}

func wantError(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("want an error with %q, got %v", text, err)
	}
}
