package fault

import (
	"context"
	"io"
	"time"

	"github.com/berth-dev/storagedriver"
)

// faultySource is a Source whose readers meet rules. Its Size is what it was.
type faultySource struct {
	next  storagedriver.Source
	rules []*Rule
}

// Size implements storagedriver.Source.
func (s *faultySource) Size() int64 { return s.next.Size() }

// Open implements storagedriver.Source.
func (s *faultySource) Open(ctx context.Context) (io.ReadCloser, error) {
	r, err := s.next.Open(ctx)
	if err != nil {
		return nil, err
	}
	return wrapBody(ctx, r, s.rules), nil
}

// wrapBody puts the rules before r, the first of them outermost.
func wrapBody(ctx context.Context, r io.ReadCloser, rules []*Rule) io.ReadCloser {
	for i := len(rules) - 1; i >= 0; i-- {
		switch rule := rules[i]; rule.effect {
		case slow:
			r = &slowBody{ReadCloser: r, ctx: ctx, rule: rule}
		case corrupt:
			r = &corruptBody{ReadCloser: r, rule: rule}
		default:
			r = &brokenBody{ReadCloser: r, ctx: ctx, rule: rule, left: rule.bytes}
		}
	}
	return r
}

// brokenBody fails, hangs or ends where a byte follows what is left. One goroutine at a time reads it.
type brokenBody struct {
	io.ReadCloser
	ctx  context.Context
	rule *Rule
	left int64
	err  error // what it ends with
}

func (b *brokenBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.left == 0 && len(p) > 0 {
		return 0, b.atBreak()
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	b.err = err
	return n, err
}

// atBreak breaks unless the body ends here by itself.
func (b *brokenBody) atBreak() error {
	var one [1]byte
	for n := 0; n == 0; {
		if n, b.err = b.ReadCloser.Read(one[:]); n == 0 && b.err != nil {
			return b.err
		}
	}
	b.rule.fired.Add(1)
	switch {
	case b.rule.effect == fail:
		b.err = b.rule.err()
	case b.rule.effect == hang:
		<-b.ctx.Done()
		b.err = b.ctx.Err()
	case b.rule.unexpected:
		b.err = io.ErrUnexpectedEOF
	default:
		b.err = io.EOF
	}
	return b.err
}

// corruptBody turns one bit over.
type corruptBody struct {
	io.ReadCloser
	rule *Rule
	at   int64
}

func (b *corruptBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if i := b.rule.bytes - b.at; i >= 0 && i < int64(n) {
		p[i] ^= 1
		b.rule.fired.Add(1)
	}
	b.at += int64(n)
	return n, err
}

// slowBody gives what a rate allows.
type slowBody struct {
	io.ReadCloser
	ctx  context.Context
	rule *Rule
	owed time.Duration
	slow bool // it has been slowed down
}

// slowStep is how long a slow body waits at least, unless it gives less: a timer for each
// byte would be far from the rate.
const slowStep = 10 * time.Millisecond

func (b *slowBody) Read(p []byte) (int, error) {
	if b.owed >= slowStep {
		if err := wait(b.ctx, b.owed); err != nil {
			return 0, err
		}
		b.owed = 0
	}
	most := max(1, b.rule.rate/int64(time.Second/slowStep))
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), most)])
	if n > 0 {
		if !b.slow {
			b.slow = true
			b.rule.fired.Add(1)
		}
		b.owed += time.Duration(float64(n) / float64(b.rule.rate) * float64(time.Second))
	}
	return n, err
}
