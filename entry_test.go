package storagedriver_test

import (
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
)

func TestFileInfo(t *testing.T) {
	now := time.Now()
	file := storagedriver.NewFileInfo("/a/b", storagedriver.Entry{Name: "b", Size: 5, ModTime: now})
	if file.Path() != "/a/b" || file.Size() != 5 || !file.ModTime().Equal(now) || file.IsDir() {
		t.Errorf("a file: %+v", file)
	}
	dir := storagedriver.NewFileInfo("/a", storagedriver.Entry{Size: 4096, ModTime: now, Dir: true})
	if dir.Path() != "/a" || dir.Size() != 0 || !dir.IsDir() {
		t.Errorf("a directory: %+v", dir)
	}
}
