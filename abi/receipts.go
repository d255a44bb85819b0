package abi

// Receipt says that a part is stored.
type Receipt struct {
	Num  int64  `json:"num,omitempty"`
	Off  int64  `json:"off,omitempty"`
	Size int64  `json:"size,omitempty"`
	Data []byte `json:"data,omitempty"`
}

func (m *Receipt) reset() { *m = Receipt{} }

func (m *Receipt) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyNum:
		m.Num = d.size()
	case KeyOff:
		m.Off = d.size()
	case KeySize:
		m.Size = d.size()
	case KeyData:
		if m.Data = d.bin(nil); len(m.Data) > MaxReceipt {
			d.fail("a receipt of %d bytes, more than %d", len(m.Data), MaxReceipt)
		}
	default:
		return false
	}
	return true
}

func (m *Receipt) put(e *encoder) {
	e.begin(m.Num != 0, m.Off != 0, m.Size != 0, len(m.Data) > 0)
	e.int(KeyNum, m.Num)
	e.int(KeyOff, m.Off)
	e.int(KeySize, m.Size)
	e.bin(KeyData, m.Data)
}

// ReceiptsGetRequest is the request of HostReceiptsGet.
type ReceiptsGetRequest struct {
	Receipts Handle `json:"receipts,omitempty"`
	After    int64  `json:"after,omitempty"`
	Limit    int    `json:"limit,omitempty"`
}

func (m *ReceiptsGetRequest) reset() { *m = ReceiptsGetRequest{} }

func (m *ReceiptsGetRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyReceipts:
		m.Receipts = Handle(d.size())
	case KeyAfter:
		m.After = d.size()
	case KeyLimit:
		m.Limit = int(d.size())
	default:
		return false
	}
	return true
}

func (m *ReceiptsGetRequest) put(e *encoder) {
	e.begin(m.Receipts != 0, m.After != 0, m.Limit != 0)
	e.int(KeyReceipts, int64(m.Receipts))
	e.int(KeyAfter, m.After)
	e.int(KeyLimit, int64(m.Limit))
}

// ReceiptsPage is the request of HostReceiptsSet and, without Receipts, the reply of
// HostReceiptsGet.
type ReceiptsPage struct {
	Receipts Handle    `json:"receipts,omitempty"`
	Page     []Receipt `json:"page,omitempty"`
}

func (m *ReceiptsPage) reset() { *m = ReceiptsPage{} }

func (m *ReceiptsPage) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyReceipts:
		m.Receipts = Handle(d.size())
	case KeyPage:
		n := d.arrayLen(1)
		if n > MaxReceiptPage {
			d.fail("%d receipts, more than %d", n, MaxReceiptPage)
			return true
		}
		m.Page = make([]Receipt, n)
		for i := range m.Page {
			d.message(&m.Page[i])
			if d.err != nil {
				return true
			}
		}
		d.depth--
	default:
		return false
	}
	return true
}

func (m *ReceiptsPage) put(e *encoder) {
	e.begin(m.Receipts != 0, len(m.Page) > 0)
	e.int(KeyReceipts, int64(m.Receipts))
	if len(m.Page) > 0 {
		e.key(KeyPage)
		e.array(len(m.Page))
		for i := range m.Page {
			m.Page[i].put(e)
		}
	}
}
