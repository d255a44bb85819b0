package served

import (
	"context"
	"io"
	"sync"

	"github.com/berth-dev/storagedriver"
)

// maxPart is the most bytes of a part. It bounds what the host's writers collect; the driver's collect for themselves.
const maxPart = 4 << 20

var partLimits = storagedriver.PartLimits{Max: maxPart, Sequential: true}

// OpenUpload implements storagedriver.Backend. Without append as well it opens the writer, which knows from then on whether another has moved on.
func (s *backend) OpenUpload(ctx context.Context, path string, append bool) (storagedriver.Upload, error) {
	path = EscapePath(path)
	if err := storagedriver.ValidatePath(path); err != nil { // a token has room for no other
		return storagedriver.Upload{}, err
	}
	t := newToken(path, append)
	upload := storagedriver.Upload{Token: t.name, Limits: partLimits}
	if append {
		if err := s.uploads.settle(ctx, path); err != nil {
			return upload, err
		}
	}
	var size int64
	err := s.uploads.with(ctx, t.name, func(ctx context.Context, k *keptWriter) error {
		w, err := s.uploads.open(k, append)
		if err != nil {
			s.uploads.drop(k)
			return err
		}
		k.adopt(w)
		size = w.Size()
		return nil
	})
	if err != nil {
		return upload, err
	}
	if size > 0 {
		// What earlier writers stored is one part to this one.
		upload.Resumed, upload.Receipts = true, &storagedriver.Receipts{}
		upload.Receipts.Set(storagedriver.Receipt{Number: 1, Size: size, Data: []byte{}})
	}
	return upload, nil
}

// PutPart implements storagedriver.Backend.
func (s *backend) PutPart(ctx context.Context, token string, part storagedriver.Part) ([]byte, error) {
	return []byte{}, s.uploads.with(ctx, token, func(ctx context.Context, k *keptWriter) error {
		return s.uploads.write(ctx, k, part.Offset, part.Body)
	})
}

// SuspendUpload implements storagedriver.Backend.
func (s *backend) SuspendUpload(ctx context.Context, token string, receipts *storagedriver.Receipts, tail storagedriver.Source) error {
	return s.uploads.with(ctx, token, func(ctx context.Context, k *keptWriter) error {
		end := receiptsEnd(receipts)
		if k.w == nil && end == 0 && tail == nil {
			return nil
		}
		if err := s.uploads.write(ctx, k, end, tail); err != nil {
			return err
		}
		return k.close()
	})
}

// CommitUpload implements storagedriver.Backend.
func (s *backend) CommitUpload(ctx context.Context, token string, receipts *storagedriver.Receipts, last storagedriver.Source) error {
	return s.uploads.with(ctx, token, func(ctx context.Context, k *keptWriter) error {
		if err := s.uploads.write(ctx, k, receiptsEnd(receipts), last); err != nil {
			return err
		}
		if err := k.w.Commit(ctx); err != nil {
			k.broken = true // all that a FileWriter owes now is to be closed or cancelled
			return k.told(err)
		}
		_ = k.close() // nothing, after a commit
		s.uploads.drop(k)
		return nil
	})
}

// CancelUpload implements storagedriver.Backend. What a process suspended that is no more, or so long ago that its writer is not kept, stays:
// nobody can tell it from what another has made of it.
func (s *backend) CancelUpload(ctx context.Context, token string) error {
	if !s.uploads.has(token) {
		return nil
	}
	return s.uploads.with(ctx, token, func(ctx context.Context, k *keptWriter) error {
		if k.w != nil {
			if err := k.w.Cancel(ctx); err != nil {
				return Cause(err)
			}
			_ = k.close() // nothing, after a cancel
		}
		s.uploads.drop(k)
		return nil
	})
}

// AbortUploads implements storagedriver.Backend. It ends the upload suspended at path, and the writers that are kept for path and for
// what is below it. A StorageDriver ends what others have suspended below a directory when that is deleted or moved, which is what a gate does next, and
// not otherwise: it is not done here because what somebody commits there meanwhile would go as well.
func (s *backend) AbortUploads(ctx context.Context, path string) error {
	path = EscapePath(path)
	for _, k := range s.uploads.find(func(k *keptWriter) bool { return k.path == path || storagedriver.IsBelow(k.path, path) }) {
		if err := s.uploads.abort(ctx, k); err != nil {
			return err
		}
	}
	w, err := s.d.Writer(ctx, path, false)
	if err == nil {
		err = w.Cancel(ctx)
		if closeErr := w.Close(); err == nil {
			err = closeErr
		}
		return Cause(err)
	}
	switch storagedriver.KindOf(err) {
	case storagedriver.KindInvalidPath, storagedriver.KindNotFound, storagedriver.KindUnsupported:
		return nil // no upload can be there
	}
	if info, statErr := s.d.Stat(ctx, path); statErr == nil && info.IsDir() {
		return nil
	}
	return Cause(err)
}

