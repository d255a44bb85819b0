//go:build servers

package s3bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	distribution "github.com/distribution/distribution/v3/registry/storage/driver"
	theirs "github.com/distribution/distribution/v3/registry/storage/driver/s3-aws"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/s3"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/sigv4"
)

// The sides of a measurement, as reports name them.
const (
	sideTheirs    = "distribution"
	sideOurs      = "Berth"
	sideSandboxed = "rust-s3" // examples/rust-s3, in the sandbox
)

// store is what both drivers have in common. Each is called by its own interface, without an adapter.
type store interface {
	GetContent(ctx context.Context, path string) ([]byte, error)
	PutContent(ctx context.Context, path string, content []byte) error
	List(ctx context.Context, path string) ([]string, error)
	Move(ctx context.Context, source, dest string) error
	Delete(ctx context.Context, path string) error
	Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error)
	// writer is Writer.
	writer(ctx context.Context, path string, append bool) (fileWriter, error)
	// size is Stat.
	size(ctx context.Context, path string) (int64, error)
	// walk counts what Walk calls back.
	walk(ctx context.Context, path string) (files, dirs int, err error)
}

type fileWriter interface {
	io.WriteCloser
	Commit(ctx context.Context) error
}

// open opens the driver of the task's side. distribution's ignores parameters that it does not know. Ours, and the one in the sandbox, are behind the gate, as
// callers have them, and their writers share the task's budget.
func (t task) open(ctx context.Context) (store, func() error, error) {
	if t.Side == sideTheirs {
		d, err := theirs.FromParameters(ctx, t.Parameters)
		return distributions{d}, func() error { return nil }, err
	}
	var options []layers.Option
	if t.Budget > 0 {
		options = append(options, layers.WithBudget(chunked.NewBudget(t.Budget)))
	}
	var backend storagedriver.Backend
	var err error
	if t.Side == sideSandboxed {
		backend, err = t.sandboxed(ctx)
	} else {
		backend, err = s3.Open(ctx, t.Parameters)
	}
	if err != nil {
		return nil, nil, err
	}
	d := layers.Complete(backend, options...)
	return berths{d}, d.Close, nil
}

// sandboxed opens the driver in Rust with what its section would say: its one origin, whose requests the host signs, and default limits.
func (t task) sandboxed(ctx context.Context) (storagedriver.Backend, error) {
	of := func(name string) string { return fmt.Sprint(t.Parameters[name]) }
	signer, err := sigv4.New(ctx, sigv4.Config{AccessKey: of("accesskey"), SecretKey: factory.NewSecret(of("secretkey")), Region: of("region")}, nil)
	if err != nil {
		return nil, err
	}
	return runtime.Open(ctx, t.Module, runtime.Config{
		Allow:    []egress.Rule{{Origin: of("regionendpoint"), Credential: egress.Credential{Name: "storage", Signer: signer}}},
		CacheDir: t.Cache, Logger: slog.New(slog.DiscardHandler),
	}, map[string]any{
		"endpoint": of("regionendpoint"), "bucket": of("bucket"), "files-under-files": of("filesunderfiles"), "rootdirectory": of("rootdirectory"),
	})
}

type distributions struct{ distribution.StorageDriver }

func (d distributions) writer(ctx context.Context, path string, append bool) (fileWriter, error) {
	return d.Writer(ctx, path, append)
}

func (d distributions) size(ctx context.Context, path string) (int64, error) {
	info, err := d.Stat(ctx, path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (d distributions) walk(ctx context.Context, path string) (files, dirs int, err error) {
	err = d.Walk(ctx, path, func(info distribution.FileInfo) error {
		if info.IsDir() {
			dirs++
		} else {
			files++
		}
		return nil
	})
	return files, dirs, err
}

type berths struct{ storagedriver.StorageDriver }

func (d berths) writer(ctx context.Context, path string, append bool) (fileWriter, error) {
	return d.Writer(ctx, path, append)
}

func (d berths) size(ctx context.Context, path string) (int64, error) {
	info, err := d.Stat(ctx, path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (d berths) walk(ctx context.Context, path string) (files, dirs int, err error) {
	err = d.Walk(ctx, path, func(info storagedriver.FileInfo) error {
		if info.IsDir() {
			dirs++
		} else {
			files++
		}
		return nil
	})
	return files, dirs, err
}

// absent reports whether err is either driver's way to say that there is nothing at a path.
func absent(err error) bool {
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return true
	}
	_, ok := err.(distribution.PathNotFoundError)
	return ok
}

// is returns an error unless the content at path has size bytes.
func is(ctx context.Context, d store, path string, size int64) error {
	n, err := d.size(ctx, path)
	if err == nil && n != size {
		err = fmt.Errorf("%s has %d bytes, and should have %d", path, n, size)
	}
	return err
}
