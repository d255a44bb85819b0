package compress

import (
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

const (
	// endRead is how much of a file's end is read at once: the table of 2 GiB in frames of 4 MiB.
	endRead = 4096
	// attempts is how often a file is looked at that is replaced meanwhile; between those after the first atOnce is a pause.
	attempts = 40
	atOnce   = 8
	pause    = 25 * time.Millisecond
)

// file is what is known of a stored file.
type file struct {
	entry  berth.Entry // the store's
	frames table
}

// look returns the file, or directory, at path.
func (d *driver) look(c *berth.Call, path string) (file, error) {
	e, err := c.Store(store).Stat(path)
	for attempt := range attempts {
		if err != nil || e.Dir {
			return file{entry: e}, err
		}
		if err = wait(c, attempt); err != nil {
			return file{}, err
		}
		frames, err := d.frames(c, path, e.Size)
		if err == nil && frames != nil {
			return file{e, frames}, nil
		}
		if err != nil && berth.KindOf(err) != berth.KindInvalidOffset {
			return file{}, err
		}
		before := e
		if e, err = c.Store(store).Stat(path); err != nil || e == before {
			break
		}
	}
	if err != nil {
		return file{}, err
	}
	return file{}, berth.NewError(berth.KindCorrupt, "what the store has there was not written by this driver: it does not end with a table of frames")
}

// wait is before an attempt, counted from 0.
func wait(c *berth.Call, attempt int) error {
	if attempt < atOnce {
		return nil
	}
	return c.Sleep(pause)
}

// frames returns the table of the file of size bytes at path; nil when that is none, or has another size.
func (d *driver) frames(c *berth.Call, path string, size int64) (table, error) {
	begin := max(size-endRead, 0)
	end, err := d.read(c, path, begin, size-begin)
	if err != nil || int64(len(end)) != size-begin {
		return nil, err
	}
	n := endSize(end)
	if n == 0 || n > size {
		return nil, nil
	}
	if n > int64(len(end)) {
		if end, err = d.read(c, path, size-n, n); err != nil || int64(len(end)) != n {
			return nil, err
		}
	}
	return parse(end[int64(len(end))-n:], size), nil
}

// read returns n bytes of a stored file from off, or what there is.
func (d *driver) read(c *berth.Call, path string, off, n int64) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	content, err := c.Store(store).Read(path, off, n)
	if err != nil || content.Body == nil {
		return nil, err
	}
	defer content.Body.Close()
	return content.Body.ReadAll(int(n))
}

// Stat implements berth.Driver.
func (d *driver) Stat(c *berth.Call, path string) (berth.Entry, error) {
	f, err := d.look(c, path)
	if err != nil {
		return berth.Entry{}, err
	}
	return f.entryOf(), nil
}

func (f *file) entryOf() berth.Entry {
	e := f.entry
	if !e.Dir {
		_, e.Size = f.frames.size()
	}
	return e
}

// List implements berth.Driver. It reads the end of each file.
func (d *driver) List(c *berth.Call, path, cursor string, limit int) (berth.Page, error) {
	page, err := c.Store(store).List(path, cursor, min(limit, berth.MaxList))
	if err != nil {
		return berth.Page{}, err
	}
	entries := page.Entries[:0]
	for _, e := range page.Entries {
		if !e.Dir {
			f, err := d.look(c, child(path, e.Name))
			switch {
			case berth.KindOf(err) == berth.KindNotFound && err != nil:
				continue // removed since
			case err != nil && private(e.Name): // the host's
			case err != nil:
				return berth.Page{}, berth.NewError(berth.KindOf(err), e.Name, ": ", err.Error())
			default:
				name := e.Name
				e = f.entryOf()
				e.Name = name
			}
		}
		entries = append(entries, e)
	}
	page.Entries = entries
	return page, nil
}

func child(path, name string) string {
	if path == "/" {
		return "/" + name
	}
	return path + "/" + name
}
