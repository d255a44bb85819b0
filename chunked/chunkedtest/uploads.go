package chunkedtest

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // the digest under test
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
)

// uploads is the state of the part protocol.
type uploads struct {
	tokens    int
	byToken   map[string]*upload
	suspended map[string]*suspended // by path
	inFlight  map[string]int        // parts in flight, by token
	peak      int                   // the most parts of one upload in flight
}

// upload is one that was opened; parts are kept over resumes.
type upload struct {
	path  string
	begun time.Time
	parts map[int][]byte
	seen  *suspended // the state it was opened on; another one since is a conflict
	ended bool
}

type suspended struct {
	begun    time.Time
	parts    map[int][]byte
	receipts []storagedriver.Receipt
	tail     []byte
}

// PeakParts returns the most parts of one upload that were in flight at a time.
func (m *Memory) PeakParts() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.uploads.peak
}

// OpenUpload implements storagedriver.Uploads.
func (m *Memory) OpenUpload(ctx context.Context, path string, resume bool) (out storagedriver.Upload, err error) {
	err = m.do(ctx, "OpenUpload", path, storagedriver.AbilityParts, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		u := &m.uploads
		if u.byToken == nil {
			u.byToken, u.suspended, u.inFlight = map[string]*upload{}, map[string]*suspended{}, map[string]int{}
		}
		x := &upload{path: path, begun: m.now(), parts: map[int][]byte{}}
		if resume {
			x.seen = u.suspended[path]
		}
		out.Limits = m.Limits
		content, exists := m.files[path]
		switch {
		case x.seen != nil:
			out.Resumed, out.Receipts = true, &storagedriver.Receipts{}
			for _, r := range x.seen.receipts {
				out.Receipts.Set(r)
			}
			if len(x.seen.tail) > 0 {
				out.Tail = storagedriver.BytesSource(x.seen.tail)
			}
			x.begun, x.parts = x.seen.begun, maps.Clone(x.seen.parts)
		case resume && exists && len(content.data) > 0:
			if !m.Can.Has(storagedriver.AbilityAppendCommitted) {
				return storagedriver.NewError(storagedriver.KindUnsupported, "committed content")
			}
			out.Resumed, out.Tail = true, storagedriver.BytesSource(content.data)
		}
		u.tokens++
		out.Token = fmt.Sprintf("token-%d", u.tokens)
		u.byToken[out.Token] = x
		return nil
	})
	return out, err
}

// upload returns the upload of a token, or nil if it has ended.
func (m *Memory) upload(op, token string) *upload {
	x := m.uploads.byToken[token]
	if x == nil {
		m.breach("%s with the unknown token %q", op, token)
	}
	if x == nil || x.ended {
		return nil
	}
	return x
}

func conflict() error {
	return storagedriver.NewError(storagedriver.KindConflict, "another writer moved on")
}

