package stack

import (
	"slices"
	"strconv"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// Position is where a layer belongs. Greater ones are further in.
type Position int

// The positions, outermost first.
const (
	ReadOnly Position = iota + 1
	Tracing
	Metrics
	Retry
	Limit
	Timeout
	Fault
)

var positionNames = []string{"readonly", "tracing", "metrics", "retry", "limit", "timeout", "fault"}

// String returns the name that the layer at the position has in configurations.
func (p Position) String() string {
	if p < ReadOnly || p > Fault {
		return "position " + strconv.Itoa(int(p))
	}
	return positionNames[p-1]
}

// Layer is one layer, and where it belongs.
type Layer struct {
	Position Position
	// Wrap puts the layer around a backend, which it closes when it is closed.
	Wrap func(storagedriver.Backend) storagedriver.Backend
}

// Build puts layers, given outermost first, around b. Their order is that of the positions, and none is
// repeated; otherwise the error is KindInvalidArgument, names the two and the right order, and
// b is the caller's. Closing the result closes b.
func Build(b storagedriver.Backend, layers ...Layer) (storagedriver.Backend, error) {
	for i, l := range layers {
		if err := check(l, layers[:i]); err != nil {
			return nil, err
		}
	}
	for _, l := range slices.Backward(layers) {
		if b = l.Wrap(b); b == nil {
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the layer %v made no backend", l.Position)
		}
	}
	return b, nil
}

// check returns the error of l where the layers outside are around it.
func check(l Layer, outside []Layer) error {
	if l.Position < ReadOnly || l.Position > Fault || l.Wrap == nil {
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "a layer at %v: it needs a function and one of the positions %s", l.Position, order())
	}
	if len(outside) == 0 {
		return nil
	}
	switch before := outside[len(outside)-1]; {
	case before.Position < l.Position:
		return nil
	case before.Position == l.Position:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "the layer %v is there twice: each may be once, in the order %s", l.Position, order())
	default:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "the layer %v is outside %v: the order is %s, outermost first", before.Position, l.Position, order())
	}
}

func order() string { return strings.Join(positionNames, ", ") }
