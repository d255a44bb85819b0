package ipc_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/ipc"
)

// A driver in a process of its own: here the filesystem driver, whose executable is built first.
func ExampleNew() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "berth-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "registry-storage-filesystem")
	const source = "github.com/berth-dev/storagedriver/drivers/filesystem/registry-storage-filesystem"
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", path, source).CombinedOutput(); err != nil { // make drivers
		fmt.Println(err, string(out))
		return
	}

	d, err := ipc.New(ctx, path, map[string]any{"rootdirectory": filepath.Join(folder, "data")}, ipc.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close() // which ends the process
	fmt.Println(d.PutContent(ctx, "/a", []byte("through a socket")))
	content, err := d.GetContent(ctx, "/a")
	fmt.Println(d.Name(), d.Version(), string(content), err)
	// Output:
	// <nil>
	// filesystem 1.0 through a socket <nil>
}

// The whole main function of the executable registry-storage-filesystem. The struct says which parameters there are, and its tags
// which of them are secret.
func ExampleMain() {
	ipc.Main("filesystem", filesystem.Open, filesystem.Config{})
}
