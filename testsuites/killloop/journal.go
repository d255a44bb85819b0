package killloop

import (
	"encoding/json"
	"io"
	"sync"
)

// line is one of the journal.
type line struct {
	Op   operation `json:"op"`
	Path string    `json:"path,omitempty"`
	Dest string    `json:"dest,omitempty"` // of a move
	// Content is what the path is to hold.
	Content content `json:"content,omitzero"`
	// At is the size of the upload: after open and suspend.
	At int64 `json:"at,omitempty"`
	// Done: the effect was acknowledged. Otherwise it is about to happen.
	Done bool `json:"done,omitempty"`
	// Lost: another writer took the upload over. Only at shared paths.
	Lost  bool   `json:"lost,omitempty"`
	Error string `json:"error,omitempty"`
}

type operation string

const (
	opPut     operation = "put"
	opFresh   operation = "fresh"  // Writer without append
	opResume  operation = "resume" // Writer with append
	opSuspend operation = "suspend"
	opCommit  operation = "commit"
	opCancel  operation = "cancel"
	opMove    operation = "move"
	opDelete  operation = "delete"
	opFailed  operation = "failed" // the child cannot go on
)

// journal writes lines to a pipe. Each is one write of less than PIPE_BUF bytes (4,096), so that a process that is
// killed leaves whole lines.
type journal struct {
	mu sync.Mutex
	w  io.Writer
}

func (j *journal) write(l line) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err = j.w.Write(append(b, '\n'))
	return err
}

// task is what a child is told.
type task struct {
	Seed uint64 `json:"seed"`
	// Round makes the child's contents its own.
	Round int `json:"round"`
	// Files are the paths that hold something, of those that belong to one goroutine.
	Files map[string]content `json:"files"`
	// Uploads are the unfinished uploads, with the content each is to be.
	Uploads map[string]unfinished `json:"uploads"`
}

// unfinished is an upload of which At bytes are stored.
type unfinished struct {
	Content content `json:"content"`
	At      int64   `json:"at"`
}
