package layers

import (
	"context"
	"slices"
	"sort"
)

// walkAhead is how many pages of a tree listing are read and not yet walked, or under way: enough for every listing in
// flight to be followed by another while the first is waited for. At 1,000 names of 200 bytes they are 4 MB.
const walkAhead = 2 * walkParallel

// spans are what is left to walk of a tree listing, in order: each begins where the one before it ends, the last has no end. They
// are listed ahead, as many at a time as the walk has lately shown that it wants: it begins with one, and that doubles with each
// page that is walked. Only listing runs in goroutines; spans is used by one.
type spans struct {
	*walk
	list     []*span
	arrivals chan arrival
	parallel int // how many listings may be in flight
}

// span is the files whose names follow after, up to and including before.
type span struct {
	after, before string // before is "" for the last

	// Of one that is not being listed:
	pager *pager // continues at after; nil for a listing that begins there
	split split  // where more listings may begin

	stride uint64             // of the split that ended it here; 0 for none
	cancel context.CancelFunc // set once it is being listed
	ready  bool               // page is set
	page   page
}

// arrival is a page that was listed for a span.
type arrival struct {
	*span
	page page
}

func (w *walk) spansAfter(after string) *spans {
	return &spans{walk: w, list: []*span{{after: after}}, arrivals: make(chan arrival), parallel: 1}
}

// next waits for the page of the first span and takes it out. It returns nil when all has been walked.
func (s *spans) next() (*span, error) {
	for len(s.list) > 0 {
		s.begin()
		if first := s.list[0]; first.ready {
			s.list = slices.Delete(s.list, 0, 1)
			return first, first.page.err
		}
		select {
		case a := <-s.arrivals:
			s.arrived(a)
		case <-s.ctx.Done():
			return nil, s.ctx.Err()
		}
	}
	return nil, s.ctx.Err()
}

// walked is called when all of a span has been walked.
func (s *spans) walked() { s.parallel = min(2*s.parallel, walkParallel) }

// begin begins as many listings as may be in flight, the first span's in any case.
func (s *spans) begin() {
	flying, ahead := 0, 0
	for _, x := range s.list {
		if x.cancel != nil {
			ahead++
			if !x.ready {
				flying++
			}
		}
	}
	for i := 0; i < len(s.list) && (i == 0 || flying < s.parallel && ahead < walkAhead); i++ {
		if s.list[i].cancel != nil {
			continue
		}
		s.divide(i)
		s.fly(s.list[i])
		flying, ahead = flying+1, ahead+1
	}
}

// divide lets the span at i end where its split says that another listing may begin.
func (s *spans) divide(i int) {
	x := s.list[i]
	middle, rest, ok := x.split.next()
	if !ok || middle <= x.after || x.before != "" && middle >= x.before {
		return
	}
	s.list = slices.Insert(s.list, i+1, &span{after: middle, before: x.before, split: rest})
	x.before, x.stride = middle, x.split.stride
}

// fly lists one page of x.
func (s *spans) fly(x *span) {
	var ctx context.Context
	ctx, x.cancel = context.WithCancel(s.ctx)
	p := x.pager
	if p == nil {
		p = s.gate.treePager(s.root, x.after)
		x.pager = p
	}
	s.streams.Go(func() {
		entries, err := s.fetch(ctx, p)
		select {
		case s.arrivals <- arrival{x, page{entries, p.more(), err}}:
		case <-ctx.Done():
		}
	})
}

// drop takes out the span at i.
func (s *spans) drop(i int) {
	if x := s.list[i]; x.cancel != nil {
		x.cancel()
	}
	s.list = slices.Delete(s.list, i, i+1)
}

// arrived gives a span its page, and the ones after it what the page says of them.
func (s *spans) arrived(a arrival) {
	i := slices.Index(s.list, a.span)
	if i < 0 {
		return // it was dropped meanwhile
	}
	x := a.span
	x.cancel()
	x.ready, x.page = true, a.page
	last := x.after
	if n := len(a.page.entries); n > 0 {
		last = a.page.entries[n-1].Name
	}
	switch {
	case a.page.err != nil:
	case !a.page.more:
		x.before = ""
		for len(s.list) > i+1 {
			s.drop(i + 1)
		}
	case x.before == "" || last < x.before:
		s.list = slices.Insert(s.list, i+1, &span{after: last, before: x.before, pager: x.pager, split: splitAfter(a.page.entries)})
		x.before = last
		s.rescale(i+2, x.stride, 0.5)
	default:
		s.reaches(i, last)
	}
}

// reaches is for the span at i, whose page ends with last, which is not before its end.
func (s *spans) reaches(i int, last string) {
	x := s.list[i]
	for next := s.list[i+1]; next.before != "" && next.before <= last; next = s.list[i+1] {
		if next.cancel != nil {
			s.parallel = max(1, s.parallel/2) // it was listed for nothing
		}
		x.before = next.before
		s.drop(i + 1)
	}
	all := x.page.entries
	if next := s.list[i+1]; next.cancel == nil {
		x.before = last
		next.after, next.pager, next.split = last, x.pager, splitAfter(all)
		return
	}
	own := sort.Search(len(all), func(i int) bool { return all[i].Name > x.before })
	x.page.entries = all[:own]
	if own < len(all)/2 {
		s.rescale(i+1, x.stride, 2)
	}
}

// rescale changes how far apart the listings begin that follow the span at i, unless that was done since stride counted.
func (s *spans) rescale(i int, stride uint64, by float64) {
	for ; i < len(s.list); i++ {
		if x := s.list[i]; x.cancel == nil && x.split.width > 0 {
			if x.split.stride == stride {
				x.split.stride = uint64(min(max(1, by*float64(stride)), maxNumber))
			}
			return
		}
	}
}

// jump leaves out what is not after name. What is listed there was wanted by nobody: listing ahead begins anew.
func (s *spans) jump(name string) {
	for len(s.list) > 0 && s.list[0].before != "" && s.list[0].before <= name {
		s.drop(0)
	}
	if len(s.list) == 0 || s.list[0].after >= name {
		return
	}
	s.parallel = 1
	x := s.list[0]
	if x.ready && x.page.err == nil {
		return // it reaches further
	}
	anew := &span{after: name, before: x.before, split: x.split}
	s.drop(0)
	s.list = slices.Insert(s.list, 0, anew)
}
