package filesystem_test

import (
	"testing"

	"github.com/berth-dev/storagedriver"
)

// TestOneContinuesCommittedContent: of two writers that continue the same committed content the one whose
// part is accepted first has the upload.
func TestOneContinuesCommittedContent(t *testing.T) {
	for name, end := range map[string]func(u *writer) error{
		"suspend": func(u *writer) error { return u.suspend() },
		"part":    func(u *writer) error { return u.part(storagedriver.BytesSource("late")) },
		"commit":  func(u *writer) error { return u.commit("late") },
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, t.TempDir())
			put(t, d, "/f", "old,")
			a, b := upload(t, d, "/f", true), upload(t, d, "/f", true)
			if err := a.parts("first").suspend(); err != nil {
				t.Fatal(err)
			}
			late := end
			if name == "suspend" {
				late = func(u *writer) error {
					return d.SuspendUpload(t.Context(), u.up.Token, u.up.Receipts, storagedriver.BytesSource("late"))
				}
			}
			wantKind(t, "the late one", late(b), storagedriver.KindConflict)
			if got := get(t, d, "/f"); got != "old," {
				t.Errorf("before a commit: got %q", got)
			}
			upload(t, d, "/f", true).mustCommit(",end")
			if got := get(t, d, "/f"); got != "old,first,end" {
				t.Errorf("got %q", got)
			}
		})
	}
}
