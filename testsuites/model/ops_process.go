package model

import (
	"maps"
	"slices"

	"github.com/berth-dev/storagedriver"
)

// crash kills the process with all that is open.
func (r *run) crash() {
	s := r.state
	r.process.Kill()
	for _, name := range slices.Sorted(maps.Keys(s.sessions)) {
		if w := s.sessions[name]; w.running() && w.accepted {
			s.lose(w)
		}
	}
	for _, w := range s.sessions {
		w.endContext()
		_ = w.writer.Close() // gives back its memory; nothing reaches the backend
	}
	for _, o := range s.readings {
		_ = o.body.Close() // as above
	}
	r.old = append(r.old, r.driver)
	r.again()
}

// reopen closes everything in order, and opens it again.
func (r *run) reopen() {
	s := r.state
	for _, name := range slices.Sorted(maps.Keys(s.sessions)) {
		if w := s.sessions[name]; w.running() {
			r.closeWriter(w)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.readings)) {
		r.closeReader(s.readings[name])
	}
	r.want(r.driver.Close(), "Close of the driver", ok)
	r.driverClosed = true
	r.again()
}

// again opens the driver as another process.
func (r *run) again() {
	for _, w := range r.state.sessions {
		w.endContext()
	}
	clear(r.state.sessions)
	clear(r.state.readings)
	name, capabilities := r.driver.Name(), r.state.capabilities
	r.check(r.open())
	if r.driver.Name() != name || r.driver.Capabilities() != capabilities {
		r.fail("opening again", name+" with "+capabilities.Abilities.String(), "%s with %s", r.driver.Name(), r.driver.Capabilities().Abilities)
	}
}

// checkAll looks at everything that can be seen.
func (r *run) checkAll() {
	r.walk(Op{Path: "/"})
	r.list("/")
	must, may := r.state.tree("/")
	maps.Copy(must, may)
	for _, key := range slices.Sorted(maps.Keys(must)) {
		e := fromKey(key)
		r.look(e.path)
		if e.dir {
			r.list(e.path)
		}
	}
}

// finish looks at what the script left, as another process, and at what every suspended upload holds.
func (r *run) finish() {
	r.atEnd, r.op = true, Op{Kind: Check}
	r.reopen()
	r.checkAll()
	for _, path := range slices.Sorted(maps.Keys(r.state.uploads)) {
		if storagedriver.ValidatePath(path) != nil || r.state.blocked(path) || r.state.mayBeBlocked(path) {
			continue
		}
		r.openWriter(Op{Kind: Writer, Name: "at the end", Path: path, Append: true})
		w := r.state.sessions["at the end"]
		if w == nil {
			continue
		}
		if w.resumed {
			r.commit(w)
		}
		r.closeWriter(w)
		r.openWriter(Op{Kind: Writer, Name: "at the end", Path: path})
		r.cancel(r.state.sessions["at the end"])
	}
	r.checkAll()
}
