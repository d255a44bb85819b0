package partstore

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (x *exchange) list() error {
	prefix, after, limit, err := x.page()
	if err != nil {
		return err
	}
	delimiter, suffix := x.query.Get("delimiter"), x.query.Get("suffix")
	if delimiter != "" && delimiter != "/" {
		return refuse(http.StatusBadRequest, "the delimiter is / or absent")
	}
	var lines, names []string
	x.s.mu.Lock()
	from, to := x.s.span(prefix)
	for _, key := range x.s.keys[from:to] {
		name, dir := key[len(prefix):], false
		if i := strings.IndexByte(name, '/'); i >= 0 && delimiter == "/" {
			name, dir = name[:i+1], true
		}
		passed := name <= after || strings.HasSuffix(after, "/") && delimiter == "/" && strings.HasPrefix(name, after)
		if passed || !strings.HasSuffix(key, suffix) || dir && len(names) > 0 && names[len(names)-1] == name {
			continue
		}
		names = append(names, name)
		if len(names) > limit {
			break
		}
		line := "dir " + name + "\n"
		if !dir {
			o := x.s.objects[key]
			line = fmt.Sprintf("file %d %d %s %s\n", o.content.size, o.modified.UnixNano(), o.etag, name)
		}
		lines = append(lines, line)
	}
	x.s.mu.Unlock()
	return x.answer(lines, names, limit)
}

func (x *exchange) listUploads() error {
	prefix, after, limit, err := x.page()
	if err != nil {
		return err
	}
	begun := map[string]time.Time{}
	x.s.mu.Lock()
	for id, u := range x.s.uploads {
		if name := u.key + " " + id; strings.HasPrefix(u.key, prefix) && name > after {
			begun[name] = u.begun
		}
	}
	x.s.mu.Unlock()
	all := slices.Sorted(maps.Keys(begun))
	var lines []string
	for _, name := range all[:min(limit, len(all))] {
		lines = append(lines, fmt.Sprintf("%s %d\n", name, begun[name].UnixNano()))
	}
	return x.answer(lines, all, limit)
}

// answer sends a page; names has more than limit when there are more.
func (x *exchange) answer(lines, names []string, limit int) error {
	if len(names) > limit {
		x.w.Header().Set("Next", names[limit-1])
	}
	body := strings.Join(lines, "")
	x.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	x.w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	x.w.WriteHeader(http.StatusOK)
	_, _ = x.w.Write([]byte(body)) // a reader that went away is no failure of the store
	return nil
}
