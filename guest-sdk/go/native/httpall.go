package native

import (
	"io"
	"net/http"
	"strconv"
	"sync"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// HTTPAll implements berth.Host.
func (h *Host) HTTPAll(requests []*berth.Request) ([]berth.Exchange, error) {
	if err := checkAll(requests); err != nil {
		return nil, err
	}
	all := make([]berth.Exchange, len(requests))
	made := make([]*http.Request, len(requests))
	for i, r := range requests {
		if made[i], all[i].Err = h.requestWithBody(r); all[i].Err != nil {
			continue
		}
		if err := putAllKeyed(made[i], r); err != nil {
			return nil, err
		}
	}
	var over sync.WaitGroup
	for i, r := range requests {
		if all[i].Err == nil {
			all[i].Err = h.prove(made[i], r)
		}
		if all[i].Err != nil {
			continue
		}
		over.Add(1)
		go func() {
			defer over.Done()
			all[i] = h.exchange(made[i], r)
		}()
	}
	over.Wait()
	if err := h.ctx.Err(); err != nil {
		return nil, contextError(err)
	}
	return all, nil
}

// checkAll says what is wrong with requests that are to run side by side.
func checkAll(requests []*berth.Request) error {
	if len(requests) == 0 || len(requests) > berth.MaxHTTPAll {
		return berth.NewError(berth.KindInvalidArgument, "http_all takes 1 to ", strconv.Itoa(berth.MaxHTTPAll), " requests, not ", strconv.Itoa(len(requests)))
	}
	room := berth.MaxInline
	for i, r := range requests {
		if len(r.Body) > 0 {
			return berth.NewError(berth.KindInvalidArgument, "http_all: request ", strconv.Itoa(i), " has a Body of streams: it takes Data alone")
		}
		if r.Max < 0 || r.Max > room {
			return berth.NewError(berth.KindInvalidArgument, "http_all: Max is at least 0, and that of all requests together at most ", strconv.Itoa(berth.MaxInline))
		}
		room -= r.Max
		if len(r.Want) > berth.MaxHeaders {
			return berth.NewError(berth.KindLimit, "http_all: request ", strconv.Itoa(i), " wants more than ", strconv.Itoa(berth.MaxHeaders), " headers")
		}
	}
	return nil
}

// exchange makes one of several requests and reads its answer.
func (h *Host) exchange(req *http.Request, r *berth.Request) berth.Exchange {
	resp, err := h.do(req, r.Outlast)
	if err != nil {
		return berth.Exchange{Err: h.failure(err)}
	}
	defer resp.Body.Close()
	x := berth.Exchange{Response: berth.Response{Status: resp.StatusCode, Headers: headers(resp.Header, r.Want)}}
	if resp.Body == http.NoBody || resp.ContentLength == 0 {
		x.Length = max(resp.ContentLength, 0)
		return x
	}
	if x.Data, err = io.ReadAll(io.LimitReader(resp.Body, int64(r.Max)+1)); err != nil {
		return berth.Exchange{Err: h.failure(err)}
	}
	x.Length = int64(len(x.Data))
	if len(x.Data) > r.Max {
		return berth.Exchange{Err: berth.NewError(berth.KindLimit, "http_all: the answer has more than ", strconv.Itoa(r.Max), " bytes: HTTP is for what is long")}
	}
	return x
}
