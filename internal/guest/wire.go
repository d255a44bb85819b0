package guest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// ErrorOf makes an error of a driver's error reply. text is its message as it may be shown: see [Secrets.Clean].
func ErrorOf(e *abi.Error, text string) error {
	kind := storagedriver.Kind(e.Kind)
	if e.Status != 0 && !strings.Contains(text, strconv.Itoa(e.Status)) {
		text = strings.TrimSpace(fmt.Sprintf("%s (HTTP status %d)", text, e.Status))
	}
	after := time.Duration(min(e.After, int64(time.Hour/time.Millisecond))) * time.Millisecond
	out := &storagedriver.Error{Kind: kind, Temporary: e.Temporary, RetryAfter: after}
	if text != "" {
		out.Err = errors.New(text)
	}
	return out
}

// WireError makes the message that tells the other side of err.
func WireError(err error) *abi.Error {
	e := &abi.Error{Kind: abi.Kind(storagedriver.KindOf(err)), Temporary: storagedriver.IsTemporary(err), Message: err.Error()}
	var classified *storagedriver.Error
	if errors.As(err, &classified) {
		e.After = classified.RetryAfter.Milliseconds()
		if classified.Err != nil {
			e.Message = classified.Err.Error() // the kind travels by itself
		}
	}
	e.Message = Clip(strings.ToValidUTF8(e.Message, "?"), abi.MaxText) // it may quote the backend
	return e
}

// ContextError is the error of an operation whose context ended.
func ContextError(err error) error {
	kind := storagedriver.KindCanceled
	if errors.Is(err, context.DeadlineExceeded) {
		kind = storagedriver.KindDeadline
	}
	return &storagedriver.Error{Kind: kind, Err: err}
}

// EntryOf returns an entry of a reply.
func EntryOf(e *abi.Entry) storagedriver.Entry {
	out := storagedriver.Entry{Name: e.Name, Size: e.Size, Dir: e.Dir}
	if e.Time != 0 {
		out.ModTime = time.Unix(0, e.Time)
	}
	if e.Dir {
		out.Size = 0
	}
	return out
}

// checkPage holds a listing against docs/abi.md: names that could be taken for others
// would let a driver point the host at paths that it was not asked about.
func checkPage(op abi.Op, request *abi.ListRequest, reply *abi.ListReply) error {
	if len(reply.Cursor) > abi.MaxCursor {
		return fmt.Errorf("a cursor of %d bytes, more than %d", len(reply.Cursor), abi.MaxCursor)
	}
	if reply.Cursor != "" && reply.Cursor == request.Cursor {
		return fmt.Errorf("the cursor of a page is that of the page before")
	}
	for i := range reply.Entries {
		name := reply.Entries[i].Name
		if op == abi.OpList && strings.Contains(name, "/") {
			return fmt.Errorf("the entry %q has a slash", name)
		}
		for part := range strings.SplitSeq(name, "/") {
			if part == "" || part == "." || part == ".." {
				return fmt.Errorf("the entry %q is no name", name)
			}
		}
	}
	return nil
}

// LimitsOf returns a driver's limits, or an error that says what about them cannot be.
func LimitsOf(l *abi.Limits) (storagedriver.PartLimits, error) {
	none := storagedriver.PartLimits{}
	if l.Max != 0 && l.Max < l.Min {
		return none, fmt.Errorf("parts of at least %d and at most %d bytes", l.Min, l.Max)
	}
	if l.Count > 1<<31-1 {
		return none, fmt.Errorf("a limit of %d parts", l.Count)
	}
	for _, name := range l.Digests {
		if name != "sha256" && name != "md5" && name != "crc32c" {
			return none, fmt.Errorf("the digest %q, not sha256, md5 or crc32c", name)
		}
	}
	return storagedriver.PartLimits{
		Min: l.Min, Max: l.Max, Count: int(l.Count), Multiple: l.Multiple, Equal: l.Equal, Sequential: l.Seq, Total: l.Total, Digests: l.Digests,
	}, nil
}

// WireReceipts returns receipts as messages have them.
func WireReceipts(receipts []storagedriver.Receipt) []abi.Receipt {
	page := make([]abi.Receipt, len(receipts))
	for i, r := range receipts {
		page[i] = abi.Receipt{Num: int64(r.Number), Off: r.Offset, Size: r.Size, Data: r.Data}
	}
	return page
}

// AddReceipts adds a page of a driver's receipts to a table.
func AddReceipts(table *storagedriver.Receipts, page []abi.Receipt) error {
	if table.Len()+len(page) > abi.MaxReceipts {
		return storagedriver.Errorf(storagedriver.KindLimit, "more than %d receipts", abi.MaxReceipts)
	}
	for _, r := range page {
		if r.Num < 1 || r.Num > abi.MaxReceipts {
			return storagedriver.Errorf(storagedriver.KindInvalidArgument, "the number %d of a receipt is not 1 to %d", r.Num, abi.MaxReceipts)
		}
		table.Set(storagedriver.Receipt{Number: int(r.Num), Offset: r.Off, Size: r.Size, Data: r.Data})
	}
	return nil
}
