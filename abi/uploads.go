package abi

// UploadOpenRequest is the request of OpUploadOpen.
type UploadOpenRequest struct {
	Path     string `json:"path,omitempty"`
	Append   bool   `json:"append,omitempty"`
	Receipts Handle `json:"receipts,omitempty"`
}

func (m *UploadOpenRequest) reset() { *m = UploadOpenRequest{} }

func (m *UploadOpenRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyPath:
		m.Path = d.str()
	case KeyAppend:
		m.Append = d.bool()
	case KeyReceipts:
		m.Receipts = Handle(d.size())
	default:
		return false
	}
	return true
}

func (m *UploadOpenRequest) put(e *encoder) {
	e.begin(m.Path != "", m.Append, m.Receipts != 0)
	e.str(KeyPath, m.Path)
	e.bool(KeyAppend, m.Append)
	e.int(KeyReceipts, int64(m.Receipts))
}

// UploadOpenReply is the reply of OpUploadOpen. A tail is in Tail, or in Body with Len. With Store nothing
// else is there but Dest and Transform: the upload is one to Dest in that store.
type UploadOpenReply struct {
	Token     string `json:"token,omitempty"`
	Limits    Limits `json:"limits,omitzero"`
	Resumed   bool   `json:"resumed,omitempty"`
	Tail      []byte `json:"tail,omitempty"`
	Body      Handle `json:"body,omitempty"`
	Len       int64  `json:"len,omitempty"`
	Store     string `json:"store,omitempty"`
	Dest      string `json:"dest,omitempty"`
	Transform bool   `json:"transform,omitempty"`
}

func (m *UploadOpenReply) reset() { *m = UploadOpenReply{} }

func (m *UploadOpenReply) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyToken:
		m.Token = d.str()
	case KeyLimits:
		m.Limits.reset()
		d.message(&m.Limits)
	case KeyResumed:
		m.Resumed = d.bool()
	case KeyTail:
		m.Tail = d.bin(nil)
	case KeyBody:
		m.Body = Handle(d.size())
	case KeyLen:
		m.Len = d.size()
	case KeyStore:
		m.Store = d.str()
	case KeyDest:
		m.Dest = d.str()
	case KeyTransform:
		m.Transform = d.bool()
	default:
		return false
	}
	return true
}

func (m *UploadOpenReply) put(e *encoder) {
	limited := !m.Limits.zero()
	e.begin(m.Token != "", limited, m.Resumed, len(m.Tail) > 0, m.Body != 0, m.Len != 0, m.Store != "", m.Dest != "", m.Transform)
	e.str(KeyToken, m.Token)
	if limited {
		e.key(KeyLimits)
		m.Limits.put(e)
	}
	e.bool(KeyResumed, m.Resumed)
	e.bin(KeyTail, m.Tail)
	e.int(KeyBody, int64(m.Body))
	e.int(KeyLen, m.Len)
	e.str(KeyStore, m.Store)
	e.str(KeyDest, m.Dest)
	e.bool(KeyTransform, m.Transform)
}

// UploadPartRequest is the request of OpUploadPart.
type UploadPartRequest struct {
	Token   string            `json:"token,omitempty"`
	Num     int64             `json:"num,omitempty"`
	Off     int64             `json:"off,omitempty"`
	Size    int64             `json:"size,omitempty"`
	Body    Handle            `json:"body,omitempty"`
	Digests map[string][]byte `json:"digests,omitempty"`
}

func (m *UploadPartRequest) reset() { *m = UploadPartRequest{} }

func (m *UploadPartRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyToken:
		m.Token = d.str()
	case KeyNum:
		m.Num = d.size()
	case KeyOff:
		m.Off = d.size()
	case KeySize:
		m.Size = d.size()
	case KeyBody:
		m.Body = Handle(d.size())
	case KeyDigests:
		m.Digests = d.digests()
	default:
		return false
	}
	return true
}

func (m *UploadPartRequest) put(e *encoder) {
	e.begin(m.Token != "", m.Num != 0, m.Off != 0, m.Size != 0, m.Body != 0, len(m.Digests) > 0)
	e.str(KeyToken, m.Token)
	e.int(KeyNum, m.Num)
	e.int(KeyOff, m.Off)
	e.int(KeySize, m.Size)
	e.int(KeyBody, int64(m.Body))
	putDigests(e, m.Digests)
}

// digests reads a map of digests.
func (d *decoder) digests() map[string][]byte {
	n := d.mapLen()
	m := make(map[string][]byte, n)
	for range n {
		name := string(d.key())
		m[name] = d.bin(nil)
		if d.err != nil {
			return m
		}
	}
	d.depth--
	return m
}

func putDigests(e *encoder, m map[string][]byte) {
	if len(m) == 0 {
		return
	}
	e.key(KeyDigests)
	_ = e.enc.EncodeMapLen(len(m))
	for _, name := range sortedKeys(m) {
		e.key(name)
		e.bytes(m[name])
	}
}

// UploadPartReply is the reply of OpUploadPart: the receipt.
type UploadPartReply struct {
	Data []byte `json:"data,omitempty"`
}

func (m *UploadPartReply) reset() { *m = UploadPartReply{} }

func (m *UploadPartReply) field(d *decoder, key []byte) bool {
	if string(key) != KeyData {
		return false
	}
	m.Data = d.bin(nil)
	return true
}

func (m *UploadPartReply) put(e *encoder) {
	e.begin(len(m.Data) > 0)
	e.bin(KeyData, m.Data)
}

// UploadEndRequest is the request of OpUploadSuspend, where Num and Off are not used, and
// of OpUploadCommit.
type UploadEndRequest struct {
	Token    string `json:"token,omitempty"`
	Receipts Handle `json:"receipts,omitempty"`
	Num      int64  `json:"num,omitempty"`
	Off      int64  `json:"off,omitempty"`
	Size     int64  `json:"size,omitempty"`
	Body     Handle `json:"body,omitempty"`
}

func (m *UploadEndRequest) reset() { *m = UploadEndRequest{} }

func (m *UploadEndRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyToken:
		m.Token = d.str()
	case KeyReceipts:
		m.Receipts = Handle(d.size())
	case KeyNum:
		m.Num = d.size()
	case KeyOff:
		m.Off = d.size()
	case KeySize:
		m.Size = d.size()
	case KeyBody:
		m.Body = Handle(d.size())
	default:
		return false
	}
	return true
}

func (m *UploadEndRequest) put(e *encoder) {
	e.begin(m.Token != "", m.Receipts != 0, m.Num != 0, m.Off != 0, m.Size != 0, m.Body != 0)
	e.str(KeyToken, m.Token)
	e.int(KeyReceipts, int64(m.Receipts))
	e.int(KeyNum, m.Num)
	e.int(KeyOff, m.Off)
	e.int(KeySize, m.Size)
	e.int(KeyBody, int64(m.Body))
}

// TokenRequest is the request of OpUploadCancel.
type TokenRequest struct {
	Token string `json:"token,omitempty"`
}

func (m *TokenRequest) reset() { *m = TokenRequest{} }

func (m *TokenRequest) field(d *decoder, key []byte) bool {
	if string(key) != KeyToken {
		return false
	}
	m.Token = d.str()
	return true
}

func (m *TokenRequest) put(e *encoder) {
	e.begin(m.Token != "")
	e.str(KeyToken, m.Token)
}
