package s3

import (
	"context"
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"github.com/berth-dev/storagedriver"
)

const (
	// stateSuffix and tailSuffix make the keys of an upload's objects from that of its target.
	stateSuffix = "~upload"
	tailSuffix  = "~tail."
	// stateFormat is what the state objects say they are.
	stateFormat = "berth s3 upload 1"
	// maxState is the most bytes of a state object: 10,000 parts of 150 bytes and an inline tail, twice.
	maxState = 4 << 20
	// inlineTail is the most bytes of a tail that the state holds itself: it costs a second request, one after the other, to
	// put it beside it.
	inlineTail = 256 << 10
	// maxParts is the most parts of a multipart upload.
	maxParts = 10_000
)

// state is what is known of an upload that has stored something.
type state struct {
	Format string `json:"format"`
	// Upload is the ID of the multipart upload; "" as long as there is no part.
	Upload string `json:"upload,omitempty"`
	// Mark is in the metadata of what the multipart upload makes.
	Mark string `json:"mark,omitempty"`
	// Writer is a new one each time somebody goes on with the upload.
	Writer string `json:"writer"`
	// Begun is an upload that nobody has suspended: its parts are those that the service lists.
	Begun bool `json:"begun,omitempty"`
	// Rebuilding is an upload of distribution's that is being made one that can be gone on with; see rebuild.
	Rebuilding bool `json:"rebuilding,omitempty"`
	// Committing counts the commits that were tried.
	Committing int    `json:"committing,omitempty"`
	Parts      []part `json:"parts,omitempty"`
	// TailKey is the object with the tail, and TailSize its bytes; Tail is the tail itself where it is short.
	TailKey  string `json:"tailKey,omitempty"`
	TailSize int64  `json:"tailSize,omitempty"`
	Tail     []byte `json:"tail,omitempty"`
}

type part struct {
	Number int    `json:"n"`
	Offset int64  `json:"o"`
	Size   int64  `json:"s"`
	Tag    string `json:"t"`
}

func (s *state) receipts() *storagedriver.Receipts {
	if len(s.Parts) == 0 {
		return nil
	}
	r := &storagedriver.Receipts{}
	for _, p := range s.Parts {
		r.Set(storagedriver.Receipt{Number: p.Number, Offset: p.Offset, Size: p.Size, Data: []byte(p.Tag)})
	}
	return r
}

func partsOf(receipts *storagedriver.Receipts) []part {
	all := receipts.All()
	parts := make([]part, len(all))
	for i, r := range all {
		parts[i] = part{r.Number, r.Offset, r.Size, string(r.Data)}
	}
	return parts
}

// loadState returns the state of the upload to key and its ETag; nil when there is none.
func (d *Driver) loadState(ctx context.Context, key string) (*state, string, error) {
	body, opened, err := d.body(ctx, key+stateSuffix, 0, -1)
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxState+1))
	if err != nil {
		return nil, "", classify("s3:GetObject", err)
	}
	s := &state{}
	if len(text) > maxState || json.Unmarshal(text, s) != nil || s.Format != stateFormat || s.Writer == "" {
		return nil, "", storagedriver.NewError(storagedriver.KindCorrupt, "the object "+key+stateSuffix+" should be the state of an upload, and cannot be understood; delete it to give the upload up")
	}
	return s, opened.Tag, nil
}

// saveState replaces the state that has the ETag; "" is none. KindConflict: there is another writer's by now. It returns the new one's. A write of
// the same writer whose answer was lost is replaced as well.
func (d *Driver) saveState(ctx context.Context, key string, s *state, replaced string) (string, error) {
	s.Format = stateFormat
	text, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	for {
		tag, err := d.putState(ctx, key, text, s.Writer, replaced)
		switch storagedriver.KindOf(err) {
		case storagedriver.KindConflict, storagedriver.KindNotFound:
		case storagedriver.KindUnsupported:
			return "", withoutConditions(err)
		default:
			if err == nil && tag == "" {
				err = storagedriver.NewError(storagedriver.KindCorrupt, "the service gives an object no ETag")
			}
			return tag, err
		}
		now, tag, loadErr := d.loadState(ctx, key)
		if loadErr != nil {
			return "", loadErr
		}
		if now == nil || now.Writer != s.Writer || tag == replaced {
			return "", storagedriver.Errorf(storagedriver.KindConflict, "another writer has moved on: %w", err)
		}
		replaced = tag
	}
}

