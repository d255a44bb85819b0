package testsuites

import (
	"context"
	"io"
	"net/http"

	"github.com/berth-dev/storagedriver"
)

// kindCases ask of files what only directories have, and the other way round.
func kindCases() []scenario {
	return []scenario{
		{"errors/wrong-kind", "reading a directory, at any offset, and listing a file are NotFound, with operation, driver and path", errorsWrongKind},
		{"errors/emptied-directory", "a directory whose files are gone is NotFound or empty, and no file", errorsEmptied},
		{"errors/below-missing", "every operation far below what is missing is NotFound", errorsBelowMissing},
		{"reader/close-twice", "a reader may be closed twice, and gives nothing afterwards", readerCloseTwice},
		{"reader/small-pieces", "what is read in pieces of any size is the same", readerPieces},
		{"list/empty-file", "List and Walk give a file of no bytes as any other", listEmptyFile},
		{"redirect/missing", "RedirectURL of a missing path is NotFound, or gives no URL, or one that gives no content", redirectMissing},
		{"move/deep", "Move of a directory takes along what is far below", moveDeep},
		{"move/large-directory", "Move of a directory keeps files that were uploaded in parts", moveLargeDirectory},
		{"move/large-overwrites", "Move of a large file replaces a large file", moveLargeOverwrites},
		{"move/there-and-back", "what is moved can be moved back, files and directories", moveBack},
		{"append/deleted-path", "an upload with append starts empty where content was deleted", appendDeleted},
		{"append/moved-path", "an upload with append starts empty where content was moved away", appendMoved},
		{"append/committed-large", "an upload with append goes on after a large file or, without the ability, is Unsupported", appendCommittedLarge},
		{"append/committed-cancelled", "what is added to committed content and cancelled leaves the content as it was", appendCommittedCancelled},
	}
}

func errorsWrongKind(e *env) {
	e.put(e.path("dir/sub/file"), e.content(100))
	for _, dir := range []string{e.path("dir"), e.path("dir/sub")} {
		_, err := e.d.GetContent(e.ctx, dir)
		e.wantError(err, storagedriver.KindNotFound, "GetContent", dir)
		for _, offset := range []int64{0, 1, 100} {
			r, err := e.d.Reader(e.ctx, dir, offset)
			if err == nil {
				r.Close()
			}
			e.wantError(err, storagedriver.KindNotFound, "Reader", dir)
		}
	}
	file := e.path("dir/sub/file")
	names, err := e.d.List(e.ctx, file)
	e.wantError(err, storagedriver.KindNotFound, "List", file)
	if len(names) > 0 {
		e.Fatalf("List of a file: want nothing beside the error, got %q", names)
	}
	calls, err := e.walk(file, nil)
	if err != nil {
		e.wantError(err, storagedriver.KindNotFound, "Walk", file)
	}
	if len(calls) > 0 {
		e.Fatalf("Walk of a file: want no call, got %q", calls)
	}
	for op, err := range e.operations(e.ctx, file+"/below") {
		e.wantError(err, storagedriver.KindNotFound, op, file+"/below")
	}
}

func errorsEmptied(e *env) {
	e.put(e.path("dir/sub/file"), e.content(8))
	e.ok(e.d.Delete(e.ctx, e.path("dir/sub/file")), "Delete")
	for _, dir := range []string{e.path("dir/sub"), e.path("dir")} {
		_, err := e.d.GetContent(e.ctx, dir)
		e.wantError(err, storagedriver.KindNotFound, "GetContent", dir)
		info, err := e.d.Stat(e.ctx, dir)
		if err != nil {
			e.wantError(err, storagedriver.KindNotFound, "Stat", dir)
		} else if !info.IsDir() {
			e.Fatalf("Stat of a directory whose files are gone: want NotFound or a directory, got a file")
		}
		if _, err := e.d.List(e.ctx, dir); err != nil {
			e.wantError(err, storagedriver.KindNotFound, "List", dir)
		}
		e.wantEmptyOrMissing(dir)
	}
	e.put(e.path("dir/sub"), e.content(8))
}

