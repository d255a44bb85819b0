package registry

import (
	"context"
	"fmt"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry/adapt"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/distribution/v3/registry/storage/driver"
)

// blobsRoot is where distribution keeps the content of all repositories.
const blobsRoot = "/docker/registry/v2/blobs"

// Garbage is one thing that nothing refers to.
type Garbage struct {
	// Kind is "manifest", "tag history", "blob" or "layer link".
	Kind string
	// Repository is whose it is; a blob's is empty.
	Repository string
	// Digest is what it is.
	Digest string
	// Path is where it is stored.
	Path string
}

// String names it on one line.
func (g Garbage) String() string {
	if g.Repository == "" {
		return g.Kind + " " + g.Digest
	}
	return g.Kind + " " + g.Repository + "@" + g.Digest
}

// GarbageCollect removes blobs that no manifest refers to. No push may run meanwhile, on
// any replica: what is being pushed is not referred to yet. A registry without content is
// no error. When ctx ends it stops between two removals; running it again completes it.
func GarbageCollect(ctx context.Context, o GarbageOptions) (err error) {
	if o.Config == nil {
		return storagedriver.NewError(storagedriver.KindInvalidArgument, "garbage-collect: no configuration was given")
	}
	if err := configureLogging(o.Config); err != nil {
		return err
	}
	d, closeDriver, err := openDriver(ctx, o.Config, o.Driver, o.Drivers)
	if err != nil {
		return err
	}
	defer func() { err = andClose(err, closeDriver) }()

	empty, err := nothingStored(ctx, d)
	if err != nil || empty {
		return err
	}
	sweeper := &sweeper{StorageDriver: adapt.ToDistribution(d), dryRun: o.DryRun, progress: o.Progress}
	namespace, err := storage.NewRegistry(ctx, sweeper)
	if err != nil {
		return fmt.Errorf("garbage-collect: %s", oneLine(err.Error()))
	}
	// Quiet, because otherwise it prints to the standard output; and never its own dry run,
	// because that does not say what it found when quiet. The sweeper sees each removal.
	err = storage.MarkAndSweep(ctx, sweeper, namespace, storage.GCOpts{RemoveUntagged: o.RemoveUntagged, Quiet: true})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("garbage-collect was interrupted; run it again: %w", ctx.Err())
	case sweeper.failure != nil:
		return fmt.Errorf("garbage-collect: %w", sweeper.failure)
	}
	return fmt.Errorf("garbage-collect: %s", oneLine(err.Error()))
}

// nothingStored reports a store without blobs. Blobs without any repository are refused: more
// likely than garbage is that the store does not show all it has.
func nothingStored(ctx context.Context, d storagedriver.StorageDriver) (bool, error) {
	exists := func(path string) (bool, error) {
		_, err := d.Stat(ctx, path)
		if storagedriver.KindOf(err) == storagedriver.KindNotFound {
			return false, nil
		}
		return err == nil, err
	}
	blobs, err := exists(blobsRoot)
	if err != nil || !blobs {
		return true, err
	}
	repositories, err := exists(repositoriesRoot)
	if err == nil && !repositories {
		err = storagedriver.Errorf(storagedriver.KindCorrupt,
			"garbage-collect: %s exists but %s does not; remove the blobs by hand if that is meant", blobsRoot, repositoriesRoot)
	}
	return false, err
}

// sweeper is the driver that MarkAndSweep removes through: it reports each removal, and in a
// dry run does only that. What MarkAndSweep decides does not depend on what it removed before.
type sweeper struct {
	driver.StorageDriver
	dryRun   bool
	progress func(Garbage)
	failure  error // the last failure of the store: MarkAndSweep's own error keeps only its text
}

// note keeps what the store itself said, which still has its Kind.
func (s *sweeper) note(err error) error {
	if e, ok := err.(driver.Error); ok {
		s.failure = e.Detail
	}
	return err
}

func (s *sweeper) GetContent(ctx context.Context, path string) ([]byte, error) {
	content, err := s.StorageDriver.GetContent(ctx, path)
	return content, s.note(err)
}

func (s *sweeper) Stat(ctx context.Context, path string) (driver.FileInfo, error) {
	info, err := s.StorageDriver.Stat(ctx, path)
	return info, s.note(err)
}

func (s *sweeper) Delete(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !s.dryRun {
		if err := s.StorageDriver.Delete(ctx, path); err != nil {
			return s.note(err)
		}
	}
	if s.progress != nil {
		s.progress(garbageAt(path))
	}
	return nil
}

// Walk finds nothing, instead of failing, in a repository without layer links: what lies there
// only ever adds candidates for removal, and stores without directories forget empty ones.
func (s *sweeper) Walk(ctx context.Context, path string, f driver.WalkFn, options ...func(*driver.WalkOptions)) error {
	begun := false
	err := s.StorageDriver.Walk(ctx, path, func(info driver.FileInfo) error {
		begun = true
		return f(info)
	}, options...)
	if _, missing := err.(driver.PathNotFoundError); missing && !begun && strings.HasSuffix(path, "/_layers") {
		return nil
	}
	return s.note(err)
}

// garbageAt tells from distribution's layout what a removed path was.
func garbageAt(path string) Garbage {
	g := Garbage{Path: path, Digest: digestAt(path)}
	if below, ok := strings.CutPrefix(path, repositoriesRoot+"/"); ok {
		for _, in := range []struct{ mark, kind string }{
			{"/_manifests/tags/", "tag history"}, {"/_manifests/revisions/", "manifest"}, {"/_layers/", "layer link"},
		} {
			if repository, _, ok := strings.Cut(below, in.mark); ok {
				g.Kind, g.Repository = in.kind, repository
				return g
			}
		}
	}
	g.Kind = "blob"
	return g
}

// digestAt returns the digest that a path of the layout ends in: .../sha256/HEX, for blobs
// .../sha256/HE/HEX, and for links with /link behind.
func digestAt(path string) string {
	parts := strings.Split(strings.TrimSuffix(path, "/link"), "/")
	n := len(parts)
	if n < 3 {
		return ""
	}
	hex, algorithm := parts[n-1], parts[n-2]
	if len(algorithm) == 2 && strings.HasPrefix(hex, algorithm) {
		algorithm = parts[n-3]
	}
	return algorithm + ":" + hex
}
