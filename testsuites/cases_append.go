package testsuites

import (
	"github.com/berth-dev/storagedriver"
)

func appendCases() []scenario {
	return []scenario{
		{"append/small", "uploads of a few bytes go on after Close", func(e *env) { e.appendThrice(32) }},
		{"append/large", "uploads of several parts go on after Close", func(e *env) { e.appendThrice(e.suite.PartSize * 5 / 4) }},
		{"append/uneven", "an upload may be suspended just below, at and just above whole parts", appendUneven},
		{"append/many-suspends", "an upload may be suspended often, after a few bytes each time", appendMany},
		{"append/new-path", "an upload with append starts empty where nothing is", appendNew},
		{"append/zero-byte-upload", "an upload with append goes on after an upload of nothing was committed", appendZeroUpload},
		{"append/zero-byte-content", "an upload with append goes on after content of no bytes was put", appendZeroContent},
		{"append/committed-content", "an upload with append goes on after committed content or, without the ability, is Unsupported", appendCommitted},
		{"append/suspended-before-committed", "append prefers the suspended upload to committed content", appendPrefers},
		{"append/nothing-accepted", "a resumed upload to which nothing is added stays what it is", appendNothing},
	}
}

// appendThrice uploads three chunks with a Close after each of the first two.
func (e *env) appendThrice(chunk int64) {
	e.Helper()
	p, c := e.path("file"), e.content(3*chunk)
	w := e.writer(p, false)
	e.write(w, c, 0, chunk)
	e.close(w)
	e.wantSize(w, chunk, "after Close")
	w = e.resume(e.d, p, chunk)
	e.write(w, c, chunk, 2*chunk)
	e.close(w)
	e.wantSize(w, 2*chunk, "after Close")
	w = e.resume(e.d, p, 2*chunk)
	e.write(w, c, 2*chunk, 3*chunk)
	e.wantSize(w, 3*chunk, "after the last Write")
	e.commit(w)
	e.wantContent(p, c)
	e.wantList(e.dir, "file")
}

func appendUneven(e *env) {
	p, part := e.path("file"), e.suite.PartSize
	ends := []int64{part - 1, part, part + 1, part + part/3, 2*part + 1, 3 * part}
	c := e.content(ends[len(ends)-1])
	at := int64(0)
	for i, end := range ends {
		w := e.writer(p, i > 0)
		e.wantSize(w, at, "of the resumed upload")
		e.write(w, c, at, end)
		e.wantSize(w, end, "after Write")
		e.close(w)
		e.wantSize(w, end, "after Close")
		at = end
	}
	e.commit(e.resume(e.d, p, c.size))
	e.wantContent(p, c)
}

func appendMany(e *env) {
	const step, suspends = 1003, 12
	p, c := e.path("file"), e.content(step*suspends)
	for i := range int64(suspends) {
		w := e.writer(p, i > 0)
		e.wantSize(w, i*step, "of the resumed upload")
		e.write(w, c, i*step, (i+1)*step)
		e.close(w)
	}
	e.commit(e.resume(e.d, p, c.size))
	e.wantContent(p, c)
}

func appendNew(e *env) {
	p, c := e.path("dir/file"), e.content(1000)
	w := e.writer(p, true)
	e.wantSize(w, 0, "of an upload with append to a path with nothing")
	e.write(w, c, 0, c.size)
	e.commit(w)
	e.wantContent(p, c)
}

// appendToEmpty continues what of no bytes is at p.
func (e *env) appendToEmpty(p string) {
	e.Helper()
	empty, c := e.content(0), e.content(32)
	e.wantContent(p, empty)
	w := e.writer(p, true)
	e.wantSize(w, 0, "of an upload with append to content of no bytes")
	e.write(w, c, 0, c.size)
	e.wantContent(p, empty)
	e.commit(w)
	e.wantSize(w, c.size, "after Commit")
	e.wantContent(p, c)
}

func appendZeroUpload(e *env) {
	p := e.path("file")
	w := e.writer(p, false)
	e.commit(w)
	e.wantSize(w, 0, "after Commit of nothing")
	e.appendToEmpty(p)
}

func appendZeroContent(e *env) {
	p := e.path("file")
	e.put(p, e.content(0))
	e.appendToEmpty(p)
}

func appendCommitted(e *env) {
	p, c := e.path("file"), e.content(1000)
	for _, uploaded := range []bool{false, true} {
		head := content{seed: c.seed, size: 400}
		if uploaded {
			e.upload(p, head)
		} else {
			e.put(p, head)
		}
		if !e.has(storagedriver.AbilityAppendCommitted) {
			w, err := e.d.Writer(e.ctx, p, true)
			if err == nil {
				_ = w.Close()
			}
			e.wantError(err, storagedriver.KindUnsupported, "Writer", p)
			e.wantContent(p, head)
			continue
		}
		w := e.resume(e.d, p, head.size)
		e.write(w, c, head.size, 700)
		e.wantContent(p, head)
		e.close(w)
		e.wantContent(p, head)
		w = e.resume(e.d, p, 700)
		e.write(w, c, 700, c.size)
		e.wantContent(p, head)
		e.commit(w)
		e.wantContent(p, c)
	}
}

func appendPrefers(e *env) {
	p, c := e.path("file"), e.content(1000)
	for _, size := range []int64{0, 333} {
		old := e.content(size)
		e.put(p, old)
		e.suspend(p, c, 400)
		w := e.resume(e.d, p, 400)
		e.wantContent(p, old)
		e.write(w, c, 400, c.size)
		e.commit(w)
		e.wantContent(p, c)
	}
}

func appendNothing(e *env) {
	p, c := e.path("file"), e.content(1000)
	e.suspend(p, c, 400)
	for range 3 {
		w := e.resume(e.d, p, 400)
		e.close(w)
		e.wantSize(w, 400, "after Close of a resumed upload that accepted nothing")
	}
	w := e.resume(e.d, p, 400)
	e.write(w, c, 400, c.size)
	e.commit(w)
	e.wantContent(p, c)
	e.ok(e.d.Delete(e.ctx, p), "Delete")
	e.suspend(p, c, c.size)
	e.commit(e.resume(e.d, p, c.size))
	e.wantContent(p, c)
}
