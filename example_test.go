package storagedriver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
)

// An upload is visible when it is committed. Closing it before that suspends it, and any process
// may continue it.
func ExampleStorageDriver() {
	ctx := context.Background()
	d := layers.Complete(inmemory.New())
	defer d.Close()

	w, err := d.Writer(ctx, "/blobs/data", false)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(w, "hello, ")
	fmt.Println("suspended:", w.Close(), w.Size())
	_, err = d.Stat(ctx, "/blobs/data")
	fmt.Println("not there yet:", errors.Is(err, fs.ErrNotExist))

	w, err = d.Writer(ctx, "/blobs/data", true)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(w, "world")
	fmt.Println("committed:", w.Commit(ctx), w.Close())

	r, err := d.Reader(ctx, "/blobs/data", 7)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	fmt.Println(string(content), err)
	// Output:
	// suspended: <nil> 7
	// not there yet: true
	// committed: <nil> <nil>
	// world <nil>
}

// A walk goes down in ascending order, parents first, and leaves out what it is told to.
func ExampleStorageDriver_walk() {
	ctx := context.Background()
	d := layers.Complete(inmemory.New())
	defer d.Close()
	for _, path := range []string{"/a/1", "/a/2", "/b/3", "/c"} {
		if err := d.PutContent(ctx, path, []byte("x")); err != nil {
			fmt.Println(err)
			return
		}
	}
	err := d.Walk(ctx, "/", func(info storagedriver.FileInfo) error {
		fmt.Println(info.Path())
		if info.Path() == "/b" {
			return storagedriver.ErrSkipDir
		}
		return nil
	}, storagedriver.WithStartAfterHint("/a/1"))
	fmt.Println(err)
	// Output:
	// /a/2
	// /b
	// /c
	// <nil>
}

func ExampleKindOf() {
	d := layers.Complete(inmemory.New())
	defer d.Close()
	_, err := d.GetContent(context.Background(), "/none")
	fmt.Println(err)
	fmt.Println(storagedriver.KindOf(err), errors.Is(err, fs.ErrNotExist))
	// Output:
	// inmemory: GetContent /none: not found: nothing is there
	// not found true
}

// Whatever reads an io/fs.FS reads a driver.
func ExampleFS() {
	ctx := context.Background()
	d := layers.Complete(inmemory.New())
	defer d.Close()
	for path, content := range map[string]string{"/docs/a.txt": "one", "/docs/b.txt": "two", "/docs/c.md": "three"} {
		if err := d.PutContent(ctx, path, []byte(content)); err != nil {
			fmt.Println(err)
			return
		}
	}
	names, err := fs.Glob(storagedriver.FS(d), "docs/*.txt")
	fmt.Println(names, err)
	content, err := fs.ReadFile(storagedriver.FSContext(ctx, d), "docs/c.md")
	fmt.Println(string(content), err)
	// Output:
	// [docs/a.txt docs/b.txt] <nil>
	// three <nil>
}
