package abi

// OpenRequest is the request of OpOpen.
type OpenRequest struct {
	Params   []byte `json:"params,omitempty"` // a JSON object
	Features uint64 `json:"features,omitempty"`
}

func (m *OpenRequest) reset() { *m = OpenRequest{} }

func (m *OpenRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyParams:
		m.Params = d.bin(nil)
	case KeyFeatures:
		m.Features = uint64(d.size())
	default:
		return false
	}
	return true
}

func (m *OpenRequest) put(e *encoder) {
	e.begin(len(m.Params) > 0, m.Features != 0)
	e.bin(KeyParams, m.Params)
	e.int(KeyFeatures, int64(m.Features))
}

// PathRequest is the request of OpStat, OpDelete, OpDeleteTree and OpUploadAbort.
type PathRequest struct {
	Path string `json:"path,omitempty"`
}

func (m *PathRequest) reset() { *m = PathRequest{} }

func (m *PathRequest) field(d *decoder, key []byte) bool {
	if string(key) != KeyPath {
		return false
	}
	m.Path = d.str()
	return true
}

func (m *PathRequest) put(e *encoder) {
	e.begin(m.Path != "")
	e.str(KeyPath, m.Path)
}

// ListRequest is the request of OpList, OpListTree and OpListUploads; After is OpListTree's alone.
type ListRequest struct {
	Path   string `json:"path,omitempty"`
	After  string `json:"after,omitempty"`
	Cursor string `json:"cursor,omitempty"`
	Limit  int    `json:"limit,omitempty"`
}

func (m *ListRequest) reset() { *m = ListRequest{} }

func (m *ListRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyPath:
		m.Path = d.str()
	case KeyAfter:
		m.After = d.str()
	case KeyCursor:
		m.Cursor = d.str()
	case KeyLimit:
		m.Limit = int(d.size())
	default:
		return false
	}
	return true
}

func (m *ListRequest) put(e *encoder) {
	e.begin(m.Path != "", m.After != "", m.Cursor != "", m.Limit != 0)
	e.str(KeyPath, m.Path)
	e.str(KeyAfter, m.After)
	e.str(KeyCursor, m.Cursor)
	e.int(KeyLimit, int64(m.Limit))
}

// ReadRequest is the request of OpRead. Len -1 means to the end.
type ReadRequest struct {
	Path string `json:"path,omitempty"`
	Off  int64  `json:"off,omitempty"`
	Len  int64  `json:"len,omitempty"`
}

func (m *ReadRequest) reset() { *m = ReadRequest{} }

func (m *ReadRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyPath:
		m.Path = d.str()
	case KeyOff:
		m.Off = d.size()
	case KeyLen:
		m.Len = d.int()
	default:
		return false
	}
	return true
}

func (m *ReadRequest) put(e *encoder) {
	e.begin(m.Path != "", m.Off != 0, m.Len != 0)
	e.str(KeyPath, m.Path)
	e.int(KeyOff, m.Off)
	e.int(KeyLen, m.Len)
}

// PutRequest is the request of OpPut.
type PutRequest struct {
	Path string `json:"path,omitempty"`
	Size int64  `json:"size,omitempty"`
	Body Handle `json:"body,omitempty"`
}

func (m *PutRequest) reset() { *m = PutRequest{} }

func (m *PutRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyPath:
		m.Path = d.str()
	case KeySize:
		m.Size = d.size()
	case KeyBody:
		m.Body = Handle(d.size())
	default:
		return false
	}
	return true
}

func (m *PutRequest) put(e *encoder) {
	e.begin(m.Path != "", m.Size != 0, m.Body != 0)
	e.str(KeyPath, m.Path)
	e.int(KeySize, m.Size)
	e.int(KeyBody, int64(m.Body))
}

// CopyRequest is the request of OpCopy and OpMove.
type CopyRequest struct {
	Path string `json:"path,omitempty"`
	Dest string `json:"dest,omitempty"`
}

func (m *CopyRequest) reset() { *m = CopyRequest{} }

func (m *CopyRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyPath:
		m.Path = d.str()
	case KeyDest:
		m.Dest = d.str()
	default:
		return false
	}
	return true
}

func (m *CopyRequest) put(e *encoder) {
	e.begin(m.Path != "", m.Dest != "")
	e.str(KeyPath, m.Path)
	e.str(KeyDest, m.Dest)
}

// ConcatRequest is the request of OpConcat.
type ConcatRequest struct {
	Dest  string   `json:"dest,omitempty"`
	Paths []string `json:"paths,omitempty"`
}

func (m *ConcatRequest) reset() { *m = ConcatRequest{} }

func (m *ConcatRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyDest:
		m.Dest = d.str()
	case KeyPaths:
		m.Paths = d.strings(nil)
	default:
		return false
	}
	return true
}

func (m *ConcatRequest) put(e *encoder) {
	e.begin(m.Dest != "", len(m.Paths) > 0)
	e.str(KeyDest, m.Dest)
	e.strings(KeyPaths, m.Paths)
}

// RedirectRequest is the request of OpRedirect.
type RedirectRequest struct {
	Path      string `json:"path,omitempty"`
	Method    string `json:"method,omitempty"`
	Remote    string `json:"remote,omitempty"`
	Forwarded string `json:"forwarded,omitempty"`
}

func (m *RedirectRequest) reset() { *m = RedirectRequest{} }

func (m *RedirectRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyPath:
		m.Path = d.str()
	case KeyMethod:
		m.Method = d.str()
	case KeyRemote:
		m.Remote = d.str()
	case KeyForwarded:
		m.Forwarded = d.str()
	default:
		return false
	}
	return true
}

func (m *RedirectRequest) put(e *encoder) {
	e.begin(m.Path != "", m.Method != "", m.Remote != "", m.Forwarded != "")
	e.str(KeyPath, m.Path)
	e.str(KeyMethod, m.Method)
	e.str(KeyRemote, m.Remote)
	e.str(KeyForwarded, m.Forwarded)
}
