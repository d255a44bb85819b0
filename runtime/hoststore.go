package runtime

import (
	"context"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// store runs an operation on a granted store, under the operation's context.
func (in *instance) store(op abi.HostOp, request []byte) (abi.Message, error) {
	switch op {
	case abi.HostStoreInfo:
		return in.storeInfo(request)
	case abi.HostStoreStat:
		return in.storeStat(request)
	case abi.HostStoreList:
		return in.storeList(request)
	case abi.HostStoreRead:
		return in.storeRead(request)
	case abi.HostStorePut:
		return in.storePut(request)
	case abi.HostStoreBegin:
		return in.storeBegin(request)
	case abi.HostStoreFinish:
		return in.storeFinish(request)
	case abi.HostStoreMove:
		return in.storeMove(request)
	case abi.HostStoreRedirect:
		return in.storeRedirect(request)
	case abi.HostStoreDelete:
		return in.storeSimple(request, storagedriver.Backend.Delete)
	case abi.HostStoreDeleteTree:
		return in.storeSimple(request, storagedriver.Backend.DeleteTree)
	case abi.HostStoreAbort:
		return in.storeSimple(request, abortTransformed)
	}
	return nil, storagedriver.Errorf(storagedriver.KindUnsupported, "host operation %v", op)
}

// storeFor returns the store for an operation on paths.
func (in *instance) storeFor(name string, paths ...string) (*store, error) {
	s, err := in.d.stores.get(name)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		if err := storagedriver.ValidatePrivatePath(path); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// directory is storeFor for what takes "/" as well.
func (in *instance) storeDirectory(name, path string) (*store, error) {
	if path == "/" {
		return in.storeFor(name)
	}
	return in.storeFor(name, path)
}

func (in *instance) storeInfo(request []byte) (abi.Message, error) {
	var m abi.StoreRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	s, err := in.storeFor(m.Store)
	if err != nil {
		return nil, err
	}
	return &abi.OpenReply{Caps: uint64(s.caps.Abilities), MaxObject: s.caps.MaxObject}, nil
}

func (in *instance) storeStat(request []byte) (abi.Message, error) {
	var m abi.StoreRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	s, err := in.storeDirectory(m.Store, m.Path)
	if err != nil {
		return nil, err
	}
	var e storagedriver.Entry
	err = in.d.stores.run(in.ctx, func(ctx context.Context) (err error) {
		e, err = s.backend.Stat(ctx, m.Path)
		return err
	})
	if err != nil {
		return nil, err
	}
	e.Name = ""
	return wireEntry(e), nil
}

func wireEntry(e storagedriver.Entry) *abi.Entry {
	out := &abi.Entry{Name: e.Name, Size: e.Size, Dir: e.Dir}
	if !e.ModTime.IsZero() {
		out.Time = e.ModTime.UnixNano()
	}
	return out
}

func (in *instance) storeList(request []byte) (abi.Message, error) {
	var m abi.StoreListRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	if m.Limit < 1 || m.Limit > abi.MaxList {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "store_list: the limit %d is not 1 to %d", m.Limit, abi.MaxList)
	}
	s, err := in.storeDirectory(m.Store, m.Path)
	if err != nil {
		return nil, err
	}
	var page storagedriver.Page
	err = in.d.stores.run(in.ctx, func(ctx context.Context) (err error) {
		page, err = s.backend.List(ctx, m.Path, m.Cursor, m.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	reply := &abi.ListReply{Cursor: page.Cursor, Entries: make([]abi.Entry, len(page.Entries))}
	for i, e := range page.Entries {
		reply.Entries[i] = *wireEntry(e)
	}
	return reply, nil
}

// storeSimple runs an operation of one path that answers nothing.
func (in *instance) storeSimple(request []byte, f func(b storagedriver.Backend, ctx context.Context, path string) error) (abi.Message, error) {
	var m abi.StoreRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	s, err := in.storeFor(m.Store, m.Path)
	if err != nil {
		return nil, err
	}
	return &abi.Empty{}, in.d.stores.run(in.ctx, func(ctx context.Context) error { return f(s.backend, ctx, m.Path) })
}

func (in *instance) storeMove(request []byte) (abi.Message, error) {
	var m abi.StoreMoveRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	s, err := in.storeFor(m.Store, m.Path, m.Dest)
	if err != nil {
		return nil, err
	}
	return &abi.Empty{}, in.d.stores.run(in.ctx, func(ctx context.Context) error { return s.backend.Move(ctx, m.Path, m.Dest) })
}

// storeRedirect answers a URL, which the guest may answer in its turn: who granted the store grants where it redirects to.
func (in *instance) storeRedirect(request []byte) (abi.Message, error) {
	var m abi.StoreRedirectRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	s, err := in.storeFor(m.Store, m.Path)
	if err != nil {
		return nil, err
	}
	if !s.caps.Has(storagedriver.AbilityRedirect) {
		return nil, storagedriver.Errorf(storagedriver.KindUnsupported, "the store %q does not redirect", m.Store)
	}
	var url string
	err = in.d.stores.run(in.ctx, func(ctx context.Context) (err error) {
		url, err = s.backend.Redirect(ctx, m.Path, storagedriver.RedirectOptions{Method: m.Method, RemoteAddr: m.Remote, ForwardedFor: m.Forwarded})
		return err
	})
	if err != nil {
		return nil, err
	}
	if url != "" {
		in.redirects = append(in.redirects, url)
	}
	return &abi.RedirectReply{URL: url}, nil
}
