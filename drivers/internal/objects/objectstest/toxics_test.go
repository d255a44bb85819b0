package objectstest

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, Leaks()...) }

func TestADriverUnderToxics(t *testing.T) {
	_, url := newStore(t)
	UnderToxics(t, Harness{
		Upstream: url,
		Open:     func(t testing.TB, url string) storagedriver.StorageDriver { return openStore(t, url, "") },
		PartSize: testPart,
	})
}

// recorder has what was wrong instead of failing the test.
type recorder struct {
	*testing.T
	mu  sync.Mutex
	all []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, fmt.Sprintf(format, args...))
}

// TestWhatIsWrongIsFound has drivers and a service that each do one thing wrong.
func TestWhatIsWrongIsFound(t *testing.T) {
	for _, c := range []struct{ broken, toxic, says string }{
		{"error", "limit-requests-100", `no client would repeat what failed with kind "unknown error"`},
		{"offset", "limit-answers-20000", "wrong bytes in the "},
		{"torn", "latency", "bytes or nothing, got "},
	} {
		t.Run(c.broken, func(t *testing.T) {
			s, url := newStore(t)
			s.torn = c.broken == "torn"
			p := NewProxy(t, url)
			driver, direct := openStore(t, p.URL, c.broken), openStore(t, url, "")
			found := &recorder{T: t}
			for _, toxic := range Toxics(testPart) {
				if toxic.Name == c.toxic {
					underToxic(found, toxic, p, driver, direct, testPart)
				}
			}
			if err := driver.Close(); err != nil {
				t.Error(err)
			}
			if err := direct.Close(); err != nil {
				t.Error(err)
			}
			if !strings.Contains(strings.Join(found.all, "\n"), c.says) {
				t.Errorf("want %q found, got:\n%s", c.says, strings.Join(found.all, "\n"))
			}
		})
	}
}
