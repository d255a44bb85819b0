package filesystem_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
)

// hangingChild does what mode says until it hangs in a body, having said so.
func hangingChild(root, mode string) error {
	ctx := context.Background()
	d, err := filesystem.New(ctx, filesystem.Config{RootDirectory: root})
	if err != nil {
		return err
	}
	hang := source{1 << 30, func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("lost", 100_000)), hanging{})), nil
	}}
	if mode == "put" {
		return d.Put(ctx, "/dir/f", hang)
	}
	up, err := d.OpenUpload(ctx, "/dir/f", mode != "first-part")
	if err != nil {
		return err
	}
	receipts := up.Receipts
	if receipts == nil {
		receipts = &storagedriver.Receipts{}
	}
	var end int64
	for _, r := range receipts.All() {
		end += r.Size
	}
	if mode == "commit" {
		return d.CommitUpload(ctx, up.Token, receipts, hang)
	}
	_, err = d.PutPart(ctx, up.Token, storagedriver.Part{Number: receipts.Len() + 1, Offset: end, Body: hang})
	return err
}

type hanging struct{}

func (hanging) Read([]byte) (int, error) {
	fmt.Println("hanging")
	select {} // until killed
}

func TestKilledWriter(t *testing.T) {
	for _, c := range []struct {
		mode      string
		committed string // at the path before
		head      string // of the suspended upload before
		size      int64  // of the upload afterwards
	}{
		{"put", "old", "", -1},
		{"first-part", "", "", -1},
		{"part", "", "head,", 5},
		{"part", "old", "", 3}, // on a copy of what is committed
		{"commit", "old", "head,", 5},
	} {
		t.Run(c.mode, func(t *testing.T) {
			root := t.TempDir()
			d := openDurable(t, root)
			if c.committed != "" {
				put(t, d, "/dir/f", c.committed)
			}
			if c.head != "" {
				if err := upload(t, d, "/dir/f", false).parts(c.head).suspend(); err != nil {
					t.Fatal(err)
				}
			}
			kill(t, root, c.mode)
			if c.committed != "" {
				if got := get(t, d, "/dir/f"); got != c.committed {
					t.Errorf("the committed content is %q, want %q", got, c.committed)
				}
			} else if _, err := d.Stat(t.Context(), "/dir/f"); storagedriver.KindOf(err) != storagedriver.KindNotFound {
				t.Errorf("Stat: %v, want nothing", err)
			}
			if c.mode != "put" {
				wantSize(t, d, "/dir/f", c.size)
			}
			if c.mode == "put" {
				put(t, d, "/dir/f", c.committed)
				wantFiles(t, root, "dir/f")
			}
			upload(t, d, "/dir/f", true).parts("more,").mustCommit("end")
			wantFiles(t, root, "dir/f")
			want := c.head + "more,end"
			if c.head == "" {
				want = c.committed + want
			}
			if got := get(t, d, "/dir/f"); got != want {
				t.Errorf("after going on: %d bytes, want %q", len(got), want)
			}
			if err := errors.Join(d.AbortUploads(t.Context(), "/dir/f"), d.DeleteTree(t.Context(), "/dir")); err != nil {
				t.Error(err)
			}
			wantFiles(t, root)
		})
	}
}

// kill runs the child until it hangs, and kills it.
func kill(t *testing.T, root, mode string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := childCommand(ctx, t, "hanging", root, mode)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "hanging\n" {
		t.Errorf("the child said %q, %v", line, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}
