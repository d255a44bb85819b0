package transfer

import (
	"fmt"

	"github.com/berth-dev/storagedriver"
)

// DefaultParallel is how many files are copied or checked at a time by default.
const DefaultParallel = 8

// Verify says how a copy is compared with its source.
type Verify string

// The values of Verify.
const (
	// VerifyDigest compares the SHA-256 of what was read with that of what the destination gives back.
	VerifyDigest Verify = "digest"
	// VerifySize compares the sizes that the drivers' Stat gives.
	VerifySize Verify = "size"
	// VerifyNone believes a Commit.
	VerifyNone Verify = "none"
)

// Options say how to copy. The zero value copies 8 files at a time and compares digests.
type Options struct {
	// Parallel is how many files Tree copies at a time; 0 is DefaultParallel.
	Parallel int
	// Verify is how copies are compared; "" is VerifyDigest. Uploads that an earlier call began are continued with VerifyDigest alone: nothing else tells
	// that they are of the same content.
	Verify Verify
	// Journal, if not nil, is where finished files are noted, and looked up.
	Journal *Journal
	// Progress, if not nil, is told what happens, from several goroutines at a time. It must not block.
	Progress func(Event)
}

// Check returns KindInvalidArgument for a field out of its range.
func (o Options) Check() error {
	switch o.Verify {
	case "", VerifyDigest, VerifySize, VerifyNone:
	default:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "verify must be digest, size or none, not %q", string(o.Verify))
	}
	if o.Parallel < 0 {
		return storagedriver.NewError(storagedriver.KindInvalidArgument, "parallel must not be negative")
	}
	return nil
}

func (o Options) digests() bool { return o.Verify == "" || o.Verify == VerifyDigest }

func (o Options) tell(e Event) {
	if o.Progress != nil {
		o.Progress(e)
	}
}

func (o Options) parallel() int {
	if o.Parallel == 0 {
		return DefaultParallel
	}
	return o.Parallel
}

// Stage is what an Event tells.
type Stage int

// The stages.
const (
	// Found: Tree and Check have a file of Bytes to go through.
	Found Stage = iota
	// Begun: the file's turn has come.
	Begun
	// Read: another Bytes of it were read from the source. A file that is copied a second time, because what was continued was of
	// other content, is read a second time as well.
	Read
	// ReadBack: another Bytes of it were read from the destination.
	ReadBack
	// Done: Result and Err are what became of it. Each file that was Begun is Done once.
	Done
)

// Event is something that happens to the file at Path, which is the source's.
type Event struct {
	Stage  Stage
	Path   string
	Bytes  int64
	Result Result
	Err    error
}

// Result is what became of one file.
type Result struct {
	// From and To are the file's paths in the source and in the destination.
	From, To string
	// Bytes is the file's size.
	Bytes int64
	// Written is how many of them were sent to the destination; those of a resumed upload were sent before.
	Written int64
	// Resumed is how many bytes of a suspended upload were continued.
	Resumed int64
	// Skipped says that the file was there already.
	Skipped bool
	// Digest is "sha256:" and the digest of what was read in hexadecimal, with VerifyDigest; "" if nothing was. Of Check it is a blob's, in the
	// algorithm of its path.
	Digest string
}

// Summary counts files.
type Summary struct {
	// Files is how many there are, and Bytes the sum of the sizes of those that did not fail.
	Files, Bytes int64
	// Skipped of them were there already, and Failed are not there.
	Skipped, Failed int64
	// Resumed is how many uploads were continued, and Written the bytes sent.
	Resumed, Written int64
	// Digests is of how many of those that did not fail the digest was compared: in Check of blobs alone.
	Digests int64
}

func (s *Summary) add(r Result, err error) {
	s.Files++
	s.Written += r.Written
	if err != nil {
		s.Failed++
		return
	}
	s.Bytes += r.Bytes
	if r.Skipped {
		s.Skipped++
	}
	if r.Digest != "" {
		s.Digests++
	}
	if r.Resumed > 0 {
		s.Resumed++
	}
}

// failures are those of many files. It is used by one goroutine at a time.
type failures struct {
	first           error
	kind            storagedriver.Kind
	mixed, lasting  bool
	corrupt, others int64
}

func (f *failures) add(err error) {
	kind := storagedriver.KindOf(err)
	if f.first == nil {
		f.first, f.kind = err, kind
	}
	f.mixed = f.mixed || kind != f.kind
	f.lasting = f.lasting || !storagedriver.IsTemporary(err)
	if kind == storagedriver.KindCorrupt {
		f.corrupt++
	} else {
		f.others++
	}
}

// err is KindCorrupt if one of them is, else of the kind that all of them have, else KindUnknown; Temporary if all are.
func (f *failures) err(verb string) error {
	if f.first == nil {
		return nil
	}
	n := f.corrupt + f.others
	text := fmt.Sprintf("1 file was not %s: %v", verb, f.first)
	if n > 1 {
		text = fmt.Sprintf("%d files were not %s, the first: %v", n, verb, f.first)
	}
	kind := f.kind
	switch {
	case f.corrupt > 0:
		kind = storagedriver.KindCorrupt
	case f.mixed:
		kind = storagedriver.KindUnknown
	}
	e := storagedriver.NewError(kind, text)
	e.Temporary = !f.lasting
	return e
}
