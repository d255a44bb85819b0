package abi

import "slices"

// DescribeReply is the reply of OpDescribe.
type DescribeReply struct {
	Manifest []byte `json:"manifest,omitempty"` // a JSON object, see Manifest
}

func (m *DescribeReply) reset() { *m = DescribeReply{} }

func (m *DescribeReply) field(d *decoder, key []byte) bool {
	if string(key) != KeyManifest {
		return false
	}
	m.Manifest = d.bin(nil)
	return true
}

func (m *DescribeReply) put(e *encoder) {
	e.begin(len(m.Manifest) > 0)
	e.bin(KeyManifest, m.Manifest)
}

// OpenReply is the reply of OpOpen.
type OpenReply struct {
	Caps      uint64 `json:"caps,omitempty"`
	MaxObject int64  `json:"maxobj,omitempty"`
}

func (m *OpenReply) reset() { *m = OpenReply{} }

func (m *OpenReply) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyCaps:
		m.Caps = uint64(d.size())
	case KeyMaxObject:
		m.MaxObject = d.size()
	default:
		return false
	}
	return true
}

func (m *OpenReply) put(e *encoder) {
	e.begin(m.Caps != 0, m.MaxObject != 0)
	e.int(KeyCaps, int64(m.Caps))
	e.int(KeyMaxObject, m.MaxObject)
}

// Entry is a file or directory, and the reply of OpStat.
type Entry struct {
	Name string `json:"name,omitempty"`
	Size int64  `json:"size,omitempty"`
	Time int64  `json:"time,omitempty"` // nanoseconds since 1970 UTC, 0 when unknown
	Dir  bool   `json:"dir,omitempty"`
}

func (m *Entry) reset() { *m = Entry{} }

func (m *Entry) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyName:
		m.Name = d.str()
	case KeySize:
		m.Size = d.size()
	case KeyTime:
		m.Time = d.int()
	case KeyDir:
		m.Dir = d.bool()
	default:
		return false
	}
	return true
}

func (m *Entry) put(e *encoder) {
	e.begin(m.Name != "", m.Size != 0, m.Time != 0, m.Dir)
	e.str(KeyName, m.Name)
	e.int(KeySize, m.Size)
	e.int(KeyTime, m.Time)
	e.bool(KeyDir, m.Dir)
}

// ListReply is the reply of OpList, OpListTree and OpListUploads.
type ListReply struct {
	Entries []Entry `json:"entries,omitempty"`
	Cursor  string  `json:"cursor,omitempty"`
}

func (m *ListReply) reset() { *m = ListReply{} }

func (m *ListReply) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyEntries:
		n := d.arrayLen(1)
		if n > MaxList {
			d.fail("%d entries, more than %d", n, MaxList)
			return true
		}
		m.Entries = make([]Entry, n)
		for i := range m.Entries {
			d.message(&m.Entries[i])
			if d.err != nil {
				return true
			}
		}
		d.depth--
	case KeyCursor:
		m.Cursor = d.str()
	default:
		return false
	}
	return true
}

func (m *ListReply) put(e *encoder) {
	e.begin(len(m.Entries) > 0, m.Cursor != "")
	if len(m.Entries) > 0 {
		e.key(KeyEntries)
		e.array(len(m.Entries))
		for i := range m.Entries {
			m.Entries[i].put(e)
		}
	}
	e.str(KeyCursor, m.Cursor)
}

// ReadReply is the reply of OpRead: a promise of Len bytes, in Body or Data, or to come from OpStream
// with the state in Stream, of whose first bytes Skip are left out.
type ReadReply struct {
	Len     int64  `json:"len,omitempty"`
	Body    Handle `json:"body,omitempty"`
	Data    []byte `json:"data,omitempty"`
	Version []byte `json:"version,omitempty"`
	Stream  []byte `json:"stream,omitempty"`
	Skip    int64  `json:"skip,omitempty"`
}

func (m *ReadReply) reset() { *m = ReadReply{} }

func (m *ReadReply) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyLen:
		m.Len = d.size()
	case KeyBody:
		m.Body = Handle(d.size())
	case KeyData:
		m.Data = d.bin(nil)
	case KeyVersion:
		m.Version = d.bin(nil)
	case KeyStream:
		m.Stream = d.bin(nil)
	case KeySkip:
		m.Skip = d.size()
	default:
		return false
	}
	return true
}

func (m *ReadReply) put(e *encoder) {
	e.begin(m.Len != 0, m.Body != 0, len(m.Data) > 0, len(m.Version) > 0, len(m.Stream) > 0, m.Skip != 0)
	e.int(KeyLen, m.Len)
	e.int(KeyBody, int64(m.Body))
	e.bin(KeyData, m.Data)
	e.bin(KeyVersion, m.Version)
	e.bin(KeyStream, m.Stream)
	e.int(KeySkip, m.Skip)
}

// RedirectReply is the reply of OpRedirect. "" means that there is no redirect.
type RedirectReply struct {
	URL string `json:"url,omitempty"`
}

func (m *RedirectReply) reset() { *m = RedirectReply{} }

func (m *RedirectReply) field(d *decoder, key []byte) bool {
	if string(key) != KeyURL {
		return false
	}
	m.URL = d.str()
	return true
}

func (m *RedirectReply) put(e *encoder) {
	e.begin(m.URL != "")
	e.str(KeyURL, m.URL)
}

// Limits bound the parts of an upload; 0 means no limit.
type Limits struct {
	Min      int64    `json:"min,omitempty"`
	Max      int64    `json:"max,omitempty"`
	Count    int64    `json:"count,omitempty"`
	Multiple int64    `json:"multiple,omitempty"`
	Equal    bool     `json:"equal,omitempty"`
	Seq      bool     `json:"seq,omitempty"`
	Total    int64    `json:"total,omitempty"`
	Digests  []string `json:"digests,omitempty"`
}

func (m *Limits) reset() { *m = Limits{} }

func (m *Limits) zero() bool {
	return m.Min|m.Max|m.Count|m.Multiple|m.Total == 0 && !m.Equal && !m.Seq && len(m.Digests) == 0
}

func (m *Limits) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyMin:
		m.Min = d.size()
	case KeyMax:
		m.Max = d.size()
	case KeyCount:
		m.Count = d.size()
	case KeyMultiple:
		m.Multiple = d.size()
	case KeyEqual:
		m.Equal = d.bool()
	case KeySeq:
		m.Seq = d.bool()
	case KeyTotal:
		m.Total = d.size()
	case KeyDigests:
		m.Digests = d.strings(nil)
	default:
		return false
	}
	return true
}

func (m *Limits) put(e *encoder) {
	e.begin(m.Min != 0, m.Max != 0, m.Count != 0, m.Multiple != 0, m.Equal, m.Seq, m.Total != 0, len(m.Digests) > 0)
	e.int(KeyMin, m.Min)
	e.int(KeyMax, m.Max)
	e.int(KeyCount, m.Count)
	e.int(KeyMultiple, m.Multiple)
	e.bool(KeyEqual, m.Equal)
	e.bool(KeySeq, m.Seq)
	e.int(KeyTotal, m.Total)
	e.strings(KeyDigests, m.Digests)
}

// sortedKeys gives maps one encoding.
func sortedKeys(m map[string][]byte) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
