//go:build servers

package s3bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
)

// populating is how many objects are put at a time.
const populating = 16

// layersOf is how many layers a repository of the tree has: some images of some layers each.
const layersOf = 50

func digestOf(name string, n int) string {
	sum := sha256.Sum256([]byte(name + "/" + strconv.Itoa(n)))
	return hex.EncodeToString(sum[:])
}

// treeObject is the path of the n-th object of a registry: blobs and links to them in turn.
func treeObject(n int) string {
	digest := digestOf("tree", n/2)
	if n%2 == 0 {
		return registry + "/blobs/sha256/" + digest[:2] + "/" + digest + "/data"
	}
	return fmt.Sprintf("%s/repositories/group/app%04d/_layers/sha256/%s/link", registry, n/2/layersOf, digest)
}

// goneDir is the directory of the repository that a task deletes.
func goneDir(name string) string { return registry + "/repositories/" + name }

func goneObject(name string) func(n int) string {
	return func(n int) string { return goneDir(name) + "/_layers/sha256/" + digestOf(name, n) + "/link" }
}

// populate puts count small objects.
func populate(ctx context.Context, d store, count int, path func(n int) string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(populating)
	for n := range count {
		group.Go(func() error { return d.PutContent(ctx, path(n), []byte("0123456789")) })
	}
	return group.Wait()
}

// treeDirs is how many directories there are below the registry's in a tree of count objects.
func treeDirs(count int) int {
	dirs := map[string]bool{}
	for n := range count {
		for p := treeObject(n); ; {
			p = p[:strings.LastIndexByte(p, '/')]
			if p == registry || dirs[p] {
				break
			}
			dirs[p] = true
		}
	}
	return len(dirs)
}