func errorsBelowMissing(e *env) {
	e.put(e.path("dir/file"), e.content(8))
	for _, name := range []string{"dir/x/y/z", "dir/file/x/y/z", "x/y/z"} {
		for op, err := range e.operations(e.ctx, e.path(name)) {
			e.wantError(err, storagedriver.KindNotFound, op, e.path(name))
		}
	}
}

func readerCloseTwice(e *env) {
	p, c := e.path("file"), e.content(1<<20)
	e.put(p, c)
	for _, read := range []int64{0, 1000, c.size} {
		r, err := e.d.Reader(e.ctx, p, 0)
		e.ok(err, "Reader")
		_, err = io.CopyN(io.Discard, r, read)
		e.ok(err, "Read of %d bytes", read)
		e.ok(r.Close(), "Close of a reader")
		e.ok(r.Close(), "a second Close of a reader")
		n, err := r.Read(make([]byte, 100))
		if n > 0 || err == nil {
			e.Fatalf("Read after Close: want no bytes and an error, got %d and %v", n, err)
		}
	}
}

func readerPieces(e *env) {
	p, c := e.path("file"), e.content(70_001)
	e.put(p, c)
	for _, piece := range []int{1, 7, 512, 4095, 65_536, 100_000} {
		r, err := e.d.Reader(e.ctx, p, 13)
		e.ok(err, "Reader")
		got := make([]byte, 0, c.size)
		buffer := make([]byte, piece)
		for err == nil && int64(len(got)) <= c.size {
			var n int
			n, err = r.Read(buffer)
			got = append(got, buffer[:n]...)
		}
		if err != io.EOF {
			e.Fatalf("Read in pieces of %d bytes: want io.EOF at the end, got %v", piece, err)
		}
		if i := firstDifference(got, c.slice(13, c.size)); i >= 0 {
			e.Fatalf("Read in pieces of %d bytes: want the content, got %d bytes that differ from byte %d on", piece, len(got), i)
		}
		e.ok(r.Close(), "Close of a reader")
	}
}

func listEmptyFile(e *env) {
	e.put(e.path("dir/put"), e.content(0))
	e.commit(e.writer(e.path("dir/uploaded"), false))
	e.wantList(e.path("dir"), "put", "uploaded")
	e.wantWalk(e.dir, []string{e.path("dir/"), e.path("dir/put"), e.path("dir/uploaded")}, nil)
}

func redirectMissing(e *env) {
	e.put(e.path("dir/file"), e.content(100))
	for _, name := range []string{"dir/missing", "missing/file", "dir/fil"} {
		url, err := e.d.RedirectURL(e.ctx, e.path(name), storagedriver.RedirectOptions{Method: http.MethodGet})
		if err != nil {
			e.wantError(err, storagedriver.KindNotFound, "RedirectURL", e.path(name))
		}
		if err != nil || url == "" {
			continue
		}
		request, err := http.NewRequestWithContext(e.ctx, http.MethodGet, url, nil)
		e.ok(err, "a request to the URL")
		client := e.suite.Client
		if client == nil {
			client = http.DefaultClient
		}
		response, err := client.Do(request)
		e.ok(err, "GET of the URL")
		response.Body.Close()
		if response.StatusCode < 400 {
			e.Fatalf("GET of the URL of a missing path: want a status of 400 or more, got %d", response.StatusCode)
		}
	}
}

func moveDeep(e *env) {
	deep := "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16"
	contents := e.putAll(100, e.path("from/"+deep+"/file"), e.path("from/"+deep+"-x"), e.path("from/1/2/file"), e.path("from-x/file"))
	e.ok(e.d.Move(e.ctx, e.path("from"), e.path("to/a/b")), "Move of a directory")
	for _, name := range []string{deep + "/file", deep + "-x", "1/2/file"} {
		e.wantContent(e.path("to/a/b/"+name), contents[e.path("from/"+name)])
		e.wantMissing(e.path("from/" + name))
	}
	e.wantContent(e.path("from-x/file"), contents[e.path("from-x/file")])
	e.wantEmptyOrMissing(e.path("from"))
}

