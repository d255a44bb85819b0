package registry_test

import (
	"bytes"
	"io"
	"sync"
	"testing"

	"github.com/sirupsen/logrus"
)

// lockedBuffer is written and read by different goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// captureLog has logrus's standard logger, distribution's and ours, write to what it returns until the
// test ends.
func captureLog(t *testing.T) *lockedBuffer {
	t.Helper()
	out := &lockedBuffer{}
	std := logrus.StandardLogger()
	before, level, formatter := std.Out, std.GetLevel(), std.Formatter
	std.SetOutput(io.Writer(out))
	t.Cleanup(func() {
		std.SetOutput(before)
		std.SetLevel(level)
		std.SetFormatter(formatter)
		std.SetReportCaller(false)
	})
	return out
}
