package runtime

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/served"
)

// delegation is an upload that a granted store does in the guest's place. It is all in the token, so that any process goes on with
// it. Its pieces go to the store's part protocol, which keeps a Writer of the store's open from call to call, and are
// durable when the upload is suspended.
type delegation struct {
	d         *driver
	store     *store
	path      string // the guest's
	token     string // the store's
	transform bool
}

// delegatedMark begins the tokens of delegated uploads, and no guest's. The rest is the store, how many bytes the store's token and
// the guest's path have in common at their ends, the rest of that path, and the store's token: two paths of the greatest
// length would not fit.
const delegatedMark = "~store:"

func (u *delegation) name() (string, error) {
	shared := 0
	for shared < min(len(u.path), len(u.token)) && u.path[len(u.path)-1-shared] == u.token[len(u.token)-1-shared] {
		shared++
	}
	how := "plain"
	if u.transform {
		how = "transform"
	}
	name := delegatedMark + strings.Join([]string{u.store.name, how, strconv.Itoa(shared), u.path[:len(u.path)-shared], u.token}, ":")
	if len(name) > abi.MaxToken {
		return "", storagedriver.Errorf(storagedriver.KindInvalidPath, "the path and the one in the store %q that its upload is delegated to are too long together", u.store.name)
	}
	return name, nil
}

// delegation returns what a token says; nil when it is the guest's.
func (d *driver) delegation(token string) (*delegation, error) {
	rest, ok := strings.CutPrefix(token, delegatedMark)
	if !ok {
		return nil, nil
	}
	bad := storagedriver.NewError(storagedriver.KindInvalidArgument, "not a delegated upload's token")
	fields := strings.SplitN(rest, ":", 5) // no path has a colon
	if len(fields) != 5 {
		return nil, bad
	}
	shared, err := strconv.Atoi(fields[2])
	token = fields[4]
	if err != nil || shared < 0 || shared > len(token) || fields[1] != "plain" && fields[1] != "transform" {
		return nil, bad
	}
	u := &delegation{d: d, path: fields[3] + token[len(token)-shared:], token: token, transform: fields[1] == "transform"}
	if storagedriver.ValidatePrivatePath(u.path) != nil {
		return nil, bad
	}
	u.store, err = d.stores.get(fields[0])
	return u, err
}

// dest is the path in the store, from which those are made that have what is kept beside the upload.
func (u *delegation) dest() (string, error) { return served.UploadPath(u.token) }

// checkDelegation holds a reply that delegates against docs/abi.md. An error is the guest's fault.
func (d *driver) checkDelegation(reply *abi.UploadOpenReply, receipts int) error {
	switch {
	case reply.Store == "":
		return fmt.Errorf("it names what the upload is delegated to, and no store")
	case reply.Token != "" || reply.Resumed || len(reply.Tail) > 0 || reply.Body != 0 || reply.Len != 0 || receipts > 0:
		return fmt.Errorf("it delegates the upload to the store %.80q and answers with one of its own", reply.Store)
	case d.m.manifest.Instances == 1:
		return fmt.Errorf("it delegates an upload and keeps its state in one instance")
	}
	if err := storagedriver.ValidatePrivatePath(reply.Dest); err != nil {
		return fmt.Errorf("it delegates the upload to %.80q: %w", reply.Dest, err)
	}
	_, err := d.stores.get(reply.Store)
	return err
}

// openDelegated opens an upload to path where the guest has said. reply is checked.
func (d *driver) openDelegated(ctx context.Context, path string, append bool, reply *abi.UploadOpenReply) (storagedriver.Upload, error) {
	none := storagedriver.Upload{}
	s, err := d.stores.get(reply.Store)
	if err != nil {
		return none, err
	}
	if reply.Transform {
		ctx = (&transformation{d: d, path: path, dest: reply.Dest}).with(ctx)
	}
	var up storagedriver.Upload
	err = d.stores.run(ctx, func(ctx context.Context) (err error) {
		up, err = s.backend.OpenUpload(ctx, reply.Dest, append)
		return err
	})
	if err != nil {
		return none, err
	}
	u := &delegation{d: d, store: s, path: path, token: up.Token, transform: reply.Transform}
	up.Token, err = u.name()
	if err != nil {
		_ = u.cancel(ctx) // it has accepted nothing
		return none, err
	}
	return up, nil
}

func (u *delegation) part(ctx context.Context, part storagedriver.Part) (receipt []byte, err error) {
	err = u.d.stores.run(u.under(ctx), func(ctx context.Context) (err error) {
		receipt, err = u.store.backend.PutPart(ctx, u.token, part)
		return err
	})
	return receipt, err
}

func (u *delegation) suspend(ctx context.Context, receipts *storagedriver.Receipts, tail storagedriver.Source) error {
	return u.d.stores.run(u.under(ctx), func(ctx context.Context) error {
		return u.store.backend.SuspendUpload(ctx, u.token, receipts, tail)
	})
}

// commit asks the guest before anything becomes visible. After an error of its the upload is as it was. Where the content is transformed
// that is the Writer's to do, when the last of it has been.
func (u *delegation) commit(ctx context.Context, receipts *storagedriver.Receipts, last storagedriver.Source) error {
	if !u.transform {
		if err := u.d.committing(ctx, &abi.CommittingRequest{Path: u.path, Size: uploadSize(receipts, last)}); err != nil {
			return err
		}
	}
	return u.d.stores.run(u.under(ctx), func(ctx context.Context) error {
		return u.store.backend.CommitUpload(ctx, u.token, receipts, last)
	})
}

func (u *delegation) cancel(ctx context.Context) error {
	return u.d.stores.run(u.under(ctx), func(ctx context.Context) error { return u.store.backend.CancelUpload(ctx, u.token) })
}

// committing asks the guest whether an upload may become visible. The upload keeps memory of the store's writers that calls
// of the guest may wait for, so the question is put on an instance that does not wait for those.
func (d *driver) committing(ctx context.Context, request *abi.CommittingRequest) error {
	in, err := d.acquire(d.pool.feed(ctx))
	if err != nil {
		return err
	}
	defer d.release(in)
	return in.call(abi.OpCommitting, request, &abi.Empty{})
}

// uploadSize is the size of an upload of these parts.
func uploadSize(receipts *storagedriver.Receipts, last storagedriver.Source) int64 {
	var size int64
	if page := receipts.Page(receipts.Len()-1, 1); len(page) == 1 {
		size = page[0].Offset + page[0].Size
	}
	if last != nil {
		size += last.Size()
	}
	return size
}

// CancelUpload implements storagedriver.Backend.
func (d *driver) CancelUpload(ctx context.Context, token string) error {
	u, err := d.delegation(token)
	switch {
	case err != nil:
		return err
	case u != nil:
		return u.cancel(ctx)
	}
	return d.Calls.CancelUpload(ctx, token)
}
