package suite

import (
	"context"
	"crypto/sha256"
)

// Payload is a body for tests. It implements sign.Payload.
type Payload struct {
	Content string
	// Once says that it can be read but once, and so not be hashed.
	Once bool
}

// SHA256 implements sign.Payload.
func (p Payload) SHA256(ctx context.Context) ([32]byte, bool, error) {
	if err := ctx.Err(); err != nil {
		return [32]byte{}, false, err
	}
	if p.Once {
		return [32]byte{}, false, nil
	}
	return sha256.Sum256([]byte(p.Content)), true, nil
}

// Size implements sign.Payload.
func (p Payload) Size() int64 {
	if p.Once {
		return -1
	}
	return int64(len(p.Content))
}
