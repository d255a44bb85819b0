//go:build !unix

package guestbuild

import "context"

// lock takes no lock where the system has no flock: builds that run at the same time cost time, and the last
// to rename wins.
func lock(ctx context.Context, _ string) (unlock func(), err error) {
	return func() {}, ctx.Err()
}