func withoutConditions(err error) error {
	return storagedriver.Errorf(storagedriver.KindUnsupported, `if the service has no conditional writes, set parameter "conditionalwrites" to false: %w`, err)
}

func (d *Driver) putState(ctx context.Context, key string, text []byte, writer, replaced string) (string, error) {
	var c condition
	if d.config.ConditionalWrites {
		c = condition{match: replaced, absent: replaced == ""}
	} else if err := d.unchanged(ctx, key, writer, replaced); err != nil {
		return "", err
	}
	return d.put(ctx, key+stateSuffix, storagedriver.BytesSource(text), c)
}

// unchanged looks for a service without conditional writes.
func (d *Driver) unchanged(ctx context.Context, key, writer, tag string) error {
	now, nowTag, err := d.loadState(ctx, key)
	switch {
	case err != nil:
		return err
	case now == nil && tag == "", now != nil && nowTag == tag, now != nil && now.Writer == writer:
		return nil
	}
	return storagedriver.NewError(storagedriver.KindConflict, "another writer has moved on")
}

// forgetVersion is forget where the state still has the ETag: another writer may go on with the upload meanwhile.
func (d *Driver) forgetVersion(ctx context.Context, key string, s *state, tag string) error {
	removed, err := d.removeVersion(ctx, key+stateSuffix, tag)
	if err != nil || !removed || s.TailKey == "" {
		return err
	}
	return d.remove(ctx, s.TailKey)
}

// forget removes a state and what it names, but for the multipart upload. s may be nil.
func (d *Driver) forget(ctx context.Context, key string, s *state) error {
	if s == nil {
		return nil
	}
	if err := d.remove(ctx, key+stateSuffix); err != nil || s.TailKey == "" {
		return err
	}
	return d.remove(ctx, s.TailKey)
}

// discard removes what a state names that was not saved, unless the one that is there names it as well: an earlier attempt may have saved s without an
// answer, and another writer have gone on from it.
func (d *Driver) discard(ctx context.Context, key string, s *state) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	if s.Upload == "" && s.TailKey == "" {
		return
	}
	now, _, err := d.loadState(ctx, key)
	if err != nil {
		return // it may
	}
	if s.Upload != "" && (now == nil || now.Upload != s.Upload) {
		d.abandon(ctx, key, s.Upload)
	}
	if s.TailKey != "" && (now == nil || now.TailKey != s.TailKey) {
		_ = d.remove(ctx, s.TailKey) // an orphan otherwise
	}
}

// token names an upload, and what its writer began with.
type token struct {
	instance string // the Driver that opened it
	number   uint64 // counts those of the Driver
	writer   string
	id       string // of the multipart upload that is gone on with; "" is none
	base     string // the ETag of the state when the upload was opened; "" is none
	key      string
}

func (t token) String() string {
	return strings.Join([]string{t.instance, strconv.FormatUint(t.number, 10), t.writer, t.id, t.base, t.key}, "\n")
}

func parseToken(s string) (token, error) {
	f := strings.SplitN(s, "\n", 6)
	if len(f) != 6 || f[5] == "" {
		return token{}, storagedriver.NewError(storagedriver.KindInvalidArgument, "not a token of this driver")
	}
	number, err := strconv.ParseUint(f[1], 10, 64)
	if err != nil {
		return token{}, storagedriver.NewError(storagedriver.KindInvalidArgument, "not a token of this driver")
	}
	return token{f[0], number, f[2], f[3], f[4], f[5]}, nil
}
