package factory

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/berth-dev/storagedriver"
)

// SearchPathVariable names the environment variable with folders of drivers, separated
// as in PATH.
const SearchPathVariable = "BERTH_DRIVER_PATH"

// DefaultSearchPath returns the folders in SearchPathVariable and then the executable's. It
// is called with os.Getenv and os.Executable; an executable that cannot be found has no
// folder.
func DefaultSearchPath(getenv func(string) string, executable func() (string, error)) []string {
	folders := slices.DeleteFunc(filepath.SplitList(getenv(SearchPathVariable)), func(s string) bool { return s == "" })
	if path, err := executable(); err == nil && path != "" {
		folders = append(folders, filepath.Dir(path))
	}
	return folders
}

// File is a driver's file in the search path.
type File struct {
	// Name is the driver's name.
	Name string
	// Path is where the file is.
	Path string
}

// Files returns the files in the search path that Create would load, in the order of the
// search path and of their names. Folders that cannot be read are left out.
func (r *Registry) Files() []File {
	r.mu.RLock()
	loaders := slices.Clone(r.loaders)
	seen := make(map[string]bool)
	for name := range r.factories {
		seen[name] = true
	}
	r.mu.RUnlock()
	var files []File
	for _, folder := range r.folders() {
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue
		}
		for _, l := range loaders {
			for _, e := range entries {
				name, ok := l.nameOf(e.Name())
				path := filepath.Join(folder, e.Name())
				if !ok || seen[name] || !isFile(path) {
					continue
				}
				seen[name] = true
				files = append(files, File{name, path})
			}
		}
	}
	return files
}

// Find returns the file that Create would load for name, which is then not a registered one.
// When there is none, the error is an InvalidStorageDriverError.
func (r *Registry) Find(name string) (File, error) {
	r.mu.RLock()
	_, taken := r.factories[name]
	loaders := slices.Clone(r.loaders)
	r.mu.RUnlock()
	if taken {
		return File{}, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the driver %s is compiled in: it has no file", quote(name))
	}
	_, file, err := r.find(name, loaders)
	return file, err
}

// find searches for the file of a driver, and says who loads it.
func (r *Registry) find(name string, loaders []Loader) (Loader, File, error) {
	unknown := InvalidStorageDriverError{Name: name, Known: r.Names()}
	if !ValidName(name) {
		return Loader{}, File{}, unknown // it must not become part of a file's path
	}
	for _, folder := range r.folders() {
		for _, l := range loaders {
			path := filepath.Join(folder, l.Prefix+name+l.Suffix)
			info, err := os.Stat(path)
			switch {
			case err == nil && info.Mode().IsRegular():
				return l, File{name, path}, nil
			case err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
				// A folder of the search path may be missing, or not be a folder.
				unknown.Searched = append(unknown.Searched, path)
			default:
				return Loader{}, File{}, storagedriver.WrapError("Open", name, "", err)
			}
		}
	}
	return Loader{}, File{}, unknown
}

// load searches for the file of a driver and opens it.
func (r *Registry) load(ctx context.Context, name string, loaders []Loader, parameters map[string]any) (storagedriver.StorageDriver, error) {
	l, file, err := r.find(name, loaders)
	if err != nil {
		return nil, err
	}
	d, err := l.Load(ctx, file.Path, parameters)
	if err != nil {
		return nil, storagedriver.WrapError("Open", name, "", err)
	}
	if d == nil {
		return nil, nothing(name)
	}
	return d, nil
}

func (r *Registry) folders() []string {
	return slices.DeleteFunc(slices.Clone(r.SearchPath), func(s string) bool { return s == "" })
}

// nameOf returns the driver's name in the name of a file of l.
func (l Loader) nameOf(file string) (name string, ok bool) {
	if len(file) < len(l.Prefix)+len(l.Suffix) || !strings.HasPrefix(file, l.Prefix) || !strings.HasSuffix(file, l.Suffix) {
		return "", false
	}
	name = file[len(l.Prefix) : len(file)-len(l.Suffix)]
	return name, ValidName(name)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