// buffers are for copying parts.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// receiptsEnd returns the offset at which receipts end.
func receiptsEnd(receipts *storagedriver.Receipts) int64 {
	if last := receipts.Page(receipts.Len()-1, 1); len(last) == 1 {
		return last[0].Offset + last[0].Size
	}
	return 0
}

// write has the upload, which must be at offset, take body, which may be nil. What of it was accepted before is left out.
func (u *uploads) write(ctx context.Context, k *keptWriter, offset int64, body storagedriver.Source) error {
	var size int64
	if body != nil {
		size = body.Size()
	}
	if err := u.reach(k, offset, size); err != nil {
		return err
	}
	skip := k.w.Size() - offset
	if skip >= size {
		return nil
	}
	r, err := body.Open(ctx)
	if err != nil {
		return err
	}
	exact := storagedriver.ExactBody(r, size)
	defer exact.Close()
	if _, err := io.CopyN(io.Discard, exact, skip); err != nil {
		return err
	}
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	_, err = io.CopyBuffer(acceptor{k}, exact, buffer[:])
	return err
}

// reach makes sure that an open writer is at offset, or within the size bytes that follow.
func (u *uploads) reach(k *keptWriter, offset, size int64) error {
	if k.over != nil {
		return k.over
	}
	w := k.w
	if !k.open {
		var err error
		if w, err = u.reopen(k, offset); err != nil {
			return err
		}
	}
	at, most := w.Size(), offset+size
	if k.w != nil && size == 0 {
		most = at // half of a part that will not come again
	}
	if at < offset || at > most {
		if !k.open {
			_ = w.Close() // it has accepted nothing
		}
		return movedOn(at, offset)
	}
	k.adopt(w)
	return nil
}

// reopen opens a writer that goes on where k was, or at offset if k was in another process.
func (u *uploads) reopen(k *keptWriter, offset int64) (storagedriver.FileWriter, error) {
	var size int64 // of what is there for certain
	if k.w != nil {
		size = k.w.Size()
	}
	if !k.append && offset == 0 && size == 0 {
		return u.open(k, false)
	}
	w, err := u.open(k, true)
	if storagedriver.KindOf(err) == storagedriver.KindUnsupported {
		return nil, storagedriver.Errorf(storagedriver.KindConflict, "the upload has ended: %w", err)
	}
	if err != nil {
		return nil, err
	}
	if at := w.Size(); at != size && (k.w != nil || offset == 0) {
		_ = w.Close() // it has accepted nothing
		return nil, movedOn(at, size)
	}
	return w, nil
}

func movedOn(at, want int64) error {
	return storagedriver.Errorf(storagedriver.KindConflict, "the upload has %d bytes where it should have %d: another writer has moved on, or what was not suspended is lost", at, want)
}

func (u *uploads) open(k *keptWriter, append bool) (storagedriver.FileWriter, error) {
	w, err := u.d.Writer(k.life, k.path, append)
	return w, Cause(err)
}

// adopt makes w the open writer.
func (k *keptWriter) adopt(w storagedriver.FileWriter) {
	if !k.open {
		k.w, k.open, k.accepted, k.broken = w, true, false, false
	}
}

// close suspends the upload, if it is open.
func (k *keptWriter) close() error {
	if !k.open {
		return nil
	}
	k.open, k.accepted = false, false
	err := k.w.Close()
	k.stop()
	return k.told(err)
}

// told notes an error of w. After a conflict the path has another's upload, of which nothing but its size can be asked.
func (k *keptWriter) told(err error) error {
	err = Cause(err)
	if storagedriver.KindOf(err) == storagedriver.KindConflict {
		k.over = err
	}
	return err
}

// acceptor is a keptWriter as what a part is written to.
type acceptor struct{ k *keptWriter }

func (a acceptor) Write(p []byte) (int, error) {
	n, err := a.k.w.Write(p)
	a.k.accepted = a.k.accepted || n > 0
	if err != nil {
		a.k.broken = true
	}
	return n, a.k.told(err)
}
