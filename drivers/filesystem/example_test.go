package filesystem_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/layers"
)

func ExampleOpen() {
	ctx := context.Background()
	root, err := os.MkdirTemp("", "registry")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(root)
	b, err := filesystem.Open(ctx, map[string]any{"rootdirectory": root})
	if err != nil {
		fmt.Println(err)
		return
	}
	d := layers.Complete(b)
	defer d.Close()
	fmt.Println(d.PutContent(ctx, "/docker/registry/v2/version", []byte("2.0")))
	content, err := os.ReadFile(filepath.Join(root, "docker/registry/v2/version"))
	fmt.Println(string(content), err)
	// Output:
	// <nil>
	// 2.0 <nil>
}

// Parameters are checked by name.
func ExampleOpen_parameters() {
	_, err := filesystem.Open(context.Background(), map[string]any{"rootdir": "/var/lib/registry"})
	fmt.Println(storagedriver.KindOf(err), strings.Contains(err.Error(), "allowed are"))
	// Output: invalid argument true
}
