// Command files keeps a program's objects with Berth's filesystem driver: the root package, the
// factory and the one driver it names are all that it links.
package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/factory"
)

func main() {
	if err := run(context.Background(), os.Stdout, "./objects"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run uploads an object to the store in the directory root, in two sittings, and reads it back.
func run(ctx context.Context, out io.Writer, root string) (err error) {
	var drivers factory.Registry
	drivers.Register(filesystem.Name, factory.FromOpen(filesystem.Name, filesystem.Open))

	// A name and parameters, as they may stand in a configuration.
	d, err := drivers.Create(ctx, "filesystem", map[string]any{"rootdirectory": root})
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := d.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := upload(ctx, d, "/reports/2026/summary.txt", "first half, "); err != nil {
		return err
	}
	if err := finish(ctx, d, "/reports/2026/summary.txt", "second half\n"); err != nil {
		return err
	}
	return show(out, storagedriver.FSContext(ctx, d))
}

// upload begins an upload and suspends it: nothing is visible, and any process may go on.
func upload(ctx context.Context, d storagedriver.StorageDriver, path, content string) error {
	w, err := d.Writer(ctx, path, false)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, content); err != nil {
		_ = w.Close() // what Write said matters more
		return err
	}
	return w.Close()
}

// finish continues the upload and makes it visible, whole.
func finish(ctx context.Context, d storagedriver.StorageDriver, path, content string) error {
	w, err := d.Writer(ctx, path, true)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, content)
	if err == nil {
		err = w.Commit(ctx)
	}
	if closeErr := w.Close(); err == nil {
		err = closeErr
	}
	return err
}

// show prints every file: the store is an io/fs.FS to whoever wants to read it as one.
func show(out io.Writer, store fs.FS) error {
	return fs.WalkDir(store, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(store, name)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s: %s", name, content)
		return err
	})
}
