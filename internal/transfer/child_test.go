package transfer_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/internal/transfer"
	"github.com/berth-dev/storagedriver/layers"
)

// childVariable makes the test binary a process that copies: SOURCE|DESTINATION|JOURNAL|BYTES, the roots of two filesystem drivers.
const childVariable = "TRANSFER_TEST_CHILD"

func TestMain(m *testing.M) {
	if arg := os.Getenv(childVariable); arg != "" {
		fmt.Println("error:", copyAndHang(strings.Split(arg, "|")))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// afterAWhile is for what must not happen.
func afterAWhile() <-chan time.Time { return time.After(50 * time.Millisecond) }

// copyAndHang copies until that many bytes were read of /big and a file is finished, says so, and hangs.
func copyAndHang(args []string) error {
	ctx := context.Background()
	src, err := filesystem.New(ctx, filesystem.Config{RootDirectory: args[0], Fsync: filesystem.FsyncOff})
	if err != nil {
		return err
	}
	dst, err := filesystem.New(ctx, filesystem.Config{RootDirectory: args[1], Fsync: filesystem.FsyncOff})
	if err != nil {
		return err
	}
	j, err := transfer.OpenJournal(args[2])
	if err != nil {
		return err
	}
	var most, read int64
	if _, err := fmt.Sscan(args[3], &most); err != nil {
		return err
	}
	o := transfer.Options{Journal: j, Parallel: 1, Progress: func(e transfer.Event) {
		if e.Stage == transfer.Read && e.Path == "/tree/big" {
			if read += e.Bytes; read >= most {
				fmt.Println("hanging")
				select {} // until killed
			}
		}
	}}
	_, err = transfer.Tree(ctx, layers.Complete(src), layers.Complete(dst, layers.WithPartSize(64<<10)), "/tree", "/copy", o)
	return err
}

// TestKilledCopyIsContinued kills a process in the middle of a large file, with files before it and after.
func TestKilledCopyIsContinued(t *testing.T) {
	src, root := onDisk(t)
	dst, to := onDisk(t)
	big := content(6<<20, 1)
	put(t, src, "/tree/a", content(10, 1))
	put(t, src, "/tree/b", content(100_000, 1))
	put(t, src, "/tree/big", big)
	put(t, src, "/tree/c", content(20, 1))
	journal := filepath.Join(t.TempDir(), "journal")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var kept int64
	for _, most := range []int64{5 << 19, 9 << 19} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, self)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s|%s|%d", childVariable, root, to, journal, most))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if said, err := bufio.NewReader(out).ReadString('\n'); said != "hanging\n" {
			t.Errorf("the child said %q, %v", said, err)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if _, err := os.Stat(filepath.Join(to, "copy/big")); !os.IsNotExist(err) {
			t.Fatalf("want nothing to be seen of the large file, got %v", err)
		}
		// What was in flight is lost: a few parts of 64 KiB.
		if kept = suspendedSize(t, dst, "/copy/big"); kept > most || kept < most-1<<20 {
			t.Errorf("killed after %d bytes: %d are kept", most, kept)
		}
	}
	j, err := transfer.OpenJournal(journal)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	var e events
	s, err := transfer.Tree(t.Context(), src, dst, "/tree", "/copy", transfer.Options{Journal: j, Progress: e.tell})
	if err != nil || s.Files != 4 || s.Skipped != 2 || s.Resumed != 1 || s.Written != 6<<20-kept+20 {
		t.Errorf("got %+v, %v", s, err)
	}
	for _, one := range e.all {
		if (one.Path == "/tree/a" || one.Path == "/tree/b") && (one.Stage == transfer.Read || one.Stage == transfer.ReadBack) {
			t.Errorf("%s is in the journal and was read", one.Path)
		}
	}
	wantContent(t, dst, "/copy/big", big)
	wantContent(t, dst, "/copy/a", content(10, 1))
	wantContent(t, dst, "/copy/b", content(100_000, 1))
	wantContent(t, dst, "/copy/c", content(20, 1))
}
