package egress

import "context"

// turns bounds the requests that wait for a response. The zero value does not.
type turns struct {
	all, reserve chan struct{} // have a token in them for each request
}

func newTurns(n int) turns {
	if n <= 0 {
		return turns{}
	}
	return turns{all: make(chan struct{}, n), reserve: make(chan struct{}, max(1, n/8))}
}

// take waits for a turn, which give ends. The caller must hold nothing that another request waits for. Requests
// under a context of Feeding take from the reserve as well, which has none but those in it: each of them
// ends by itself.
func (t *turns) take(ctx context.Context) (turn chan struct{}, err error) {
	if t.all == nil {
		return nil, nil
	}
	select {
	case t.all <- struct{}{}:
		return t.all, nil
	default:
	}
	var reserve chan struct{} // nil is never ready
	if isFeeding(ctx) {
		reserve = t.reserve
	}
	select {
	case t.all <- struct{}{}:
		return t.all, nil
	case reserve <- struct{}{}:
		return reserve, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// give takes what take has answered.
func give(turn chan struct{}) {
	if turn != nil {
		<-turn
	}
}
