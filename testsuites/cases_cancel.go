package testsuites

func cancelCases() []scenario {
	return []scenario{
		{"cancel/before-close", "Cancel ends an upload: nothing is visible and nothing can be resumed", cancelBefore},
		{"cancel/fresh", "Cancel of an upload that accepted nothing is nil", cancelFresh},
		{"cancel/after-close", "Cancel after Close deletes the suspended upload", cancelAfterClose},
		{"cancel/after-commit", "Cancel after Commit is nil and removes nothing", cancelAfterCommit},
		{"cancel/resumed", "Cancel of a resumed upload ends all of it", cancelResumed},
		{"cancel/twice", "a second Cancel is nil", cancelTwice},
		{"cancel/leaves-committed", "Cancel leaves committed content untouched", cancelLeaves},
		{"cancel/use-after", "Write and Commit after Cancel fail and make nothing visible", cancelUse},
		{"cancel/stale-leaves-new-upload", "Cancel of an upload that was discarded leaves the one that replaced it", cancelStaleNew},
		{"cancel/stale-leaves-committed", "Cancel of an upload that another writer resumed and committed removes nothing", cancelStaleCommitted},
		{"cancel/others-live-on", "Cancel leaves uploads to other paths alone", cancelOthers},
	}
}

func cancelBefore(e *env) {
	part := e.suite.PartSize
	p, c := e.path("dir/file"), e.content(part*9/4)
	for _, size := range []int64{400, c.size} {
		w := e.writer(p, false)
		e.write(w, c, 0, size)
		e.cancel(w)
		e.wantMissing(p)
		e.close(w)
		e.wantMissing(p)
		e.wantNoUpload(p)
	}
	e.wantEmptyOrMissing(e.dir)
}

func cancelFresh(e *env) {
	p := e.path("file")
	w := e.writer(p, false)
	e.cancel(w)
	e.close(w)
	w = e.writer(p, true)
	e.cancel(w)
	e.close(w)
	e.wantMissing(p)
}

func cancelAfterClose(e *env) {
	p, c := e.path("file"), e.content(e.suite.PartSize+1000)
	for _, size := range []int64{400, c.size} {
		w := e.suspend(p, c, size)
		e.cancel(w)
		e.wantMissing(p)
		e.wantNoUpload(p)
	}
}

func cancelAfterCommit(e *env) {
	p := e.path("file")
	for _, size := range []int64{0, 400, e.suite.PartSize + 1000} {
		c := e.content(size)
		w := e.writer(p, false)
		e.write(w, c, 0, size)
		e.ok(w.Commit(e.ctx), "Commit")
		e.cancel(w)
		e.wantContent(p, c)
		e.close(w)
		e.cancel(w)
		e.wantContent(p, c)
	}
}

func cancelResumed(e *env) {
	p, c := e.path("file"), e.content(e.suite.PartSize*2+1000)
	for _, size := range []int64{400, e.suite.PartSize + 1000} {
		e.suspend(p, c, size)
		w := e.resume(e.d, p, size)
		e.write(w, c, size, size+500)
		e.cancel(w)
		e.close(w)
		e.wantMissing(p)
		e.wantNoUpload(p)

		e.suspend(p, c, size)
		w = e.resume(e.reopen(), p, size)
		e.cancel(w)
		e.close(w)
		e.wantNoUpload(p)
	}
}

func cancelTwice(e *env) {
	p, c := e.path("file"), e.content(1000)
	w := e.writer(p, false)
	e.write(w, c, 0, c.size)
	e.cancel(w)
	e.cancel(w)
	e.close(w)
	e.cancel(w)
	e.wantMissing(p)
}

func cancelLeaves(e *env) {
	p, old, c := e.path("file"), e.content(333), e.content(e.suite.PartSize+1000)
	e.put(p, old)
	for _, size := range []int64{0, 400, c.size} {
		w := e.writer(p, false)
		e.write(w, c, 0, size)
		e.cancel(w)
		e.close(w)
		e.wantContent(p, old)
		e.wantEnded(p, old)
	}
}

func cancelUse(e *env) {
	p, c := e.path("file"), e.content(1000)
	w := e.writer(p, false)
	e.write(w, c, 0, c.size)
	e.cancel(w)
	if n, err := w.Write([]byte("x")); err == nil {
		e.Fatalf("Write after Cancel: want an error, got %d bytes accepted", n)
	}
	if err := w.Commit(e.ctx); err == nil {
		e.Fatalf("Commit after Cancel: want an error, got none")
	}
	e.close(w)
	e.wantMissing(p)
	e.wantNoUpload(p)
}

// cancelStaleNew is repeated: which of two uploads counts as the later must not be a matter of chance.
func cancelStaleNew(e *env) {
	p := e.path("file")
	for range 8 {
		c := e.content(1000)
		stale := e.suspend(p, e.content(1000), 300)
		e.suspend(p, c, 400)
		e.cancel(stale)
		w := e.resume(e.d, p, 400)
		e.write(w, c, 400, c.size)
		e.commit(w)
		e.wantContent(p, c)
	}
}

func cancelStaleCommitted(e *env) {
	part := e.suite.PartSize
	p, c := e.path("file"), e.content(part*2+1000)
	for _, size := range []int64{300, part + 500} {
		stale := e.suspend(p, c, size)
		w := e.resume(e.reopen(), p, size)
		e.write(w, c, size, c.size)
		e.commit(w)
		e.cancel(stale)
		e.wantContent(p, c)
		e.close(stale)
		e.wantContent(p, c)
	}
}

func cancelOthers(e *env) {
	check := e.siblings()
	c := e.content(1000)
	w := e.suspend(e.path("dir/a"), c, 300)
	e.cancel(w)
	w = e.writer(e.path("dir/a"), false)
	e.write(w, c, 0, c.size)
	e.cancel(w)
	e.close(w)
	check()
}
