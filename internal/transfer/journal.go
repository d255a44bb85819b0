package transfer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

// Journal is a file of finished files, one line of JSON each. It belongs to one pair of source and destination, which it does not name.
// A nil Journal has nothing and notes nothing. Its methods may be called concurrently.
type Journal struct {
	mu    sync.Mutex
	file  *os.File
	known map[string]line // by the path in the destination
}

// line is what is noted of one file.
type line struct {
	From     string    `json:"from"`
	To       string    `json:"to"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"` // of the source
	Verify   Verify    `json:"verify"`
	Digest   string    `json:"digest,omitempty"`
}

// OpenJournal opens the journal in the file at path, which is made when it does not exist. The caller closes it. A last line that a
// killed process did not finish is cut off; another that is none is KindInvalidArgument.
func OpenJournal(path string) (_ *Journal, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the journal: %w", err)
	}
	j := &Journal{file: file, known: map[string]line{}}
	if err := j.read(path); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return j, nil
}

func (j *Journal) read(path string) error {
	r := bufio.NewReader(j.file)
	var end int64
	for n := 1; ; n++ {
		text, err := r.ReadBytes('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("the journal: %w", err)
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil || l.To == "" {
			return storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s:%d: this is no line of a journal: name another file, or remove it", path, n)
		}
		j.known[l.To] = l
		end += int64(len(text))
	}
	if err := j.file.Truncate(end); err != nil {
		return fmt.Errorf("the journal: %w", err)
	}
	return nil
}

// finished reports whether the source that info describes was copied to the path to, and compared as well as o wants it, and its digest.
func (j *Journal) finished(to string, info storagedriver.FileInfo, o Options) (digest string, ok bool) {
	if j == nil {
		return "", false
	}
	j.mu.Lock()
	l, ok := j.known[to]
	j.mu.Unlock()
	modified := info.ModTime()
	ok = ok && l.From == info.Path() && l.Size == info.Size() && !l.Modified.IsZero() && !modified.IsZero() && sameTime(l.Modified, modified) && l.Verify.covers(o)
	return l.Digest, ok
}

// covers reports whether a file that was compared so is good enough for o.
func (v Verify) covers(o Options) bool {
	return v == VerifyDigest || o.Verify == VerifyNone || !o.digests() && v == VerifySize
}

// note notes a file that is finished, whose source info describes. One whose time of change is not known is not noted.
func (j *Journal) note(r Result, info storagedriver.FileInfo, o Options) error {
	if j == nil || info.ModTime().IsZero() {
		return nil
	}
	l := line{From: r.From, To: r.To, Size: info.Size(), Modified: info.ModTime().UTC(), Verify: o.Verify, Digest: r.Digest}
	if l.Verify == "" {
		l.Verify = VerifyDigest
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	// Without known: nobody comes back to a file in one run.
	if _, err := j.file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("the journal: %w", err)
	}
	return nil
}

// Close closes the file.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}
