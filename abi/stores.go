package abi

// StoreRequest is the request of those operations on a granted store that are of one path; of HostStoreInfo without it.
type StoreRequest struct {
	Store string `json:"store,omitempty"`
	Path  string `json:"path,omitempty"`
}

func (m *StoreRequest) reset() { *m = StoreRequest{} }

func (m *StoreRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyStore:
		m.Store = d.str()
	case KeyPath:
		m.Path = d.str()
	default:
		return false
	}
	return true
}

func (m *StoreRequest) put(e *encoder) {
	e.begin(m.Store != "", m.Path != "")
	e.str(KeyStore, m.Store)
	e.str(KeyPath, m.Path)
}

// StoreListRequest is the request of HostStoreList.
type StoreListRequest struct {
	Store  string `json:"store,omitempty"`
	Path   string `json:"path,omitempty"`
	Cursor string `json:"cursor,omitempty"`
	Limit  int    `json:"limit,omitempty"`
}

func (m *StoreListRequest) reset() { *m = StoreListRequest{} }

func (m *StoreListRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyStore:
		m.Store = d.str()
	case KeyPath:
		m.Path = d.str()
	case KeyCursor:
		m.Cursor = d.str()
	case KeyLimit:
		m.Limit = int(d.size())
	default:
		return false
	}
	return true
}

func (m *StoreListRequest) put(e *encoder) {
	e.begin(m.Store != "", m.Path != "", m.Cursor != "", m.Limit != 0)
	e.str(KeyStore, m.Store)
	e.str(KeyPath, m.Path)
	e.str(KeyCursor, m.Cursor)
	e.int(KeyLimit, int64(m.Limit))
}

// StoreReadRequest is the request of HostStoreRead. Len -1 means to the end.
type StoreReadRequest struct {
	Store string `json:"store,omitempty"`
	Path  string `json:"path,omitempty"`
	Off   int64  `json:"off,omitempty"`
	Len   int64  `json:"len,omitempty"`
}

func (m *StoreReadRequest) reset() { *m = StoreReadRequest{} }

func (m *StoreReadRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyStore:
		m.Store = d.str()
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

func (m *StoreReadRequest) put(e *encoder) {
	e.begin(m.Store != "", m.Path != "", m.Off != 0, m.Len != 0)
	e.str(KeyStore, m.Store)
	e.str(KeyPath, m.Path)
	e.int(KeyOff, m.Off)
	e.int(KeyLen, m.Len)
}

// StoreReadReply is the reply of HostStoreRead. There is no Body when Len is 0.
type StoreReadReply struct {
	Len  int64  `json:"len,omitempty"`
	Body Handle `json:"body,omitempty"`
}

func (m *StoreReadReply) reset() { *m = StoreReadReply{} }

func (m *StoreReadReply) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyLen:
		m.Len = d.size()
	case KeyBody:
		m.Body = Handle(d.size())
	default:
		return false
	}
	return true
}

func (m *StoreReadReply) put(e *encoder) {
	e.begin(m.Len != 0, m.Body != 0)
	e.int(KeyLen, m.Len)
	e.int(KeyBody, int64(m.Body))
}

// StorePutRequest is the request of HostStorePut: Data, or what the handles have, one after the other.
type StorePutRequest struct {
	Store string   `json:"store,omitempty"`
	Path  string   `json:"path,omitempty"`
	Data  []byte   `json:"data,omitempty"`
	Body  []Handle `json:"body,omitempty"`
}

func (m *StorePutRequest) reset() { *m = StorePutRequest{} }

func (m *StorePutRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyStore:
		m.Store = d.str()
	case KeyPath:
		m.Path = d.str()
	case KeyData:
		m.Data = d.bin(nil)
	case KeyBody:
		m.Body = d.handles(nil)
	default:
		return false
	}
	return true
}

func (m *StorePutRequest) put(e *encoder) {
	e.begin(m.Store != "", m.Path != "", len(m.Data) > 0, len(m.Body) > 0)
	e.str(KeyStore, m.Store)
	e.str(KeyPath, m.Path)
	e.bin(KeyData, m.Data)
	e.handles(KeyBody, m.Body)
}

// StoreMoveRequest is the request of HostStoreMove.
type StoreMoveRequest struct {
	Store string `json:"store,omitempty"`
	Path  string `json:"path,omitempty"`
	Dest  string `json:"dest,omitempty"`
}

func (m *StoreMoveRequest) reset() { *m = StoreMoveRequest{} }

func (m *StoreMoveRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyStore:
		m.Store = d.str()
	case KeyPath:
		m.Path = d.str()
	case KeyDest:
		m.Dest = d.str()
	default:
		return false
	}
	return true
}

func (m *StoreMoveRequest) put(e *encoder) {
	e.begin(m.Store != "", m.Path != "", m.Dest != "")
	e.str(KeyStore, m.Store)
	e.str(KeyPath, m.Path)
	e.str(KeyDest, m.Dest)
}

// StoreRedirectRequest is the request of HostStoreRedirect.
type StoreRedirectRequest struct {
	Store     string `json:"store,omitempty"`
	Path      string `json:"path,omitempty"`
	Method    string `json:"method,omitempty"`
	Remote    string `json:"remote,omitempty"`
	Forwarded string `json:"forwarded,omitempty"`
}

func (m *StoreRedirectRequest) reset() { *m = StoreRedirectRequest{} }

func (m *StoreRedirectRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyStore:
		m.Store = d.str()
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

func (m *StoreRedirectRequest) put(e *encoder) {
	e.begin(m.Store != "", m.Path != "", m.Method != "", m.Remote != "", m.Forwarded != "")
	e.str(KeyStore, m.Store)
	e.str(KeyPath, m.Path)
	e.str(KeyMethod, m.Method)
	e.str(KeyRemote, m.Remote)
	e.str(KeyForwarded, m.Forwarded)
}
