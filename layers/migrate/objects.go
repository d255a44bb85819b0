package migrate

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"

	"github.com/berth-dev/storagedriver"
)

// Where things are: all of it is private, and hidden from callers.
const (
	dir         = "/~migrate"
	idsDir      = dir + "/ids"
	statePath   = dir + "/state"
	finishPath  = dir + "/finish"
	changingDir = dir + "/changing" // marks
	copyingDir  = dir + "/copying"  // intents
	copiesDir   = dir + "/copies"   // of the copier, by path
	movesDir    = dir + "/moves"    // of a Move from old
)

// version is that of all objects. A higher one is refused.
const version = 1

// maxObject bounds what is read of an object of ours: paths of 1 KiB, 256 at a time, escaped.
const maxObject = 4 << 20

func unlessMissing(err error) error {
	if missing(err) {
		return nil
	}
	return err
}

func missing(err error) bool { return storagedriver.KindOf(err) == storagedriver.KindNotFound }

// nonce names a process's objects.
func nonce() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

func putObject(ctx context.Context, b storagedriver.Backend, path string, object any) error {
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return b.Put(ctx, path, storagedriver.BytesSource(text))
}

// getObject reads the object at path. None is KindNotFound.
func getObject(ctx context.Context, b storagedriver.Backend, path string, into any) error {
	body, size, err := b.Read(ctx, path, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	if size > maxObject {
		return storagedriver.Errorf(storagedriver.KindCorrupt, "%s on %s has %d bytes: it is not of this program", path, b.Name(), size)
	}
	var text bytes.Buffer
	if _, err := io.Copy(&text, io.LimitReader(body, maxObject+1)); err != nil {
		return err
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text.Bytes(), &head); err != nil {
		return storagedriver.Errorf(storagedriver.KindCorrupt, "%s on %s is not of this program: %w", path, b.Name(), err)
	}
	if head.Version > version {
		return storagedriver.Errorf(storagedriver.KindUnsupported, "%s on %s has version %d, and this program knows %d: use a newer one", path, b.Name(), head.Version, version)
	}
	if err := json.Unmarshal(text.Bytes(), into); err != nil {
		return storagedriver.Errorf(storagedriver.KindCorrupt, "%s on %s is not of this program: %w", path, b.Name(), err)
	}
	return nil
}

// listObjects returns the paths of the objects in a directory of ours. What drivers keep there beside them is left out.
func listObjects(ctx context.Context, b storagedriver.Backend, directory string) ([]string, error) {
	entries, err := listAll(ctx, b, directory, "")
	if err != nil {
		return nil, unlessMissing(err)
	}
	var paths []string
	for _, e := range entries {
		if !e.Dir && !storagedriver.IsPrivate(e.Name) {
			paths = append(paths, storagedriver.JoinPath(directory, e.Name))
		}
	}
	return paths, nil
}

// listAll returns the rest of a listing.
func listAll(ctx context.Context, b storagedriver.Backend, directory, cursor string) ([]storagedriver.Entry, error) {
	var all []storagedriver.Entry
	seen := map[string]bool{}
	for {
		page, err := b.List(ctx, directory, cursor, listPage)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Entries...)
		if cursor = page.Cursor; cursor == "" {
			return all, nil
		}
		if seen[cursor] {
			return nil, storagedriver.Errorf(storagedriver.KindCorrupt, "the listing of %s goes in circles", directory)
		}
		seen[cursor] = true
	}
}
