package berth

// Hash implements Host.
func (w *wireHost) Hash(algs []string, data []byte, streams []*Stream) (map[string][]byte, int64, error) {
	o := w.message()
	o.strs("algs", algs)
	o.bin("data", data)
	if len(streams) > 0 {
		if err := o.streams("body", streams); err != nil {
			return nil, 0, err
		}
	}
	return w.digests(hostHash, "hash")
}

// digests runs the request in w.request, whose reply are digests.
func (w *wireHost) digests(op int32, name string) (digests map[string][]byte, size int64, err error) {
	err = w.ask(op, name, func(d *decoder, key []byte) bool {
		switch string(key) {
		case "digests":
			digests = decodeDigests(d)
		case "size":
			size = d.int()
		default:
			return false
		}
		return true
	})
	return digests, size, err
}

// HashBegin implements Host.
func (w *wireHost) HashBegin(algs []string) (HostHashSink, error) {
	w.message().strs("algs", algs)
	h, err := w.askInt(hostHashBegin, "hash_begin", "sink")
	if err != nil {
		return nil, err
	}
	return &hashSink{handle{w, h}}, nil
}

type hashSink struct{ handle }

// Finish implements HostHashSink.
func (s *hashSink) Finish() (map[string][]byte, int64, error) {
	s.w.message().int("sink", s.h)
	s.h = 0
	return s.w.digests(hostHashFinish, "hash_finish")
}

// Compress implements Host.
func (w *wireHost) Compress(how Compression, streams []*Stream) (*Stream, error) {
	o := w.message()
	o.str("alg", how.Alg)
	o.bool("undo", how.Undo)
	o.int("level", int64(how.Level))
	if len(streams) > 0 {
		if err := o.streams("body", streams); err != nil {
			return nil, err
		}
	}
	o.int("max", how.Max)
	h, err := w.askInt(hostCompress, "compress", "body")
	if err != nil {
		return nil, err
	}
	return w.stream(w.answers.next(), h, -1), nil
}
