package testsuites

import (
	"fmt"
	"io"

	"github.com/berth-dev/storagedriver"
)

func concurrentCases() []scenario {
	return []scenario{
		{"concurrent/uploads", "many uploads to different paths run at the same time", concurrentUploads},
		{"concurrent/readers-and-writers", "readers and writers of different paths do not disturb each other", concurrentMixed},
		{"concurrent/puts-one-path", "of many puts to one path one remains, whole", concurrentPuts},
		{"concurrent/new-directory", "many put into one new directory at the same time", concurrentDirectory},
		{"concurrent/put-and-delete", "Delete in a directory does not disturb puts beside it", concurrentDelete},
		{"concurrent/deletes", "of many Deletes of one path each succeeds or is NotFound, and nothing remains", concurrentDeletes},
		{"concurrent/moves", "of many Moves of one path one succeeds at least, and the content is where each of those took it", concurrentMoves},
	}
}

func concurrentUploads(e *env) {
	const uploads = 8
	size := e.suite.PartSize + e.suite.PartSize/4
	var contents []content
	for i := range uploads {
		contents = append(contents, e.content(size+int64(i)))
	}
	e.parallel(uploads, func(i int) error {
		p := e.path(fmt.Sprintf("dir-%d/file-%d", i%4, i))
		if err := e.tryUpload(p, contents[i]); err != nil {
			return err
		}
		return e.check(e.d, p, contents[i])
	})
}

func concurrentMixed(e *env) {
	const clients, rounds = 8, 6
	var contents [clients][rounds]content
	for i := range contents {
		for j := range contents[i] {
			contents[i][j] = e.content(int64(1000 + 10_000*j + i))
		}
	}
	e.parallel(clients, func(i int) error {
		for j, c := range contents[i] {
			p := e.path(fmt.Sprintf("dir/file-%d", i))
			var err error
			if j%2 == 0 {
				err = e.d.PutContent(e.ctx, p, c.bytes())
			} else {
				err = e.tryUpload(p, c)
			}
			if err != nil {
				return err
			}
			if err := e.check(e.d, p, c); err != nil {
				return err
			}
			info, err := e.d.Stat(e.ctx, p)
			if err != nil {
				return err
			}
			if info.Size() != c.size {
				return fmt.Errorf("stat of %s: want %d bytes, got %d", p, c.size, info.Size())
			}
			if _, err := e.d.List(e.ctx, e.path("dir")); err != nil {
				return err
			}
		}
		return nil
	})
}

func concurrentPuts(e *env) {
	const clients = 8
	p := e.path("dir/file")
	var contents []content
	for i := range clients {
		contents = append(contents, e.content(int64(10_000+i)))
	}
	e.parallel(clients, func(i int) error {
		for range 4 {
			if err := e.d.PutContent(e.ctx, p, contents[i].bytes()); err != nil {
				return err
			}
			r, err := e.d.Reader(e.ctx, p, 0)
			if err != nil {
				return err
			}
			got, err := io.ReadAll(r)
			r.Close()
			if err != nil {
				return err
			}
			if err := isOneOf(got, contents); err != nil {
				return err
			}
		}
		return nil
	})
	got, err := e.d.GetContent(e.ctx, p)
	e.ok(err, "GetContent")
	e.ok(isOneOf(got, contents), "the content after many puts")
	e.wantList(e.path("dir"), "file")
}

func concurrentDirectory(e *env) {
	for round := range 4 {
		dir := e.path(fmt.Sprintf("round-%d", round))
		var contents []content
		for range 8 {
			contents = append(contents, e.content(100))
		}
		e.parallel(8, func(i int) error {
			p := fmt.Sprintf("%s/a/b/c/file-%d", dir, i)
			if i%2 == 0 {
				return e.d.PutContent(e.ctx, p, contents[i].bytes())
			}
			return e.tryUpload(p, contents[i])
		})
		for i, c := range contents {
			e.wantContent(fmt.Sprintf("%s/a/b/c/file-%d", dir, i), c)
		}
	}
}

func concurrentDelete(e *env) {
	const clients, rounds = 4, 8
	var contents [clients][rounds]content
	for i := range contents {
		for j := range contents[i] {
			contents[i][j] = e.content(500)
		}
	}
	e.parallel(clients, func(i int) error {
		for j, c := range contents[i] {
			p := e.path(fmt.Sprintf("dir/sub/file-%d", i))
			if err := e.d.PutContent(e.ctx, p, c.bytes()); err != nil {
				return err
			}
			if err := e.check(e.d, p, c); err != nil {
				return err
			}
			if j == rounds-1 && i == 0 {
				continue
			}
			if err := e.d.Delete(e.ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	e.wantList(e.path("dir/sub"), "file-0")
}

func concurrentDeletes(e *env) {
	e.putAll(100, e.path("dir/a"), e.path("dir/b/c"), e.path("dir/b/d"), e.path("other"))
	succeeded := make([]bool, 6)
	e.parallel(len(succeeded), func(i int) error {
		err := e.d.Delete(e.ctx, e.path("dir"))
		succeeded[i] = err == nil
		if err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound {
			return err
		}
		return nil
	})
	e.wantAny(succeeded, "Deletes")
	e.wantEmptyOrMissing(e.path("dir"))
	e.wantMissing(e.path("dir/a"))
	e.wantList(e.dir, "other")
}

func (e *env) wantAny(succeeded []bool, what string) {
	e.Helper()
	for _, ok := range succeeded {
		if ok {
			return
		}
	}
	e.Fatalf("want one of %d %s to succeed, got none", len(succeeded), what)
}

func concurrentMoves(e *env) {
	p, c := e.path("dir/file"), e.content(10_000)
	e.put(p, c)
	succeeded := make([]bool, 5)
	to := func(i int) string { return e.path(fmt.Sprintf("to/file-%d", i)) }
	e.parallel(len(succeeded), func(i int) error {
		err := e.d.Move(e.ctx, p, to(i))
		succeeded[i] = err == nil
		if err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound {
			return err
		}
		return nil
	})
	e.wantAny(succeeded, "Moves")
	e.wantMissing(p)
	for i, ok := range succeeded {
		err := e.check(e.d, to(i), c)
		if err != nil && (ok || storagedriver.KindOf(err) != storagedriver.KindNotFound) {
			e.Fatalf("after a Move to %s (succeeded: %v): %v", to(i), ok, err)
		}
	}
}