func moveLargeDirectory(e *env) {
	names := []string{"a", "sub/b", "sub/deeper/c"}
	contents := map[string]content{}
	for i, name := range names {
		contents[name] = e.content(e.suite.PartSize*int64(i+1)/2 + 1001)
		e.upload(e.path("from/"+name), contents[name])
	}
	e.ok(e.d.Move(e.ctx, e.path("from"), e.path("to")), "Move of a directory")
	for _, name := range names {
		e.wantContent(e.path("to/"+name), contents[name])
		e.wantMissing(e.path("from/" + name))
	}
}

func moveLargeOverwrites(e *env) {
	part := e.suite.PartSize
	a, b, c := e.path("a"), e.path("dir/b"), e.content(part+part/2)
	e.upload(a, c)
	e.upload(b, e.content(2*part+1000))
	e.ok(e.d.Move(e.ctx, a, b), "Move")
	e.wantContent(b, c)
	e.wantMissing(a)
}

func moveBack(e *env) {
	contents := e.putAll(100, e.path("file"), e.path("dir/1"), e.path("dir/sub/2"))
	for range 3 {
		for _, name := range []string{"file", "dir"} {
			e.ok(e.d.Move(e.ctx, e.path(name), e.path("to/"+name)), "Move of %s", name)
			e.wantMissing(e.path(name))
			e.ok(e.d.Move(e.ctx, e.path("to/"+name), e.path(name)), "Move of %s back", name)
		}
		for p, c := range contents {
			e.wantContent(p, c)
		}
		e.wantEmptyOrMissing(e.path("to"))
	}
}

func appendDeleted(e *env) {
	p := e.path("dir/file")
	for _, remove := range []string{p, e.path("dir")} {
		e.put(p, e.content(500))
		e.suspend(p, e.content(400), 300)
		e.ok(e.d.Delete(e.ctx, remove), "Delete")
		c := e.content(200)
		w := e.resume(e.d, p, 0)
		e.write(w, c, 0, c.size)
		e.commit(w)
		e.wantContent(p, c)
	}
}

func appendMoved(e *env) {
	p, to, old, c := e.path("dir/file"), e.path("to"), e.content(500), e.content(200)
	e.put(p, old)
	e.ok(e.d.Move(e.ctx, p, to), "Move")
	w := e.resume(e.d, p, 0)
	e.write(w, c, 0, 100)
	e.close(w)
	w = e.resume(e.d, p, 100)
	e.write(w, c, 100, c.size)
	e.commit(w)
	e.wantContent(p, c)
	e.wantContent(to, old)
}

// wantUnsupportedAppend wants an upload with append to committed content to be refused and to harm nothing.
func (e *env) wantUnsupportedAppend(path string, committed content) {
	e.Helper()
	for range 2 {
		w, err := e.d.Writer(e.ctx, path, true)
		if err == nil {
			_ = w.Close()
		}
		e.wantError(err, storagedriver.KindUnsupported, "Writer", path)
		e.wantContent(path, committed)
	}
}

func appendCommittedLarge(e *env) {
	part := e.suite.PartSize
	p, c := e.path("file"), e.content(part*9/4)
	for _, size := range []int64{part, part + part/2} {
		head := content{seed: c.seed, size: size}
		e.upload(p, head)
		if !e.has(storagedriver.AbilityAppendCommitted) {
			e.wantUnsupportedAppend(p, head)
			continue
		}
		w := e.resume(e.d, p, size)
		e.write(w, c, size, size+part/3)
		e.wantContent(p, head)
		e.close(w)
		w = e.resume(e.reopen(), p, size+part/3)
		e.write(w, c, size+part/3, c.size)
		e.wantContent(p, head)
		e.commit(w)
		e.wantContent(p, c)
	}
}

func appendCommittedCancelled(e *env) {
	p, c := e.path("file"), e.content(2000)
	head := content{seed: c.seed, size: 700}
	e.put(p, head)
	if !e.has(storagedriver.AbilityAppendCommitted) {
		e.wantUnsupportedAppend(p, head)
		return
	}
	for _, suspended := range []bool{false, true} {
		w := e.resume(e.d, p, head.size)
		e.write(w, c, head.size, 900)
		if suspended {
			e.close(w)
			w = e.resume(e.d, p, 900)
		}
		e.ok(w.Cancel(context.WithoutCancel(e.ctx)), "Cancel")
		e.close(w)
		e.wantContent(p, head)
		e.wantEnded(p, head)
	}
}
