package filesystem_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
)

const (
	peers = 2
	// contested uploads are suspended beforehand; every peer goes on with each.
	contested = 12
	// peerSteps is what each peer does at paths that all of them use.
	peerSteps = 150
)

// named is content that says itself what it is: an identifier and its size, and bytes that follow from both.
func named(id uint64, size int) []byte {
	p := binary.BigEndian.AppendUint64(nil, id)
	p = binary.BigEndian.AppendUint64(p, uint64(size))
	for len(p) < size {
		p = append(p, byte(id*31+uint64(len(p))*uint64(1+len(p)>>8)))
	}
	return p
}

// wholeNamed returns an error unless p is what named returns.
func wholeNamed(p []byte) error {
	if len(p) < 16 || !bytes.Equal(p, named(binary.BigEndian.Uint64(p), int(binary.BigEndian.Uint64(p[8:16])))) {
		return fmt.Errorf("a mixture, or not whole: %d bytes", len(p))
	}
	return nil
}

func contestedPath(n int) string { return fmt.Sprintf("/contested/%d", n) }

// peerChild is one of the processes of TestProcessesShareARoot. It goes on with every contested upload, and then
// puts, uploads, moves and deletes where the others do.
func peerChild(root, arg string) error {
	number, err := strconv.Atoi(arg)
	if err != nil {
		return err
	}
	ctx := context.Background()
	d, err := driver(ctx, root, filesystem.FsyncOff)
	if err != nil {
		return err
	}
	defer d.Close()
	writers := make([]storagedriver.FileWriter, contested)
	for n := range writers {
		if writers[n], err = d.Writer(ctx, contestedPath(n), true); err != nil {
			return err
		}
	}
	fmt.Println("open")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil { // until the others are as well
		return err
	}
	for n, w := range writers {
		_, err := w.Write([]byte(strings.Repeat(arg, 20_000)))
		if err == nil {
			err = w.Commit(ctx)
		}
		fmt.Println(n, storagedriver.KindOf(err), err == nil)
		if err != nil {
			_ = w.Cancel(ctx) // it has lost, and what is the other's stays
		}
	}
	return peerMix(ctx, d, rand.New(rand.NewPCG(7, uint64(number))), uint64(number)<<32)
}

// peerMix wants every answer to be one that the contract has for somebody who is not alone.
func peerMix(ctx context.Context, d storagedriver.StorageDriver, random *rand.Rand, id uint64) error {
	paths := []string{"/mix/a", "/mix/b", "/mix/dir/c"}
	for range peerSteps {
		id++
		path, content := paths[random.IntN(len(paths))], named(id, 16+random.IntN(60_000))
		var err error
		switch random.IntN(8) {
		case 0, 1:
			err = d.PutContent(ctx, path, content)
		case 2, 3:
			err = peerUpload(ctx, d, path, content)
		case 4:
			err = d.Move(ctx, path, paths[random.IntN(len(paths))])
		case 5:
			err = d.Delete(ctx, path)
		default:
			var got []byte
			if got, err = d.GetContent(ctx, path); err == nil {
				err = wholeNamed(got)
			}
		}
		allowed := []storagedriver.Kind{storagedriver.KindNotFound, storagedriver.KindConflict}
		if err != nil && !slices.Contains(allowed, storagedriver.KindOf(err)) && !storagedriver.IsTemporary(err) {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func peerUpload(ctx context.Context, d storagedriver.StorageDriver, path string, content []byte) error {
	w, err := d.Writer(ctx, path, false)
	if err != nil {
		return err
	}
	if _, err = w.Write(content); err == nil {
		err = w.Commit(ctx)
	}
	if err != nil {
		return errors.Join(err, w.Cancel(ctx))
	}
	return w.Close()
}

// TestProcessesShareARoot: several processes on one root directory. Of those that go on with one upload exactly one
// commits, and the others are told so; what all of them store at the same paths is never mixed.
func TestProcessesShareARoot(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d, err := driver(ctx, root, filesystem.FsyncOff)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for n := range contested {
		w, err := d.Writer(ctx, contestedPath(n), false)
		if err == nil {
			_, err = w.Write([]byte("begun,"))
		}
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	answers := runPeers(ctx, t, root)
	for n := range contested {
		winner := -1
		for peer := range peers {
			switch answer := answers[peer][n]; answer {
			case fmt.Sprintln(n, storagedriver.KindUnknown, true):
				if winner >= 0 {
					t.Errorf("upload %d was committed by both", n)
				}
				winner = peer
			case fmt.Sprintln(n, storagedriver.KindConflict, false):
			default:
				t.Errorf("upload %d, peer %d: %q", n, peer, answer)
			}
		}
		if winner < 0 {
			t.Errorf("upload %d was committed by nobody", n)
			continue
		}
		got, err := d.GetContent(ctx, contestedPath(n))
		if want := "begun," + strings.Repeat(strconv.Itoa(winner), 20_000); err != nil || string(got) != want {
			t.Errorf("upload %d: %d bytes, %v; want those of peer %d", n, len(got), err, winner)
		}
	}
	err = d.Walk(ctx, "/mix", func(info storagedriver.FileInfo) error {
		if info.IsDir() {
			return nil
		}
		got, err := d.GetContent(ctx, info.Path())
		if err == nil {
			err = wholeNamed(got)
		}
		return err
	})
	if err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound {
		t.Error(err)
	}
	if n, err := countPrivate(root); n > 0 || err != nil {
		t.Errorf("%d private files are left, %v", n, err)
	}
}

// runPeers starts the peers, lets them go on when all are ready, and returns what each said about the contested uploads.
func runPeers(ctx context.Context, t *testing.T, root string) (answers [peers][]string) {
	var in [peers]io.WriteCloser
	var out [peers]*bufio.Reader
	var ended [peers]func() error
	for n := range peers {
		cmd := childCommand(ctx, t, "peer", root, strconv.Itoa(n))
		var err error
		if in[n], err = cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		out[n], ended[n] = bufio.NewReader(stdout), cmd.Wait
	}
	for n := range peers {
		if line, err := out[n].ReadString('\n'); line != "open\n" {
			t.Errorf("peer %d: %q, %v", n, line, err)
		}
	}
	for n := range peers {
		_, _ = io.WriteString(in[n], "go\n")
	}
	for n := range peers {
		for range contested {
			line, err := out[n].ReadString('\n')
			if err != nil {
				t.Errorf("peer %d: %v", n, err)
			}
			answers[n] = append(answers[n], line)
		}
		if rest, err := io.ReadAll(out[n]); err != nil || len(rest) > 0 {
			t.Errorf("peer %d: %s, %v", n, rest, err)
		}
		if err := ended[n](); err != nil {
			t.Errorf("peer %d: %v", n, err)
		}
	}
	return answers
}
