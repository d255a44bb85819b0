package ipc

import (
	"context"
	"encoding/json"
	"regexp"
	"time"

	"github.com/berth-dev/storagedriver"
)

// hello is the payload of HELLO.
type hello struct {
	Version storagedriver.Version `json:"version"`
}

// isVersion holds what a driver says its version is against: it is printed.
var isVersion = regexp.MustCompile(`^[0-9]{1,6}\.[0-9]{1,6}$`)

func parseHello(payload []byte) (storagedriver.Version, error) {
	var h hello
	if err := json.Unmarshal(payload, &h); err != nil {
		return "", violated("HELLO is no JSON object with a version")
	}
	if !isVersion.MatchString(string(h.Version)) {
		return "", violated("HELLO has no version such as %q", storagedriver.CurrentVersion)
	}
	return h.Version, nil
}

func sendHello(ctx context.Context, s *sender) error {
	payload, err := json.Marshal(hello{storagedriver.CurrentVersion})
	if err != nil {
		return err
	}
	return s.send(ctx, 0, frameHello, payload)
}

// accepts reports whether a host of one version takes a driver of another.
func accepts(host, driver storagedriver.Version) bool {
	return driver.Major() == host.Major() && driver.Minor() <= host.Minor()
}

func (l *link) takeHello(f frame) error {
	version, err := parseHello(f.payload)
	if err != nil {
		return err
	}
	if f.call != 0 {
		return violated("HELLO in the call %d", f.call)
	}
	if l.greeted {
		return violated("a second HELLO")
	}
	l.greeted = true
	l.hello <- version // it has room for one
	return nil
}

// greet exchanges HELLO. The error of a driver that is too new, or too old, is KindUnsupported.
func (l *link) greet(ctx context.Context) (storagedriver.Version, error) {
	if err := sendHello(ctx, l.out); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", errLost
	}
	select {
	case version := <-l.hello:
		if !accepts(storagedriver.CurrentVersion, version) {
			return "", storagedriver.Errorf(storagedriver.KindUnsupported,
				"it speaks version %s and Berth %s: the major must be equal and the minor no greater; build it for %s, or update Berth",
				version, storagedriver.CurrentVersion, storagedriver.CurrentVersion)
		}
		return version, nil
	case <-l.ended:
		return "", errLost
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Times of Config that it does not set.
const (
	defaultStart         = 30 * time.Second
	defaultCancelTimeout = 30 * time.Second
	defaultSettle        = 2 * time.Second
	defaultGrace         = 5 * time.Second
	defaultMinRestart    = 200 * time.Millisecond
	defaultMaxRestart    = 10 * time.Second
	// steady is how long a process must have lived for its end to be taken for the first.
	steady = 10 * time.Second
)
