package berth

// Store is a driver of the operator's that this one may call. Its methods owe what those of Driver do.
// Names with "~" in it are the caller's to use, as long as it made them.
type Store struct{ host HostStore }

// Store returns the store of that name. It asks nothing: one that the operator has not granted is KindDenied
// when it is used.
func (c *Call) Store(name string) *Store { return &Store{host: c.host.Store(name)} }

// StoreInfo is what a store does. AbilityMove, AbilityMoveTree and AbilityDeleteTree are always among the
// abilities; AbilityCopy, AbilityConcat and AbilityParts never.
type StoreInfo struct {
	Abilities Abilities
	// MaxObject is the most bytes of a put; 0 means no limit.
	MaxObject int64
}

// Info says what the store does.
func (s *Store) Info() (StoreInfo, error) { return s.host.Info() }

// Stat describes the file or directory at path.
func (s *Store) Stat(path string) (Entry, error) { return s.host.Stat(path) }

// List returns one page of the direct children of the directory at path, at most limit entries and MaxList, ascending.
func (s *Store) List(path, cursor string, limit int) (Page, error) {
	return s.host.List(path, cursor, limit)
}

// Read opens length bytes from offset, -1 to the end. The content's Body, nil when there are no bytes, is
// the caller's to close, or to answer with.
func (s *Store) Read(path string, offset, length int64) (Content, error) {
	return s.host.Read(path, offset, length)
}

// Put stores data at path, atomically.
func (s *Store) Put(path string, data []byte) error { return s.host.Put(path, data, nil) }

// PutStreams stores at path what the streams have, in order, atomically. It reads them as a request's body would be read.
func (s *Store) PutStreams(path string, streams ...*Stream) error {
	return s.host.Put(path, nil, streams)
}

// Begin starts content of unknown length at path, which becomes visible when the sink is finished. The caller
// closes the sink unless it finishes it.
func (s *Store) Begin(path string) (*StoreSink, error) {
	sink, err := s.host.Begin(path)
	if err != nil {
		return nil, err
	}
	return &StoreSink{host: sink}, nil
}

// Delete removes the file at path, or the directory there if it is empty.
func (s *Store) Delete(path string) error { return s.host.Delete(path) }

// DeleteTree removes path and all below it.
func (s *Store) DeleteTree(path string) error { return s.host.DeleteTree(path) }

// Move moves a file or a directory, replacing a file at dest.
func (s *Store) Move(source, dest string) error { return s.host.Move(source, dest) }

// Redirect returns a URL the content may be fetched from, or "".
func (s *Store) Redirect(path string, options RedirectOptions) (string, error) {
	return s.host.Redirect(path, options)
}

// AbortUploads ends every unfinished upload to path and to everything below it.
func (s *Store) AbortUploads(path string) error { return s.host.AbortUploads(path) }

// StoreSink is content that is being written into a store.
type StoreSink struct{ host HostStoreSink }

// Write implements io.Writer.
func (s *StoreSink) Write(p []byte) (int, error) { return s.host.Write(p) }

// Splice moves n bytes of src, -1 for all, without their passing through the driver.
func (s *StoreSink) Splice(src *Stream, n int64) (int64, error) { return s.host.Splice(src, n) }

// Finish makes the content visible, atomically.
func (s *StoreSink) Finish() error { return s.host.Finish() }

// Close drops what was written unless it was finished.
func (s *StoreSink) Close() error { return s.host.Close() }
