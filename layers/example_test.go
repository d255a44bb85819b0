package layers_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
)

// five has the five functions that make a driver, over a map. It declares no ability.
type five struct {
	storagedriver.Unimplemented
	files map[string]string
}

func (five) Name() string                             { return "five" }
func (five) Capabilities() storagedriver.Capabilities { return storagedriver.Capabilities{} }

func (f five) Stat(_ context.Context, path string) (storagedriver.Entry, error) {
	if content, there := f.files[path]; there {
		return storagedriver.Entry{Size: int64(len(content))}, nil
	}
	for p := range f.files {
		if storagedriver.IsBelow(p, path) {
			return storagedriver.Entry{Dir: true}, nil
		}
	}
	if path == "/" {
		return storagedriver.Entry{Dir: true}, nil
	}
	return storagedriver.Entry{}, storagedriver.NewError(storagedriver.KindNotFound, "no such key")
}

func (f five) List(_ context.Context, path, _ string, _ int) (storagedriver.Page, error) {
	var page storagedriver.Page // of one name: the example has no more
	for p, content := range f.files {
		if dir, name := storagedriver.ParentPath(p); dir == path {
			page.Entries = append(page.Entries, storagedriver.Entry{Name: name, Size: int64(len(content))})
		}
	}
	return page, nil
}

func (f five) Read(_ context.Context, path string, offset, _ int64) (io.ReadCloser, int64, error) {
	content, there := f.files[path]
	if !there {
		return nil, 0, storagedriver.NewError(storagedriver.KindNotFound, "no such key")
	}
	return io.NopCloser(strings.NewReader(content[offset:])), int64(len(content)) - offset, nil
}

func (f five) Put(ctx context.Context, path string, body storagedriver.Source) error {
	r, err := body.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err == nil {
		f.files[path] = string(content)
	}
	return err
}

func (f five) Delete(_ context.Context, path string) error {
	delete(f.files, path)
	return nil
}

// The gate makes a driver of five functions: it derives the rest, a Move for example, checks paths
// and wraps errors.
func ExampleComplete() {
	ctx := context.Background()
	d := layers.Complete(five{files: map[string]string{}})
	defer d.Close()
	fmt.Println(d.PutContent(ctx, "/a/x", []byte("content")))
	fmt.Println(d.Move(ctx, "/a/x", "/b/y"))
	content, err := d.GetContent(ctx, "/b/y")
	fmt.Println(string(content), err)
	_, err = d.Stat(ctx, "/a/x")
	fmt.Println(err)
	_, err = d.Stat(ctx, "/../etc")
	fmt.Println(storagedriver.KindOf(err))
	// Output:
	// <nil>
	// <nil>
	// content <nil>
	// five: Stat /a/x: not found: no such key
	// invalid path
}

// A Trace is told of every operation as it begins, and of how it ended.
func ExampleWithTrace() {
	ctx := context.Background()
	d := layers.Complete(inmemory.New(), layers.WithTrace(func(ctx context.Context, o layers.Operation) (context.Context, func(layers.Outcome)) {
		return ctx, func(out layers.Outcome) { fmt.Println(o.Driver, o.Name, o.Path, out.Bytes, out.Err != nil) }
	}))
	defer d.Close()
	_ = d.PutContent(ctx, "/a", []byte("12345"))
	_, _ = d.GetContent(ctx, "/none")
	// Output:
	// inmemory PutContent /a 5 false
	// inmemory GetContent /none 0 true
}
