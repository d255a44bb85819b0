// Command berth runs OCI registries on storage drivers, compiled in, sandboxed or in processes of their own, and looks at drivers.
package main

import (
	"context"
	"os"
)

// version is set by the linker.
var version = "development"

func main() {
	a := &app{
		stdin:      os.Stdin,
		stdout:     os.Stdout,
		stderr:     os.Stderr,
		getenv:     os.Getenv,
		executable: os.Executable,
	}
	os.Exit(a.main(context.Background(), os.Args[1:]))
}
