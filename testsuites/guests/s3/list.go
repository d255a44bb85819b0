package s3

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// maxListing is the most bytes of a page: 1,000 keys of 1 KiB and what is said of them, twice.
const maxListing = 4 << 20

// listing is one page to ask for.
type listing struct {
	prefix    string
	delimiter bool
	after     string // a key
	cursor    string // of the page before
	limit     int
}

// List implements berth.Driver.
func (d *driver) List(c *berth.Call, path, cursor string, limit int) (berth.Page, error) {
	return d.list(c, listing{prefix: directory(path), delimiter: true, cursor: cursor, limit: limit})
}

// ListTree implements berth.Driver.
func (d *driver) ListTree(c *berth.Call, path, startAfter, cursor string, limit int) (berth.Page, error) {
	prefix := directory(path)
	after := ""
	if startAfter != "" {
		after = prefix + startAfter
	}
	return d.list(c, listing{prefix: prefix, after: after, cursor: cursor, limit: limit})
}

func (d *driver) list(c *berth.Call, l listing) (berth.Page, error) {
	query := "?list-type=2&max-keys=" + strconv.Itoa(l.limit) + "&prefix=" + escape(l.prefix)
	if l.delimiter {
		query += "&delimiter=%2F"
	}
	if l.after != "" {
		query += "&start-after=" + escape(l.after)
	}
	if l.cursor != "" {
		query += "&continuation-token=" + escape(l.cursor)
	}
	resp, err := d.send(c, "GET of a listing", &berth.Request{Method: "GET", URL: d.bucket + query, Max: berth.MaxInline, Want: none}, 200)
	if err != nil {
		return berth.Page{}, err
	}
	defer resp.Close()
	data := resp.Data
	if resp.Body != nil {
		if data, err = resp.Body.ReadAll(maxListing); err != nil {
			return berth.Page{}, err
		}
	}
	return parsePage(string(data), l.prefix)
}

// parsePage parses a listing. Files and directories come apart and are put together in order.
func parsePage(s, prefix string) (berth.Page, error) {
	corrupt := func(what string) (berth.Page, error) {
		return berth.Page{}, berth.NewError(berth.KindCorrupt, "a listing cannot be understood: ", what)
	}
	if !strings.Contains(s, "</ListBucketResult>") {
		return corrupt("it has no end")
	}
	var page berth.Page
	if element(s, "IsTruncated") == "true" {
		if page.Cursor = element(s, "NextContinuationToken"); page.Cursor == "" {
			return corrupt("it goes on and does not say where")
		}
	}
	for rest := s; ; {
		item, after, found := cut(rest, "CommonPrefixes")
		if !found {
			break
		}
		rest = after
		name, ok := strings.CutPrefix(element(item, "Prefix"), prefix)
		if !ok || name == "" {
			return corrupt("a prefix that was not asked for")
		}
		page.Entries = append(page.Entries, berth.Entry{Name: strings.TrimSuffix(name, "/"), Dir: true})
	}
	for rest := s; ; {
		item, after, found := cut(rest, "Contents")
		if !found {
			break
		}
		rest = after
		name, ok := strings.CutPrefix(element(item, "Key"), prefix)
		size, err := strconv.ParseInt(element(item, "Size"), 10, 64)
		if !ok || err != nil {
			return corrupt("a key that was not asked for, or one without a size")
		}
		if name == "" || strings.HasSuffix(name, "/") {
			continue // what others put there for a directory
		}
		at, _ := time.Parse(time.RFC3339, element(item, "LastModified")) // or unknown
		page.Entries = append(page.Entries, berth.Entry{Name: name, Size: size, ModTime: at})
	}
	slices.SortFunc(page.Entries, func(a, b berth.Entry) int { return cmp.Compare(order(a), order(b)) })
	return page, nil
}

func order(e berth.Entry) string {
	if e.Dir {
		return e.Name + "/"
	}
	return e.Name
}

// escape makes a text fit for a query, as SigV4 wants it.
func escape(s string) string {
	const upper = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', upper[c>>4], upper[c&15]})
		}
	}
	return b.String()
}
