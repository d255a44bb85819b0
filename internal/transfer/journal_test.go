package transfer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/internal/transfer"
)

// journaled copies /a to /b with the journal in the file.
func journaled(t *testing.T, src, dst storagedriver.StorageDriver, file string, verify transfer.Verify) (transfer.Summary, int64) {
	t.Helper()
	j, err := transfer.OpenJournal(file)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	var e events
	s, err := transfer.Tree(t.Context(), src, dst, "/a", "/b", transfer.Options{Journal: j, Verify: verify, Progress: e.tell})
	if err != nil {
		t.Fatal(err)
	}
	return s, e.bytes(transfer.Read) + e.bytes(transfer.ReadBack)
}

func TestJournal(t *testing.T) {
	src, root := onDisk(t)
	dst, _ := inMemory(t)
	put(t, src, "/a/1", content(1000, 1))
	put(t, src, "/a/2", content(1000, 2))
	file := filepath.Join(t.TempDir(), "journal")
	if s, _ := journaled(t, src, dst, file, ""); s.Skipped != 0 || s.Written != 2000 {
		t.Errorf("got %+v", s)
	}
	if s, read := journaled(t, src, dst, file, ""); s.Skipped != 2 || read != 0 {
		t.Errorf("want nothing to be read of what is in the journal, got %+v and %d bytes", s, read)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(root, "a/1"), later, later); err != nil {
		t.Fatal(err)
	}
	if s, read := journaled(t, src, dst, file, ""); s.Skipped != 2 || read != 2000 {
		t.Errorf("want both sides of the file of another time to be read, got %+v and %d bytes", s, read)
	}
	if s, read := journaled(t, src, dst, file, ""); s.Skipped != 2 || read != 0 {
		t.Errorf("want the new time in the journal, got %+v and %d bytes", s, read)
	}
	if err := dst.Delete(t.Context(), "/b/2"); err != nil {
		t.Fatal(err)
	}
	if s, _ := journaled(t, src, dst, file, ""); s.Skipped != 1 || s.Written != 1000 {
		t.Errorf("want what is gone to be copied again, got %+v", s)
	}
	put(t, dst, "/b/2", []byte("short"))
	if s, _ := journaled(t, src, dst, file, ""); s.Skipped != 1 || s.Written != 1000 {
		t.Errorf("want what has another size to be copied again, got %+v", s)
	}
	file += "2"
	journaled(t, src, dst, file, "")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text[:len(text)-5], 0o600); err != nil { // as a process leaves it that is killed
		t.Fatal(err)
	}
	journaled(t, src, dst, file, "")
	if s, read := journaled(t, src, dst, file, ""); s.Skipped != 2 || read != 0 {
		t.Errorf("after a torn line: got %+v and %d bytes", s, read)
	}
}

func TestJournalOfWeakerComparisons(t *testing.T) {
	src, _ := onDisk(t)
	dst, _ := inMemory(t)
	put(t, src, "/a/1", content(1000, 1))
	file := filepath.Join(t.TempDir(), "journal")
	journaled(t, src, dst, file, transfer.VerifySize)
	put(t, dst, "/b/1", content(1000, 2))
	if s, _ := journaled(t, src, dst, file, transfer.VerifyNone); s.Skipped != 1 {
		t.Errorf("got %+v", s)
	}
	if s, _ := journaled(t, src, dst, file, transfer.VerifyDigest); s.Skipped != 0 || s.Written != 1000 {
		t.Errorf("want a file whose size alone was compared to be compared again, got %+v", s)
	}
	wantContent(t, dst, "/b/1", content(1000, 1))
}

func TestNoJournal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yml")
	text := "version: 0.1\nstorage: inmemory\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := transfer.OpenJournal(file)
	wantKind(t, err, storagedriver.KindInvalidArgument, file+":1:")
	if got, err := os.ReadFile(file); err != nil || string(got) != text {
		t.Errorf("another file was changed: %q, %v", got, err)
	}
	if _, err := transfer.OpenJournal(filepath.Join(file, "below")); err == nil || !strings.Contains(err.Error(), "the journal") {
		t.Errorf("got %v", err)
	}
}
