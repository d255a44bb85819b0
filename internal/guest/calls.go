package guest

import (
	"context"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// Calls is what a driver's Backend does by messages alone, without bodies and receipts. Embed it. It may be used concurrently.
type Calls struct {
	Driver string                     // its name
	Caps   storagedriver.Capabilities // constant
	// Do performs an operation. check, if it is not nil, judges the decoded reply; an error of its is the driver's fault.
	Do func(ctx context.Context, op abi.Op, request, reply abi.Message, check func() error) error
}

// Name implements storagedriver.Backend.
func (c *Calls) Name() string { return c.Driver }

// Capabilities implements storagedriver.Backend.
func (c *Calls) Capabilities() storagedriver.Capabilities { return c.Caps }

// Require refuses what the driver does not declare, before it is asked.
func (c *Calls) Require(op abi.Op, a storagedriver.Ability) error {
	if c.Caps.Has(a) {
		return nil
	}
	return storagedriver.Errorf(storagedriver.KindUnsupported, "the driver %s does not have the ability %v, which %v needs", c.Driver, a, op)
}

// simple performs an operation that answers nothing. needs is 0 for what every driver has.
func (c *Calls) simple(ctx context.Context, op abi.Op, needs storagedriver.Ability, request abi.Message) error {
	if err := c.Require(op, needs); err != nil {
		return err
	}
	return c.Do(ctx, op, request, &abi.Empty{}, nil)
}

// Stat implements storagedriver.Backend.
func (c *Calls) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	var reply abi.Entry
	if err := c.Do(ctx, abi.OpStat, &abi.PathRequest{Path: path}, &reply, nil); err != nil {
		return storagedriver.Entry{}, err
	}
	reply.Name = ""
	return EntryOf(&reply), nil
}

// List implements storagedriver.Backend.
func (c *Calls) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return c.list(ctx, abi.OpList, &abi.ListRequest{Path: path, Cursor: cursor, Limit: limit})
}

// ListTree implements storagedriver.Backend.
func (c *Calls) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (storagedriver.Page, error) {
	if err := c.Require(abi.OpListTree, storagedriver.AbilityListTree); err != nil {
		return storagedriver.Page{}, err
	}
	return c.list(ctx, abi.OpListTree, &abi.ListRequest{Path: path, After: startAfter, Cursor: cursor, Limit: limit})
}

func (c *Calls) list(ctx context.Context, op abi.Op, request *abi.ListRequest) (storagedriver.Page, error) {
	if request.Limit <= 0 || request.Limit > abi.MaxList {
		request.Limit = abi.MaxList
	}
	var reply abi.ListReply
	if err := c.Do(ctx, op, request, &reply, func() error { return checkPage(op, request, &reply) }); err != nil {
		return storagedriver.Page{}, err
	}
	page := storagedriver.Page{Cursor: reply.Cursor, Entries: make([]storagedriver.Entry, len(reply.Entries))}
	for i := range reply.Entries {
		page.Entries[i] = EntryOf(&reply.Entries[i])
	}
	return page, nil
}

// Delete implements storagedriver.Backend.
func (c *Calls) Delete(ctx context.Context, path string) error {
	return c.simple(ctx, abi.OpDelete, 0, &abi.PathRequest{Path: path})
}

// DeleteTree implements storagedriver.Backend.
func (c *Calls) DeleteTree(ctx context.Context, path string) error {
	return c.simple(ctx, abi.OpDeleteTree, storagedriver.AbilityDeleteTree, &abi.PathRequest{Path: path})
}

// Copy implements storagedriver.Backend.
func (c *Calls) Copy(ctx context.Context, source, dest string) error {
	return c.simple(ctx, abi.OpCopy, storagedriver.AbilityCopy, &abi.CopyRequest{Path: source, Dest: dest})
}

// Move implements storagedriver.Backend.
func (c *Calls) Move(ctx context.Context, source, dest string) error {
	return c.simple(ctx, abi.OpMove, storagedriver.AbilityMove, &abi.CopyRequest{Path: source, Dest: dest})
}

// Concat implements storagedriver.Backend.
func (c *Calls) Concat(ctx context.Context, dest string, sources []string) error {
	return c.simple(ctx, abi.OpConcat, storagedriver.AbilityConcat, &abi.ConcatRequest{Dest: dest, Paths: sources})
}

// Redirect implements storagedriver.Backend.
func (c *Calls) Redirect(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	if err := c.Require(abi.OpRedirect, storagedriver.AbilityRedirect); err != nil {
		return "", err
	}
	var reply abi.RedirectReply
	request := &abi.RedirectRequest{Path: path, Method: options.Method, Remote: options.RemoteAddr, Forwarded: options.ForwardedFor}
	err := c.Do(ctx, abi.OpRedirect, request, &reply, nil)
	return reply.URL, err
}

// CancelUpload implements storagedriver.Uploads.
func (c *Calls) CancelUpload(ctx context.Context, token string) error {
	return c.simple(ctx, abi.OpUploadCancel, storagedriver.AbilityParts, &abi.TokenRequest{Token: token})
}

// AbortUploads implements storagedriver.Uploads.
func (c *Calls) AbortUploads(ctx context.Context, path string) error {
	return c.simple(ctx, abi.OpUploadAbort, storagedriver.AbilityParts, &abi.PathRequest{Path: path})
}

// ListUploads implements storagedriver.Uploads.
func (c *Calls) ListUploads(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	if err := c.Require(abi.OpListUploads, storagedriver.AbilityListUploads); err != nil {
		return storagedriver.Page{}, err
	}
	return c.list(ctx, abi.OpListUploads, &abi.ListRequest{Path: path, Cursor: cursor, Limit: limit})
}

// EndRequest is the message that ends an upload with its parts and rest, which may be nil.
func EndRequest(op abi.Op, token string, table *storagedriver.Receipts, rest storagedriver.Source) *abi.UploadEndRequest {
	request := &abi.UploadEndRequest{Token: token}
	if rest == nil {
		return request
	}
	request.Size = rest.Size()
	if op == abi.OpUploadCommit {
		request.Num = 1
		if all := table.All(); len(all) > 0 {
			last := all[len(all)-1]
			request.Num, request.Off = int64(last.Number)+1, last.Offset+last.Size
		}
	}
	return request
}