// PutPart implements storagedriver.Uploads.
func (m *Memory) PutPart(ctx context.Context, token string, part storagedriver.Part) (receipt []byte, err error) {
	m.enter(token, 1)
	defer m.enter(token, -1)
	err = m.do(ctx, "PutPart", fmt.Sprintf("/%d", part.Number), storagedriver.AbilityParts, func() error {
		data, err := m.receive(ctx, part.Body)
		if err != nil {
			return err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		x := m.upload("PutPart", token)
		if x == nil {
			return conflict()
		}
		l, n := m.Limits, int64(len(data))
		switch {
		case part.Number < 1 || l.Count > 0 && part.Number > l.Count:
			m.breach("part number %d", part.Number)
		case n == 0 || l.Max > 0 && n > l.Max:
			m.breach("part %d of %d bytes", part.Number, n)
		case l.Sequential && x.parts[part.Number-1] == nil && part.Number > 1:
			m.breach("part %d before the one before it", part.Number)
		}
		if err := m.checkDigests(part, data); err != nil {
			return err
		}
		x.parts[part.Number] = data
		receipt = fmt.Appendf(nil, "%d@%d:%x", part.Number, part.Offset, sha256.Sum256(data))
		return nil
	})
	return receipt, err
}

func (m *Memory) enter(token string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := &m.uploads
	u.inFlight[token] += n
	u.peak = max(u.peak, u.inFlight[token])
	if m.Limits.Sequential && u.inFlight[token] > 1 {
		m.breach("%d parts at a time", u.inFlight[token])
	}
}

func (m *Memory) checkDigests(part storagedriver.Part, data []byte) error {
	want := map[string][]byte{}
	for _, name := range m.Limits.Digests {
		switch name {
		case "sha256":
			sum := sha256.Sum256(data)
			want[name] = sum[:]
		case "md5":
			sum := md5.Sum(data) //nolint:gosec // as above
			want[name] = sum[:]
		case "crc32c":
			want[name] = binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
		}
	}
	if !maps.EqualFunc(want, part.Digests, bytes.Equal) {
		m.breach("part %d with the digests %x, not %x", part.Number, part.Digests, want)
		return storagedriver.Errorf(storagedriver.KindCorrupt, "part %d does not have its digests", part.Number)
	}
	return nil
}

// assemble checks receipts against the parts and returns the content. m.mu is held.
func (m *Memory) assemble(op string, x *upload, receipts *storagedriver.Receipts, lastIsPart bool) []byte {
	var content []byte
	l := m.Limits
	all := receipts.All()
	for i, r := range all {
		data := x.parts[r.Number]
		want := fmt.Sprintf("%d@%d:%x", r.Number, r.Offset, sha256.Sum256(data))
		if r.Number != i+1 || r.Offset != int64(len(content)) || r.Size != int64(len(data)) || string(r.Data) != want {
			m.breach("%s with the receipt %d at %d of %d bytes, %s instead of %s", op, r.Number, r.Offset, r.Size, r.Data, want)
		}
		if !lastIsPart || i < len(all)-1 {
			switch {
			case r.Size < l.Min, l.Multiple > 0 && r.Size%l.Multiple != 0, l.Equal && r.Size != all[0].Size:
				m.breach("%s with part %d of %d bytes, which is not the last", op, r.Number, r.Size)
			}
		}
		content = append(content, data...)
	}
	return content
}

// SuspendUpload implements storagedriver.Uploads.
func (m *Memory) SuspendUpload(ctx context.Context, token string, receipts *storagedriver.Receipts, tail storagedriver.Source) error {
	return m.do(ctx, "SuspendUpload", "/"+token, storagedriver.AbilityParts, func() error {
		data, err := m.last(ctx, tail)
		if err != nil {
			return err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		x := m.upload("SuspendUpload", token)
		if x == nil || m.uploads.suspended[x.path] != x.seen {
			return conflict()
		}
		m.assemble("SuspendUpload", x, receipts, false)
		l := m.Limits
		n := int64(len(data))
		if part := n - n%max(l.Multiple, 1); tail != nil && (n == 0 || !l.Equal && part >= max(l.Min, 1)) {
			m.breach("SuspendUpload with a tail of %d bytes, which is a part", n)
		}
		x.seen = &suspended{begun: x.begun, parts: maps.Clone(x.parts), receipts: receipts.All(), tail: data}
		m.uploads.suspended[x.path] = x.seen
		return nil
	})
}

func (m *Memory) last(ctx context.Context, source storagedriver.Source) ([]byte, error) {
	if source == nil {
		return nil, nil
	}
	return m.receive(ctx, source)
}

// CommitUpload implements storagedriver.Uploads.
func (m *Memory) CommitUpload(ctx context.Context, token string, receipts *storagedriver.Receipts, last storagedriver.Source) error {
	return m.do(ctx, "CommitUpload", "/"+token, storagedriver.AbilityParts, func() error {
		data, err := m.last(ctx, last)
		if err != nil {
			return err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		x := m.upload("CommitUpload", token)
		if x == nil || m.uploads.suspended[x.path] != x.seen {
			return conflict()
		}
		content := m.assemble("CommitUpload", x, receipts, last == nil)
		l := m.Limits
		if l.Max > 0 && int64(len(data)) > l.Max || l.Count > 0 && last != nil && receipts.Len()+1 > l.Count {
			m.breach("CommitUpload with a last part of %d bytes after %d parts", len(data), receipts.Len())
		}
		if l.Total > 0 && int64(len(content)+len(data)) > l.Total {
			m.breach("CommitUpload of %d bytes", len(content)+len(data))
		}
		if err := m.place(x.path); err != nil {
			return err
		}
		m.set(x.path, slices.Concat(content, data))
		delete(m.uploads.suspended, x.path)
		x.ended = true
		return nil
	})
}

// CancelUpload implements storagedriver.Uploads.
func (m *Memory) CancelUpload(ctx context.Context, token string) error {
	return m.do(ctx, "CancelUpload", "/"+token, storagedriver.AbilityParts, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if x := m.uploads.byToken[token]; x != nil {
			if x.seen != nil && m.uploads.suspended[x.path] == x.seen {
				delete(m.uploads.suspended, x.path)
			}
			x.ended = true
		}
		return nil
	})
}

// AbortUploads implements storagedriver.Uploads.
func (m *Memory) AbortUploads(ctx context.Context, path string) error {
	return m.do(ctx, "AbortUploads", path, storagedriver.AbilityParts, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.endUploads(path)
		return nil
	})
}

// endUploads ends what has been stored of uploads to path and below. m.mu is held.
func (m *Memory) endUploads(path string) {
	for p := range m.uploads.suspended {
		if p == path || storagedriver.IsBelow(p, path) {
			delete(m.uploads.suspended, p)
		}
	}
	for _, x := range m.uploads.byToken {
		if (x.seen != nil || len(x.parts) > 0) && (x.path == path || storagedriver.IsBelow(x.path, path)) {
			x.ended = true
		}
	}
}

func (m *Memory) now() time.Time {
	if m.Now == nil {
		return written
	}
	return m.Now()
}

// ListUploads implements storagedriver.Uploads: those that are suspended, and those of which a part is stored.
func (m *Memory) ListUploads(ctx context.Context, path, cursor string, _ int) (page storagedriver.Page, err error) {
	err = m.do(ctx, "ListUploads", path, storagedriver.AbilityListUploads, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		below := map[string]storagedriver.Entry{}
		add := func(target, key string, begun time.Time) {
			if storagedriver.IsBelow(target, path) {
				name := strings.TrimPrefix(target[len(strings.TrimSuffix(path, "/")):], "/")
				below[name+" "+key] = storagedriver.Entry{Name: name, ModTime: begun}
			}
		}
		for target, s := range m.uploads.suspended {
			add(target, "suspended", s.begun)
		}
		for token, x := range m.uploads.byToken {
			if !x.ended && x.seen == nil && len(x.parts) > 0 {
				add(x.path, token, x.begun)
			}
		}
		page = m.page(below, cursor)
		return nil
	})
	return page, err
}
