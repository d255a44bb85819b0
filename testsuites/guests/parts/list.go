package parts

import (
	"strconv"
	"strings"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// maxListing is the most bytes of a page: 1,000 names of 1 KiB and what is said of them, twice.
const maxListing = 2 << 20

// listing is one page to ask for.
type listing struct {
	prefix, delimiter, suffix, after string
	limit                            int
}

// below is the prefix of the keys below the directory at path.
func below(path string) string {
	if path == "/" {
		return ""
	}
	return path[1:] + "/"
}

// List implements berth.Driver. The cursor is the last name of the page before.
func (d *driver) List(c *berth.Call, path, cursor string, limit int) (berth.Page, error) {
	return d.list(c, listing{prefix: below(path), delimiter: "/", after: cursor, limit: limit})
}

// ListTree implements berth.Driver.
func (d *driver) ListTree(c *berth.Call, path, startAfter, cursor string, limit int) (berth.Page, error) {
	if cursor == "" {
		cursor = startAfter
	}
	return d.list(c, listing{prefix: below(path), after: cursor, limit: limit})
}

func (d *driver) list(c *berth.Call, l listing) (berth.Page, error) {
	query := "?prefix=" + l.prefix + "&delimiter=" + l.delimiter + "&suffix=" + l.suffix +
		"&after=" + escape(l.after) + "&limit=" + strconv.Itoa(l.limit)
	text, next, err := d.lines(c, "/list"+query)
	if err != nil {
		return berth.Page{}, err
	}
	page := berth.Page{Cursor: next}
	for len(text) > 0 {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		entry, ok := parseEntry(line)
		if !ok {
			return berth.Page{}, berth.NewError(berth.KindCorrupt, "a line of a listing cannot be understood: ", line)
		}
		page.Entries = append(page.Entries, entry)
	}
	return page, nil
}

// parseEntry parses "dir NAME/" and "file SIZE MODIFIED ETAG NAME".
func parseEntry(line string) (berth.Entry, bool) {
	if name, ok := strings.CutPrefix(line, "dir "); ok {
		return berth.Entry{Name: strings.TrimSuffix(name, "/"), Dir: true}, true
	}
	rest, ok := strings.CutPrefix(line, "file ")
	size, rest, _ := strings.Cut(rest, " ")
	at, rest, _ := strings.Cut(rest, " ")
	_, name, more := strings.Cut(rest, " ")
	n, err := strconv.ParseInt(size, 10, 64)
	return berth.Entry{Name: name, Size: n, ModTime: modified(at)}, ok && more && err == nil
}

// unfinished is an upload as the store lists it.
type unfinished struct {
	key, id string
	begun   time.Time
}

// unfinished gets a page of the uploads to keys with the prefix, and where the next begins.
func (d *driver) unfinished(c *berth.Call, prefix, after string, limit int) (page []unfinished, next string, err error) {
	text, next, err := d.lines(c, "/uploads?prefix="+prefix+"&after="+escape(after)+"&limit="+strconv.Itoa(limit))
	for err == nil && len(text) > 0 {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		key, rest, _ := strings.Cut(line, " ")
		id, begun, found := strings.Cut(rest, " ")
		if !found {
			err = berth.NewError(berth.KindCorrupt, "a line of a listing cannot be understood: ", line)
		}
		page = append(page, unfinished{key, id, modified(begun)})
	}
	return page, next, err
}

// ListUploads implements berth.Driver. The store knows all of them, also those of which no state was written.
func (d *driver) ListUploads(c *berth.Call, path, cursor string, limit int) (berth.Page, error) {
	prefix := below(path)
	all, next, err := d.unfinished(c, prefix, cursor, limit)
	if err != nil {
		return berth.Page{}, err
	}
	page := berth.Page{Cursor: next}
	for _, u := range all {
		page.Entries = append(page.Entries, berth.Entry{Name: strings.TrimPrefix(u.key, prefix), ModTime: u.begun})
	}
	return page, nil
}

// lines gets a listing: its text and where the next page begins.
func (d *driver) lines(c *berth.Call, path string) (text, next string, err error) {
	resp, err := c.HTTP(&berth.Request{Method: "GET", URL: d.origin + path, Max: berth.MaxInline, Want: wantNext})
	if err != nil {
		return "", "", err
	}
	if resp.Status != 200 {
		return "", "", failure(c, "a listing", resp)
	}
	defer resp.Close()
	data := resp.Data
	if resp.Body != nil {
		if data, err = resp.Body.ReadAll(maxListing); err != nil {
			return "", "", err
		}
	}
	return string(data), resp.Header("next"), nil
}

var wantNext = []string{"next"}

// escape makes a name fit for a query. Of what the store's listings say, only the space needs it.
func escape(name string) string { return strings.ReplaceAll(name, " ", "%20") }
