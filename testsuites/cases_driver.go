package testsuites

import (
	"io"
	"slices"
	"strings"
)

func driverCases() []scenario {
	return []scenario{
		{"driver/name", "Name is not empty and constant, also from one opening to the next", driverName},
		{"driver/capabilities-constant", "Capabilities are constant, also from one opening to the next", driverCapabilities},
		{"driver/root-exists", "Stat and List of / succeed, and / is a directory", driverRoot},
		{"driver/sees-what-another-stored", "what one driver stores, moves and deletes another on the same storage sees", driverShared},
		{"driver/close-fails-open-readers", "after Close open readers fail, and do not end as if all was read", driverCloseReaders},
		{"driver/close-leaves-others", "Close of one driver disturbs no other on the same storage", driverCloseOthers},
	}
}

func driverName(e *env) {
	name := e.d.Name()
	if name == "" {
		e.Fatalf("Name: want a name, got none")
	}
	if again := e.d.Name(); again != name {
		e.Fatalf("Name: want %q each time, got %q", name, again)
	}
	if other := e.reopen().Name(); other != name {
		e.Fatalf("Name of a second driver: want %q, got %q", name, other)
	}
}

func driverCapabilities(e *env) {
	want := e.d.Capabilities()
	e.put(e.path("file"), e.content(32))
	if got := e.d.Capabilities(); got != want {
		e.Fatalf("Capabilities after an operation: want %+v as before, got %+v", want, got)
	}
	if got := e.reopen().Capabilities(); got != want {
		e.Fatalf("Capabilities of a second driver: want %+v, got %+v", want, got)
	}
}

func driverRoot(e *env) {
	info, err := e.d.Stat(e.ctx, "/")
	e.ok(err, "Stat /")
	if info.Path() != "/" || !info.IsDir() || info.Size() != 0 {
		e.Fatalf("Stat /: want the directory / of size 0, got %q, directory: %v, size %d", info.Path(), info.IsDir(), info.Size())
	}
	_, err = e.d.List(e.ctx, "/")
	e.ok(err, "List /")
	e.put(e.path("file"), e.content(1))
	names, err := e.d.List(e.ctx, "/")
	e.ok(err, "List /")
	if !slices.Contains(names, e.dir) {
		e.Fatalf("List /: want %s in it, got %q", e.dir, names)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "/") || strings.Count(name, "/") != 1 {
			e.Errorf("List /: want full paths of direct children, got %q", name)
		}
	}
}

func driverShared(e *env) {
	other := e.reopen()
	a, b := e.path("dir/a"), e.path("dir/b")
	first, second := e.content(1000), e.content(2000)
	e.put(a, first)
	e.wantContentOf(other, a, first)
	e.ok(other.PutContent(e.ctx, a, second.bytes()), "PutContent by the other driver")
	e.wantContent(a, second)
	e.ok(other.Move(e.ctx, a, b), "Move by the other driver")
	e.wantMissing(a)
	e.wantContent(b, second)
	e.ok(other.Delete(e.ctx, e.path("dir")), "Delete by the other driver")
	e.wantMissing(b)
}

func driverCloseReaders(e *env) {
	// More than the buffers on the way hold.
	p, c := e.path("file"), e.content(16<<20)
	e.upload(p, c)
	d := e.reopenUnclosed()
	r, err := d.Reader(e.ctx, p, 0)
	e.ok(err, "Reader %s", p)
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		e.Fatalf("Read before Close: %v", err)
	}
	e.ok(d.Close(), "Close of a driver with an open reader")
	n, err := io.Copy(io.Discard, r)
	if err == nil {
		e.Fatalf("Read after Close of the driver: want an error, got %d bytes and the end", n)
	}
}

func driverCloseOthers(e *env) {
	d := e.reopenUnclosed()
	p, c := e.path("file"), e.content(1000)
	e.ok(d.PutContent(e.ctx, p, c.bytes()), "PutContent by a second driver")
	w := e.writer(e.path("upload"), false)
	e.write(w, c, 0, 500)
	e.ok(d.Close(), "Close of the second driver")
	e.wantContent(p, c)
	e.write(w, c, 500, c.size)
	e.commit(w)
	e.wantContent(e.path("upload"), c)
}
