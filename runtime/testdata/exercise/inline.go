package main

import "github.com/berth-dev/storagedriver/abi"

// inlineRead answers with at most 3 bytes of the alphabet at a time, and from its seventh letter on with what kind says.
func inlineRead(kind string, m *abi.ReadRequest) (abi.Message, *abi.Error) {
	const content = "abcdefghijklmnopqrstuvwxyz"
	if m.Off > int64(len(content)) {
		return nil, fail(abi.KindInvalidOffset, m.Path)
	}
	left := content[m.Off:]
	if m.Len >= 0 && m.Len < int64(len(left)) {
		left = left[:m.Len]
	}
	r := &abi.ReadReply{Len: int64(len(left)), Data: []byte(left[:min(len(left), 3)]), Version: []byte("v1")}
	if m.Off < 6 {
		return r, nil
	}
	switch kind {
	case "replaced":
		r.Version = []byte("v2")
	case "unnamed":
		r.Version = nil
	case "gone":
		return nil, fail(abi.KindNotFound, m.Path)
	case "shorter":
		return nil, fail(abi.KindInvalidOffset, m.Path)
	case "busy":
		return nil, &abi.Error{Kind: abi.KindUnavailable, Temporary: true, Message: "not now"}
	case "other-length":
		r.Len++
	case "nothing":
		r.Data = nil
	case "more-than-asked":
		r.Data = []byte(content)
	case "long-version":
		r.Version = make([]byte, abi.MaxVersion+1)
	}
	return r, nil
}
