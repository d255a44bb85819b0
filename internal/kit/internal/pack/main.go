// Command pack writes the SDKs and the drivers that projects begin as into one file:
//
//	go run ./internal/pack ../.. kit.zip
//
// The file is left alone when it has all that already, so that it does not depend on who compresses.
package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// folders are what is packed, by the name that it has there.
var folders = map[string]string{
	"sdk/rust": "guest-sdk/rust", "sdk/go": "guest-sdk/go", "sdk/c": "guest-sdk/c",
	"new/rust": "examples/memory", "new/go": "examples/go-memory", "new/c": "examples/c-memory",
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pack ROOT OUTPUT")
		os.Exit(2)
	}
	if err := pack(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func pack(root, output string) error {
	files := map[string][]byte{}
	for to, from := range folders {
		if err := add(files, to, filepath.Join(root, from)); err != nil {
			return err
		}
	}
	if old, err := os.ReadFile(output); err == nil && same(old, files) {
		return nil
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate}) // without a time
		if err != nil {
			return err
		}
		if _, err := f.Write(files[name]); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(output, out.Bytes(), 0o644)
}

// add adds the files of a folder that a project needs: of an SDK those that are no tests.
func add(files map[string][]byte, to, from string) error {
	sdk := strings.HasPrefix(to, "sdk/")
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			left := []string{"target"}
			if sdk {
				left = []string{"target", "internal", "tests", "testdata"}
			}
			if slices.Contains(left, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !packed(d.Name(), sdk) {
			return nil
		}
		relative, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(name)
		files[path.Join(to, filepath.ToSlash(relative))] = content
		return err
	})
}

func packed(name string, sdk bool) bool {
	switch path.Ext(name) {
	case ".go", ".rs", ".h", ".c", ".md", ".toml", ".mod", ".yml":
		return !sdk || !strings.HasSuffix(name, "_test.go") && !strings.HasSuffix(name, "_test.c")
	}
	return name == "Cargo.lock" || name == ".gitignore"
}

// same reports whether the archive has these files.
func same(archive []byte, files map[string][]byte) bool {
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil || len(r.File) != len(files) {
		return false
	}
	for _, f := range r.File {
		content, err := read(f)
		if want, ok := files[f.Name]; err != nil || !ok || !bytes.Equal(content, want) {
			return false
		}
	}
	return true
}

func read(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
