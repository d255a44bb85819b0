//go:build unix

package ipc

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	maybeChild()
	maybeServe()
	goleak.VerifyTestMain(m)
}
