package runtime

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// httpAll runs requests side by side. Their answers are read at once, so that none holds a connection that another waits for.
func (in *instance) httpAll(request []byte) (abi.Message, error) {
	var m abi.HTTPAllRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	requests, err := in.sideBySide(m.Requests)
	if err != nil {
		return nil, err
	}
	ctx := in.ctx
	if in.sinking() {
		ctx = egress.Feeding(ctx)
	}
	reply := &abi.HTTPAllReply{Replies: make([]abi.HTTPOutcome, len(requests))}
	failed := make([]error, len(requests))
	var all sync.WaitGroup
	for i := range requests {
		all.Go(func() {
			asked := &m.Requests[i]
			failed[i] = in.d.answer(ctx, &requests[i], asked, &reply.Replies[i].HTTPReply)
		})
	}
	all.Wait()
	if err := in.ctx.Err(); err != nil {
		return nil, err
	}
	for i, err := range failed {
		if err != nil {
			in.note(err)
			reply.Replies[i] = abi.HTTPOutcome{Err: guest.WireError(err)}
		}
	}
	return reply, nil
}

// sideBySide checks all requests before one is sent.
func (in *instance) sideBySide(list []abi.HTTPRequest) ([]egress.Request, error) {
	if len(list) == 0 {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, "http_all: no requests")
	}
	out := make([]egress.Request, len(list))
	room := int64(abi.MaxInline)
	for i := range list {
		r := &list[i]
		if len(r.Body) > 0 {
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "http_all: request %d has a body of handles: it takes data alone", i)
		}
		if err := checkAnswer(r.Max, r.Want); err != nil {
			return nil, inRequest(i, err)
		}
		if room -= r.Max; room < 0 {
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "http_all: the max of all requests is more than %d together", abi.MaxInline)
		}
		out[i] = egress.Request{Method: r.Method, URL: r.URL, Headers: r.Headers, Data: r.Data, Credential: r.Credential, SHA256: r.SHA256, Outlasts: r.Outlast}
		var err error
		if out[i].Keyed, err = in.keyed(r.URL, r.Keyed); err != nil {
			return nil, inRequest(i, err)
		}
	}
	return out, nil
}

func inRequest(i int, err error) error {
	return storagedriver.Errorf(storagedriver.KindOf(err), "http_all: request %d: %w", i, err)
}

// answer runs a request and reads its answer.
func (d *driver) answer(ctx context.Context, r *egress.Request, asked *abi.HTTPRequest, reply *abi.HTTPReply) error {
	resp, err := d.client.Do(ctx, r)
	if err != nil {
		return err
	}
	*reply = abi.HTTPReply{Status: resp.Status, Len: resp.Length}
	if asked.All {
		reply.Headers = allHeaders(nil, resp)
	}
	for _, w := range wantedHeaders(asked.Want) {
		for _, value := range resp.Header[w.canonical] {
			reply.Headers = append(reply.Headers, w.lower, strings.ToValidUTF8(value, "?"))
		}
	}
	if resp.NoBody {
		return resp.Body.Close()
	}
	if resp.Length <= asked.Max {
		reply.Data, err = io.ReadAll(io.LimitReader(resp.Body, asked.Max+1))
	}
	if err == nil && (resp.Length > asked.Max || int64(len(reply.Data)) > asked.Max) {
		err = storagedriver.Errorf(storagedriver.KindLimit, "http_all: the answer has more than %d bytes: ask with http for what is long", asked.Max)
	}
	reply.Len = int64(len(reply.Data))
	return errors.Join(err, resp.Body.Close())
}
