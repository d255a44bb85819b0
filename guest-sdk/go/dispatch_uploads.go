package berth

// runUpload runs an operation of the part protocol.
func (g *guest) runUpload(op uint32, r *request) error {
	receipts := NewReceipts(&wireReceipts{g.host, r.receipts})
	switch op {
	case opUploadOpen:
		upload, err := g.driver.OpenUpload(g.call, g.text(r.path), r.append, receipts)
		if err != nil {
			return err
		}
		return g.encodeUpload(&upload)
	case opUploadPart:
		receipt, err := g.driver.PutPart(g.call, g.text(r.token), g.part(r))
		if err != nil {
			return err
		}
		g.reply.object().bin("data", receipt)
		return nil
	case opUploadSuspend:
		return g.empty(g.driver.SuspendUpload(g.call, g.text(r.token), receipts, g.stream(r.body, r.size)))
	case opUploadCommit:
		var last *Part
		if r.body != 0 {
			part := g.part(r)
			last = &part
		}
		return g.empty(g.driver.CommitUpload(g.call, g.text(r.token), receipts, last))
	case opUploadCancel:
		return g.empty(g.driver.CancelUpload(g.call, g.text(r.token)))
	case opUploadAbort:
		return g.empty(g.driver.AbortUploads(g.call, g.text(r.path)))
	}
	return unsupported("this operation")
}

func (g *guest) part(r *request) Part {
	return Part{Number: int(r.num), Offset: r.off, Size: r.size, Body: g.stream(r.body, r.size), Digests: r.digests}
}

func (g *guest) encodeUpload(u *Upload) error {
	o := g.reply.object()
	if u.Delegate.Store != "" {
		o.str("store", u.Delegate.Store)
		o.str("dest", u.Delegate.Path)
		o.bool("transform", u.Delegate.Transform)
		return nil
	}
	o.str("token", u.Token)
	if u.Limits.some() {
		encodeLimits(o.key("limits").object(), &u.Limits)
	}
	o.bool("resumed", u.Resumed)
	if len(u.Tail.State) > 0 {
		return NewError(KindInvalidArgument, "an upload's tail has a State; only what Read answers may have one")
	}
	if u.Tail.Length == 0 {
		return nil
	}
	if u.Tail.Body == nil {
		o.bin("tail", u.Tail.Data)
	} else {
		h, err := handleOf(u.Tail.Body)
		if err != nil {
			return err
		}
		o.int("body", h)
	}
	o.int("len", u.Tail.Length)
	return nil
}

// some tells whether there is any limit.
func (l *UploadLimits) some() bool {
	return l.Min|l.Max|int64(l.Count)|l.Multiple|l.Total != 0 || l.Equal || l.Sequential || len(l.Digests) > 0
}

func encodeLimits(o object, l *UploadLimits) {
	o.int("min", l.Min)
	o.int("max", l.Max)
	o.int("count", int64(l.Count))
	o.int("multiple", l.Multiple)
	o.bool("equal", l.Equal)
	o.bool("seq", l.Sequential)
	o.int("total", l.Total)
	o.strs("digests", l.Digests)
}
