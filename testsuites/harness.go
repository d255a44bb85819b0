package testsuites

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
)

// DefaultPartSize is what Harness.PartSize is when it is zero: the size of parts that
// drivers are opened with unless told otherwise.
const DefaultPartSize = 8 << 20

// DefaultTimeout is what Harness.Timeout is when it is zero. The longest case moves some
// 100 MiB in each direction; a backend that needs longer than this is told so by the case.
const DefaultTimeout = 3 * time.Minute

// Harness says how to open the driver under test, and which cases to run on it.
type Harness struct {
	// New opens the driver. It is called once for a suite; the suite closes what it
	// returns. When it cannot, it calls t.Fatalf.
	New func(t T) storagedriver.StorageDriver

	// Reopen opens another driver on the storage of d, as a second process would: nothing
	// may be shared with d but what is stored. d stays open. The suite closes what it
	// returns. nil means that New does that: each call opens the same storage.
	Reopen func(t T, d storagedriver.StorageDriver) storagedriver.StorageDriver

	// NewWithBudget is New with a bound of so many bytes on the memory in which all writers of the
	// driver together keep what they have accepted; New itself where writers keep nothing. It must
	// be a budget of this driver alone, as layers.WithBudget gives: what a process shares would let
	// one case wait for another. nil fails the cases budget/*, unless Skip gives a reason.
	NewWithBudget func(t T, bytes int64) storagedriver.StorageDriver

	// Skip maps identifiers of cases that are left out to the reason, which is
	// reported. An identifier that no case has, or an empty reason, is an error.
	Skip map[string]string

	// Run selects cases: patterns separated by commas, each matched as path.Match does.
	// A pattern without "/" matches what stands before the "/" of an identifier:
	// "walk" and "walk/*" are the same, "w*" is walk and write. "" is all. A pattern that
	// matches no case is an error.
	Run string

	// PartSize is the size of the parts that the driver cuts uploads into, in bytes; the
	// cases about large uploads scale with it. 0 means DefaultPartSize.
	PartSize int64

	// Parallel is how many cases run at the same time. 0 means 1.
	Parallel int

	// Seed decides the content the cases write. 0 means a new one. It is reported.
	Seed uint64

	// Timeout is how long one case may take. 0 means DefaultTimeout.
	Timeout time.Duration

	// Transcript returns what the driver did since it was last called, in lines, and may be nil. It is called when a
	// case begins, unless several run at the same time, and when one has failed, with which it is shown.
	Transcript func() string

	// Client follows redirects to the backend. nil means http.DefaultClient.
	Client *http.Client
}

// suite is a Harness that was found to make sense, with the cases it selects.
type suite struct {
	Harness
	driver   storagedriver.StorageDriver
	selected []scenario
	collects bool // what runs the suite asks for transcripts itself
}

// prepare checks h, fills in its defaults and selects the cases.
func prepare(h Harness) (*suite, error) {
	if h.New == nil {
		return nil, fmt.Errorf("testsuites: Harness.New is nil: it opens the driver under test")
	}
	if h.PartSize < 0 || h.Parallel < 0 || h.Timeout < 0 {
		return nil, fmt.Errorf("testsuites: Harness.PartSize, Parallel and Timeout are not negative")
	}
	all := scenarios()
	for id, reason := range h.Skip {
		if !slices.ContainsFunc(all, func(s scenario) bool { return s.id == id }) {
			return nil, fmt.Errorf("testsuites: Harness.Skip names %q, which is no case", id)
		}
		if reason == "" {
			return nil, fmt.Errorf("testsuites: Harness.Skip gives no reason for %q", id)
		}
	}
	selected, err := selectCases(all, h.Run)
	if err != nil {
		return nil, err
	}
	if h.PartSize == 0 {
		h.PartSize = DefaultPartSize
	}
	if h.Timeout == 0 {
		h.Timeout = DefaultTimeout
	}
	h.Parallel = max(h.Parallel, 1)
	for h.Seed == 0 {
		h.Seed = randomNumber()
	}
	return &suite{Harness: h, selected: selected}, nil
}

// selectCases returns those of all, in their order, that one of the patterns matches.
func selectCases(all []scenario, patterns string) ([]scenario, error) {
	if patterns == "" {
		return all, nil
	}
	wanted := make([]bool, len(all))
	for pattern := range strings.SplitSeq(patterns, ",") {
		found := false
		for i, s := range all {
			name := s.id
			if !strings.Contains(pattern, "/") {
				name, _, _ = strings.Cut(s.id, "/")
			}
			ok, err := path.Match(pattern, name)
			if err != nil {
				return nil, fmt.Errorf("testsuites: the pattern %q for cases: %w", pattern, err)
			}
			found = found || ok
			wanted[i] = wanted[i] || ok
		}
		if !found {
			return nil, fmt.Errorf("testsuites: no case matches %q; an identifier is like walk/order, a pattern like walk or walk/start-*", pattern)
		}
	}
	var selected []scenario
	for i, s := range all {
		if wanted[i] {
			selected = append(selected, s)
		}
	}
	return selected, nil
}

func randomNumber() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}
