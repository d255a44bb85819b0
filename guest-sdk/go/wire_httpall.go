package berth

var errReplies = NewError(KindCorrupt, "the host has not answered each request")

// HTTPAll implements Host.
func (w *wireHost) HTTPAll(requests []*Request) ([]Exchange, error) {
	list := w.message().key("requests")
	list.arrayLen(len(requests))
	for _, r := range requests {
		if err := encodeRequest(list.object(), r); err != nil {
			return nil, err
		}
	}
	reply, shared, err := w.roundTrip(hostHTTPAll, "http_all")
	if err != nil {
		return nil, err
	}
	all, data, err := decodeExchanges(reply, len(requests))
	if shared && data {
		w.replies.keep(len(reply))
	}
	return all, err
}

// decodeExchanges reads the answers to count requests. data says that there are some with Data, which is part of the reply.
func decodeExchanges(reply []byte, count int) (all []Exchange, data bool, err error) {
	err = decodeReply(reply, func(d *decoder, key []byte) bool {
		if string(key) != "replies" {
			return false
		}
		if d.arrayLen() != count {
			d.fail(errReplies)
			return true
		}
		all = make([]Exchange, count)
		for i := range all {
			all[i].decode(d)
			data = data || len(all[i].Data) > 0
		}
		return true
	})
	if err == nil && len(all) != count {
		err = errReplies
	}
	if err != nil {
		return nil, false, err
	}
	return all, data, nil
}

func (x *Exchange) decode(d *decoder) {
	for n := d.mapLen(); n > 0 && d.err == nil; n-- {
		switch key := d.strBytes(); {
		case string(key) == "err":
			x.Err = decodeError(d)
		case !x.field(d, key):
			d.skip()
		}
	}
	if x.Err != nil {
		x.Response = Response{}
	}
}
