package berth

// wireReceipts is a table of receipts that the host keeps.
type wireReceipts struct {
	w *wireHost
	h int64
}

// Page implements HostReceipts.
func (r *wireReceipts) Page(after, limit int) ([]Receipt, error) {
	if r.h == 0 {
		return nil, nil
	}
	o := r.w.message()
	o.int("receipts", r.h)
	o.int("after", int64(after))
	o.int("limit", int64(limit))
	reply, shared, err := r.w.roundTrip(hostReceiptsGet, "receipts_get")
	if err != nil {
		return nil, err
	}
	if shared {
		reply = append([]byte(nil), reply...) // the receipts' data stay
	}
	d := decoder{b: reply}
	var page []Receipt
	for n := d.mapLen(); n > 0 && d.err == nil; n-- {
		switch string(d.strBytes()) {
		case "page":
			page = decodeReceipts(&d)
		case "err":
			return nil, decodeError(&d)
		default:
			d.skip()
		}
	}
	return page, d.end()
}

func decodeReceipts(d *decoder) []Receipt {
	n := d.arrayLen()
	page := make([]Receipt, 0, min(n, MaxReceiptPage))
	for ; n > 0 && d.err == nil; n-- {
		var r Receipt
		for k := d.mapLen(); k > 0 && d.err == nil; k-- {
			switch string(d.strBytes()) {
			case "num":
				r.Number = int(d.int())
			case "off":
				r.Offset = d.int()
			case "size":
				r.Size = d.int()
			case "data":
				r.Data = d.bin()
			default:
				d.skip()
			}
		}
		page = append(page, r)
	}
	return page
}

// Set implements HostReceipts.
func (r *wireReceipts) Set(page []Receipt) error {
	if r.h == 0 {
		return NewError(KindInvalidArgument, "there is no table of receipts here")
	}
	o := r.w.message()
	o.int("receipts", r.h)
	o.key("page").arrayLen(len(page))
	for i := range page {
		item := o.e.object()
		item.int("num", int64(page[i].Number))
		item.int("off", page[i].Offset)
		item.int("size", page[i].Size)
		item.bin("data", page[i].Data)
	}
	reply, _, err := r.w.roundTrip(hostReceiptsSet, "receipts_set")
	if err != nil {
		return err
	}
	return emptyReply(reply)
}
