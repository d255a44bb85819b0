package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
)

// issuer gives out "token 1", "token 2", ..., each good for life.
type issuer struct {
	n     int
	life  time.Duration
	takes time.Duration
	err   error
}

func (i *issuer) fetch(ctx context.Context) (string, time.Time, error) {
	i.n++
	n, err := i.n, i.err
	select {
	case <-time.After(i.takes):
	case <-ctx.Done():
		return "", time.Time{}, ctx.Err()
	}
	if err != nil {
		return "", time.Time{}, err
	}
	var end time.Time
	if i.life != 0 {
		end = time.Now().Add(i.life)
	}
	return fmt.Sprintf("token %d", n), end, nil
}

// get gets what is wanted, and waits until what it has begun is over.
func get(t *testing.T, s *Source[string], want string) {
	t.Helper()
	expect(t, s, want)
	synctest.Wait()
}

func expect(t *testing.T, s *Source[string], want string) {
	t.Helper()
	if got, err := s.Get(context.Background()); err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func later(d time.Duration) { <-time.After(d) }

func TestRenewsAhead(t *testing.T) {
	for _, c := range []struct{ life, quiet time.Duration }{{time.Hour, 55 * time.Minute}, {10 * time.Second, 8 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			i := &issuer{life: c.life}
			s := NewSource(i.fetch)
			get(t, s, "token 1")
			later(c.quiet - time.Second)
			get(t, s, "token 1")
			if i.n != 1 {
				t.Errorf("%d tokens were fetched", i.n)
			}
			later(time.Second)
			get(t, s, "token 1") // while another is fetched
			get(t, s, "token 2")
			if got := s.All(); !slices.Equal(got, []string{"token 2", "token 1"}) {
				t.Errorf("All: %q", got)
			}
			later(c.life - c.quiet + skew)
			if got := s.All(); slices.Contains(got, "token 1") {
				t.Errorf("All after the end: %q", got)
			}
		})
	}
}

func TestNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		s := NewSource(i.fetch)
		get(t, s, "token 1")
		later(1000 * time.Hour)
		get(t, s, "token 1")
	})
}

func TestOneFetchForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{life: time.Hour, takes: time.Second}
		s := NewSource(i.fetch)
		for range 50 {
			go expect(t, s, "token 1")
		}
		synctest.Wait()
		later(2 * time.Second)
		if i.n != 1 {
			t.Errorf("%d tokens were fetched", i.n)
		}
	})
}

func TestWaitingHonoursContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{life: time.Hour, takes: 10 * time.Second}
		s := NewSource(i.fetch)
		go expect(t, s, "token 1") // stays when the others leave
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if got, err := s.Get(ctx); err != context.DeadlineExceeded {
			t.Errorf("%q, %v", got, err)
		}
		later(10 * time.Second)
		get(t, s, "token 1")
	})
}

func TestNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{life: time.Hour, takes: 10 * time.Second}
		s := NewSource(i.fetch)
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			if _, err := s.Get(ctx); err != context.Canceled {
				t.Errorf("%v", err)
			}
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		i.takes = 0
		get(t, s, "token 2") // and not the failure of the one that was given up
	})
}

func TestHangingServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{life: time.Hour, takes: 24 * time.Hour}
		_, err := NewSource(i.fetch).Get(context.Background())
		if storagedriver.KindOf(err) != storagedriver.KindUnavailable || !storagedriver.IsTemporary(err) || !strings.Contains(err.Error(), "within 30 seconds") {
			t.Errorf("%v", err)
		}
	})
}

func TestFailuresAreRemembered(t *testing.T) {
	for _, c := range []struct {
		err  *storagedriver.Error
		wait time.Duration
	}{
		{&storagedriver.Error{Kind: storagedriver.KindUnavailable}, time.Second},
		{&storagedriver.Error{Kind: storagedriver.KindPermission}, 10 * time.Second},
		{&storagedriver.Error{Kind: storagedriver.KindUnavailable, RetryAfter: 20 * time.Second}, 20 * time.Second},
		{&storagedriver.Error{Kind: storagedriver.KindUnavailable, RetryAfter: time.Hour}, time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			i := &issuer{life: time.Hour, err: c.err}
			s := NewSource(i.fetch)
			for range 3 {
				if _, err := s.Get(context.Background()); !errors.Is(err, c.err) {
					t.Errorf("%v", err)
				}
			}
			later(c.wait - 1)
			_, _ = s.Get(context.Background())
			if i.n != 1 {
				t.Errorf("%d attempts", i.n)
			}
			i.err = nil
			later(1)
			get(t, s, "token 2")
		})
	}
}

func TestRenewalThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{life: time.Hour}
		s := NewSource(i.fetch)
		get(t, s, "token 1")
		i.err = storagedriver.NewError(storagedriver.KindUnavailable, "down")
		later(56 * time.Minute)
		for range 3 {
			get(t, s, "token 1")
		}
		if i.n != 2 {
			t.Errorf("%d attempts", i.n)
		}
		later(4 * time.Minute)
		if got, err := s.Get(context.Background()); !errors.Is(err, i.err) {
			t.Errorf("after its end: %q, %v", got, err)
		}
	})
}

func TestTokenAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{life: -time.Second}
		if _, err := NewSource(i.fetch).Get(context.Background()); storagedriver.KindOf(err) != storagedriver.KindUnavailable || !strings.Contains(err.Error(), "look at the clocks") {
			t.Errorf("%v", err)
		}
	})
}

func TestReject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{life: time.Hour}
		s := NewSource(i.fetch)
		s.Reject("token 1")
		get(t, s, "token 1")
		s.Reject("token 1") // young
		get(t, s, "token 1")
		later(time.Minute)
		s.Reject("another")
		get(t, s, "token 1")
		s.Reject("token 1")
		if got := s.All(); !slices.Equal(got, []string{"token 1"}) {
			t.Errorf("All: %q", got)
		}
		get(t, s, "token 2")
		for n := range 2 * kept { // of which the last ones are not heard
			later(time.Minute)
			s.Reject(fmt.Sprintf("token %d", n+2))
			get(t, s, fmt.Sprintf("token %d", min(n+3, kept+1)))
		}
		if got := s.All(); len(got) != kept+1 || got[kept] != "token 1" {
			t.Errorf("the tokens %q are remembered, not %d from the first one on", got, kept+1)
		}
		later(50 * time.Minute) // the first ones have ended
		get(t, s, fmt.Sprintf("token %d", kept+1))
		get(t, s, fmt.Sprintf("token %d", kept+2))
		later(time.Minute)
		s.Reject(fmt.Sprintf("token %d", kept+2))
		get(t, s, fmt.Sprintf("token %d", kept+3))
	})
}

func TestGivingUpAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{life: time.Hour, takes: time.Minute}
		s := NewSource(i.fetch)
		for range 100 {
			ctx, cancel := context.WithCancel(context.Background())
			go func() {
				if _, err := s.Get(ctx); err != context.Canceled {
					t.Errorf("%v", err)
				}
			}()
			synctest.Wait()
			cancel()
			synctest.Wait()
			later(10 * time.Millisecond)
		}
		if i.n != 1 {
			t.Errorf("the server was asked %d times in a second", i.n)
		}
		i.takes = 0
		get(t, s, "token 2")
	})
}
