package berth

import "time"

// wireStore is a store that the host calls.
type wireStore struct {
	w    *wireHost
	name string
}

// Store implements Host.
func (w *wireHost) Store(name string) HostStore { return &wireStore{w, name} }

// message begins the message of an operation on path; "" is none.
func (s *wireStore) message(path string) object {
	o := s.w.message()
	o.str("store", s.name)
	o.str("path", path)
	return o
}

// Info implements HostStore.
func (s *wireStore) Info() (info StoreInfo, err error) {
	s.message("")
	err = s.w.ask(hostStoreInfo, "store_info", func(d *decoder, key []byte) bool {
		switch string(key) {
		case "caps":
			info.Abilities = Abilities(d.int())
		case "maxobj":
			info.MaxObject = d.int()
		default:
			return false
		}
		return true
	})
	return info, err
}

// Stat implements HostStore.
func (s *wireStore) Stat(path string) (e Entry, err error) {
	s.message(path)
	err = s.w.ask(hostStoreStat, "store_stat", e.field)
	return e, err
}

// field reads the value of one of an entry's keys.
func (e *Entry) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "name":
		e.Name = d.str()
	case "size":
		e.Size = d.int()
	case "time":
		e.ModTime = time.Unix(0, d.int()).UTC()
	case "dir":
		e.Dir = d.bool()
	default:
		return false
	}
	return true
}

// List implements HostStore.
func (s *wireStore) List(path, cursor string, limit int) (page Page, err error) {
	o := s.message(path)
	o.str("cursor", cursor)
	o.int("limit", int64(limit))
	err = s.w.ask(hostStoreList, "store_list", func(d *decoder, key []byte) bool {
		switch string(key) {
		case "entries":
			page.Entries = decodeEntries(d)
		case "cursor":
			page.Cursor = d.str()
		default:
			return false
		}
		return true
	})
	return page, err
}

func decodeEntries(d *decoder) []Entry {
	n := d.arrayLen()
	entries := make([]Entry, 0, min(n, MaxList))
	for ; n > 0 && d.err == nil; n-- {
		var e Entry
		for k := d.mapLen(); k > 0 && d.err == nil; k-- {
			if !e.field(d, d.strBytes()) {
				d.skip()
			}
		}
		entries = append(entries, e)
	}
	return entries
}

// Read implements HostStore.
func (s *wireStore) Read(path string, offset, length int64) (content Content, err error) {
	o := s.message(path)
	o.int("off", offset)
	o.int("len", length)
	var body int64
	err = s.w.ask(hostStoreRead, "store_read", func(d *decoder, key []byte) bool {
		switch string(key) {
		case "len":
			content.Length = d.int()
		case "body":
			body = d.int()
		default:
			return false
		}
		return true
	})
	if err == nil && body != 0 {
		content.Body = s.w.stream(s.w.answers.next(), body, content.Length)
	}
	return content, err
}

// Put implements HostStore.
func (s *wireStore) Put(path string, data []byte, streams []*Stream) error {
	o := s.message(path)
	o.bin("data", data)
	if len(streams) > 0 {
		if err := o.streams("body", streams); err != nil {
			return err
		}
	}
	return s.w.askNothing(hostStorePut, "store_put")
}

// Begin implements HostStore.
func (s *wireStore) Begin(path string) (HostStoreSink, error) {
	s.message(path)
	h, err := s.w.askInt(hostStoreBegin, "store_begin", "sink")
	if err != nil {
		return nil, err
	}
	return &storeSink{handle{s.w, h}}, nil
}

type storeSink struct{ handle }

// Finish implements HostStoreSink.
func (s *storeSink) Finish() error {
	s.w.message().int("sink", s.h)
	s.h = 0
	return s.w.askNothing(hostStoreFinish, "store_finish")
}

// Delete implements HostStore.
func (s *wireStore) Delete(path string) error {
	s.message(path)
	return s.w.askNothing(hostStoreDelete, "store_delete")
}

// DeleteTree implements HostStore.
func (s *wireStore) DeleteTree(path string) error {
	s.message(path)
	return s.w.askNothing(hostStoreDeleteTree, "store_delete_tree")
}

// Move implements HostStore.
func (s *wireStore) Move(source, dest string) error {
	s.message(source).str("dest", dest)
	return s.w.askNothing(hostStoreMove, "store_move")
}

// Redirect implements HostStore.
func (s *wireStore) Redirect(path string, options RedirectOptions) (string, error) {
	o := s.message(path)
	o.str("method", options.Method)
	o.str("remote", options.RemoteAddr)
	o.str("forwarded", options.ForwardedFor)
	return s.w.askText(hostStoreRedirect, "store_redirect", "url")
}

// AbortUploads implements HostStore.
func (s *wireStore) AbortUploads(path string) error {
	s.message(path)
	return s.w.askNothing(hostStoreAbort, "store_abort")
}
