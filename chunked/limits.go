package chunked

import (
	"slices"

	"github.com/berth-dev/storagedriver"
)

// DefaultPartSize is a part's bytes when neither the operator nor the backend says
// otherwise: above the 5 MiB that S3 demands, and large enough that a request's
// round trip costs little beside sending it.
const DefaultPartSize = 8 << 20

// growthSteps is how often the size of parts doubles on the way to Limits.Count. With S3's
// 10,000 parts of 8 MiB the first 10 GiB stay at 8 MiB; an upload reaches
// 770 GiB within the default budget, instead of 78 GiB.
const growthSteps = 8

// plan says how large the parts of an upload are.
type plan struct {
	limits storagedriver.PartLimits
	base   int64 // the first parts' size
	most   int64 // what the size grows to
}

// newPlan reconciles the wanted size with the backend's limits, the budget and what a
// resumed upload already has.
func newPlan(l storagedriver.PartLimits, want, budget int64, up storagedriver.Upload) (plan, error) {
	if err := checkLimits(l); err != nil {
		return plan{}, err
	}
	multiple := max(l.Multiple, 1)
	need := max(l.Min, 1)
	if up.Tail != nil {
		need = max(need, up.Tail.Size())
	}
	need = (need + multiple - 1) / multiple * multiple
	most := budget
	if l.Max > 0 {
		most = min(most, l.Max)
	}
	most -= most % multiple
	if need > most {
		return plan{}, storagedriver.Errorf(storagedriver.KindLimit,
			"a part needs %d bytes, and at most %d are possible: the backend's limit is %d, the memory budget %d", need, most, l.Max, budget)
	}
	want = min(want, most)
	p := plan{limits: l, base: max(want-want%multiple, need), most: most}
	if first := up.Receipts.Page(0, 1); l.Equal && len(first) == 1 {
		p.base = first[0].Size
		if p.base > most || p.base < need {
			return plan{}, storagedriver.Errorf(storagedriver.KindLimit,
				"the upload was begun with parts of %d bytes, and parts of %d to %d are possible now", p.base, need, most)
		}
	}
	if l.Equal {
		p.most = p.base
	} else {
		// Leave room for another writer when parts have grown.
		p.most = max(p.base, min(most, budget/2/multiple*multiple))
	}
	return p, nil
}

func checkLimits(l storagedriver.PartLimits) error {
	if l.Min < 0 || l.Max < 0 || l.Count < 0 || l.Multiple < 0 || l.Total < 0 || l.Max > 0 && (l.Min > l.Max || l.Multiple > l.Max) {
		return storagedriver.Errorf(storagedriver.KindCorrupt,
			"the backend's limits for parts contradict themselves: min %d, max %d, count %d, multiple %d, total %d", l.Min, l.Max, l.Count, l.Multiple, l.Total)
	}
	for _, name := range l.Digests {
		if !slices.Contains(digestNames, name) {
			return storagedriver.Errorf(storagedriver.KindUnsupported, "the backend wants the digest %q of parts; there are %v", name, digestNames)
		}
	}
	return nil
}

// size returns the size of the part with the number, or KindLimit when there may be none.
func (p plan) size(number int) (int64, error) {
	count := p.limits.Count
	if count == 0 {
		return p.base, nil
	}
	if number > count {
		return 0, storagedriver.Errorf(storagedriver.KindLimit, "the upload has %d parts, the most this backend takes; larger parts would reach further", count)
	}
	size := p.base
	for range (number - 1) * growthSteps / count {
		if size > p.most/2 {
			break
		}
		size *= 2
	}
	return size, nil
}

// part returns how many of the n bytes left at a suspend may be stored as a part that
// is not the last. The rest is the tail.
func (p plan) part(n int64) int64 {
	if p.limits.Equal {
		if n == p.base {
			return n
		}
		return 0
	}
	n -= n % max(p.limits.Multiple, 1)
	if n < max(p.limits.Min, 1) {
		return 0
	}
	return n
}
