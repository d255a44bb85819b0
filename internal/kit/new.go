package kit

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
)

//go:generate go run ./internal/pack ../.. kit.zip

// archive has the SDKs, in the folders sdk/LANGUAGE, and the drivers that projects begin as, in new/LANGUAGE.
//
//go:embed kit.zip
var archive []byte

// New makes a project in the folder dir, which it makes too: a driver called name that keeps objects in memory, with the SDK that it needs. A folder that has something in it
// already is KindConflict, and is left alone; a name that no driver can have is KindInvalidArgument. Of a project that cannot be written whole nothing is left.
func New(dir, name string, l Language) (_ *Project, err error) {
	if !validName(name) {
		return nil, badName(name)
	}
	if there, err := os.ReadDir(dir); err == nil && len(there) > 0 {
		return nil, storagedriver.Errorf(storagedriver.KindConflict, "%s is not empty: name a folder that is not there yet", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, err
	}
	from := string(l)
	if l == TinyGo {
		from = string(Go)
	}
	renamed := renaming(name, l)
	var made []string
	defer func() {
		if err != nil {
			for _, path := range slices.Backward(made) {
				_ = os.Remove(path) // one with something of another's in it stays
			}
		}
	}()
	for _, f := range r.File {
		var to string
		if rest, ok := strings.CutPrefix(f.Name, "new/"+from+"/"); ok {
			to = rest
		} else if rest, ok := strings.CutPrefix(f.Name, "sdk/"+from+"/"); ok {
			to = path.Join("sdk", rest)
		} else {
			continue
		}
		content, err := unpack(f)
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(to, "sdk/") {
			content = []byte(renamed.Replace(string(content)))
		}
		out := filepath.Join(dir, filepath.FromSlash(to))
		folders, err := makeFolders(filepath.Dir(out))
		if made = append(made, folders...); err != nil {
			return nil, err
		}
		made = append(made, out)
		if err := os.WriteFile(out, content, 0o644); err != nil {
			return nil, err
		}
	}
	return Read(dir)
}

// makeFolders makes the folder dir and those above it, and returns those that were not there, the highest first.
func makeFolders(dir string) (made []string, err error) {
	if _, err := os.Stat(dir); err == nil {
		return nil, nil
	}
	if up := filepath.Dir(dir); up != dir {
		if made, err = makeFolders(up); err != nil {
			return made, err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return made, err
	}
	return append(made, dir), nil
}

func unpack(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// renaming makes of an example of this repository the beginning of somebody's driver: its name, and where its SDK is.
func renaming(name string, l Language) *strings.Replacer {
	const examples = "github.com/berth-dev/storagedriver/examples/go-memory"
	pairs := []string{
		examples, name,
		"../../guest-sdk/rust", "sdk", "../../guest-sdk/go", "./sdk", "../../guest-sdk/c", "sdk",
		"rust-memory", name, "go-memory", name, "c-memory", name,
	}
	if l == TinyGo {
		pairs = append(pairs, "language: go", "language: tinygo", "      - run: berth driver build\n", "      - uses: acifani/setup-tinygo@v2\n        with: {tinygo-version: '0.34.0'}\n      - run: berth driver build\n")
	}
	return strings.NewReplacer(pairs...)
}
