package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// outcome is what may be at a path after an operation in which the process was killed.
type outcome struct {
	there   bool
	content content
}

// doomed performs an operation in which the process is killed, at the call to the backend with the number, or when
// the operation is over. What was answered without an error must hold. Of anything else each file is
// whole as it was or whole as it was to be, and the uploads concerned are what a crash leaves of them.
func (r *run) doomed(op Op, call int64) {
	r.process.KillAt(call)
	d := &doom{run: r, may: map[string][]outcome{}}
	switch op.Kind {
	case Put:
		d.put(op)
	case Delete:
		d.delete(op.Path)
	case Move:
		d.move(op.Path, op.To)
	case Writer:
		d.open(op)
	case Write, Commit, Cancel, Interrupt, Close:
		if w := r.state.sessions[op.Name]; w != nil && w.running() {
			d.use(w, op)
		}
	case Walk:
		_ = r.driver.Walk(r.ctx, r.full(op.Path), func(storagedriver.FileInfo) error { return nil }) // what it calls is not looked at
	case List:
		_, _ = r.driver.List(r.ctx, r.full(op.Path)) // as above
	}
	r.crash()
	d.resolve()
}

// doom is such an operation.
type doom struct {
	*run
	may map[string][]outcome
	// moves are pairs of paths of which one must have the content.
	moves [][2]string
}

// as is what is at path.
func (d *doom) as(path string) outcome {
	c, there := d.state.files[path]
	return outcome{there, c}
}

// either says that path has what it had or, and that alone when the operation was answered so, what is new.
func (d *doom) either(path string, done bool, is outcome) {
	d.may[path] = []outcome{is}
	if !done {
		d.may[path] = append(d.may[path], d.as(path))
	}
	d.state.touch(path)
}

func (d *doom) put(op Op) {
	held := make([]byte, min(op.Size, maxHeld))
	p := piece{seed: op.Seed, n: int64(len(held))}
	p.fill(held, 0)
	err := d.driver.PutContent(d.ctx, d.target(op.Path), held)
	if valid(op.Path) {
		d.either(op.Path, err == nil, outcome{true, content{}.with(p)})
	}
}

func (d *doom) delete(path string) {
	err := d.driver.Delete(d.ctx, d.target(path))
	if !valid(path) {
		return
	}
	for _, p := range d.state.at(path) {
		d.either(p, err == nil, outcome{})
	}
	d.ended(path, err)
}

// ended says that uploads at path and below it have ended, or may have when there was an error.
func (d *doom) ended(path string, err error) {
	if err == nil {
		d.state.end(path, true)
	} else {
		d.state.doubt(path, true)
	}
}

func (d *doom) move(from, to string) {
	s := d.state
	possible := valid(from) && valid(to) && from != to && slices.Contains(s.mayMove(from, to), ok)
	err := d.driver.Move(d.ctx, d.target(from), d.target(to))
	if !possible {
		if valid(from) && valid(to) {
			s.doubt(from, true)
			s.doubt(to, true)
		}
		return
	}
	paths := s.at(from)
	if s.isFile(from) {
		paths = []string{from}
	} else if s.isFile(to) {
		// A directory that takes the place of a file, or does beside it.
		d.may[to] = []outcome{d.as(to), {}}
	}
	for _, p := range paths {
		q := to + strings.TrimPrefix(p, from)
		d.either(q, err == nil, d.as(p))
		d.either(p, err == nil, outcome{})
		d.moves = append(d.moves, [2]string{p, q})
	}
	s.ghosts[from], s.ghosts[to] = true, true
	s.touch(to)
	for dir := range s.emptyDirs() {
		if rest, below := strings.CutPrefix(dir, from+"/"); below {
			s.ghosts[to+"/"+rest] = true
		}
	}
	d.ended(from, err)
	d.ended(to, err)
}

func (d *doom) open(op Op) {
	s := d.state
	if w := s.sessions[op.Name]; w != nil && w.running() {
		return // the name would have to be given up first, which is another operation
	}
	w, err := d.driver.Writer(d.ctx, d.target(op.Path), op.Append)
	if err == nil {
		_ = w.Close() // it has accepted nothing
	}
	if valid(op.Path) {
		s.upload(op.Path)
		s.touch(op.Path)
		if !op.Append {
			s.doubt(op.Path, true)
		}
	}
}

func (d *doom) use(w *session, op Op) {
	s := d.state
	u := s.upload(w.path)
	switch op.Kind {
	case Write:
		p := piece{seed: op.Seed, n: min(op.Size, maxPiece)}
		buf := make([]byte, p.n)
		p.fill(buf, 0)
		n, _ := w.writer.Write(buf) // what was accepted counts
		if p.n = int64(n); n > 0 {
			s.accept(w, p)
		}
	case Cancel:
		may := append(append(s.possible(w.path, nil), u.beside...), nothing)
		if err := w.writer.Cancel(d.ctx); err == nil && !s.overtaken(w) {
			may = []found{nothing}
		}
		w.status = cancelled
		u.found = may
	case Commit:
		old := append(s.possible(w.path, nil), u.beside...)
		err := w.writer.Commit(d.ctx)
		d.may[w.path] = nil
		for _, c := range w.contents() {
			d.may[w.path] = append(d.may[w.path], outcome{true, c})
		}
		if err != nil {
			d.may[w.path] = append(d.may[w.path], d.as(w.path))
		}
		w.status = committed
		u.found = append(old, nothing)
	default:
		if op.Kind == Interrupt {
			w.endContext()
		}
		err := w.writer.Close()
		switch {
		case !w.accepted:
			w.status = suspended
		case err == nil:
			d.suspended(w, true)
		}
	}
	s.touch(w.path)
}

// resolve finds out what is there now, and goes on from that.
func (d *doom) resolve() {
	found := map[string]bool{}
	for _, path := range slices.Sorted(maps.Keys(d.may)) {
		found[path] = d.find(path, d.may[path])
	}
	for _, m := range d.moves {
		if !found[m[0]] && !found[m[1]] {
			d.fail("what was moved", fmt.Sprintf("it at %s or at %s", m[0], m[1]), "neither")
		}
	}
}

// find makes the state what is at path, which is to be one of the outcomes.
func (d *doom) find(path string, may []outcome) bool {
	var texts []string
	for _, o := range may {
		if o.there {
			texts = append(texts, o.content.String())
		} else {
			texts = append(texts, "nothing")
		}
		ctx, cancel := d.timed()
		body, err := d.driver.Reader(ctx, d.full(path), 0)
		same := !o.there && err != nil
		if err == nil {
			wrong, failed := o.content.verify(body, 0)
			same = o.there && wrong == nil && failed == nil
			_ = body.Close() // it was only read
		} else {
			d.want(err, "Reader", notFound)
		}
		cancel()
		if same {
			if _, before := d.state.files[path]; o.there {
				d.state.put(path, o.content)
			} else if before {
				d.state.remove(path)
			}
			return o.there
		}
	}
	d.fail("the content of "+path+" after the crash", strings.Join(texts, ", or "), "something else")
	return false
}
