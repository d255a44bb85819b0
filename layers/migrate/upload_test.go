package migrate_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/berth-dev/storagedriver/layers"
)

// TestAnUploadGoesOnWhereItIs suspends on old, and goes on through the migration, with and without content at the path.
func TestAnUploadGoesOnWhereItIs(t *testing.T) {
	for _, names := range [][2]string{{"filesystem", "filesystem"}, {"filesystem", "parts"}, {"inmemory", "parts"}, {"filesystem", "inmemory"}} {
		for _, there := range []string{"nothing", "old", "both"} {
			t.Run(names[0]+" to "+names[1]+" "+there, func(t *testing.T) {
				t.Parallel()
				p := newPair(t)
				p.old, p.new = stores[names[0]](t)(t), stores[names[1]](t)(t)
				p.open()
				if there != "nothing" {
					p.put(p.old, "/dir/f", "committed")
				}
				if there == "both" {
					p.put(p.new, "/dir/f", "committed")
				}
				gate := layers.Complete(p.old)
				w, err := gate.Writer(t.Context(), "/dir/f", false)
				if err != nil {
					t.Fatal(err)
				}
				_, err = w.Write([]byte("begun,"))
				if err := errors.Join(err, w.Close()); err != nil {
					t.Fatal(err)
				}
				q := p.open()
				for _, more := range []string{"and,", "on"} {
					if w, err = q.Writer(t.Context(), "/dir/f", true); err != nil {
						t.Fatal(err)
					}
					_, err = w.Write([]byte(more))
					if more == "on" {
						err = errors.Join(err, w.Commit(t.Context()))
					}
					if err := errors.Join(err, w.Close()); err != nil {
						t.Fatal(err)
					}
				}
				q.content(t, "/dir/f", "begun,and,on")
				if there == "both" {
					p.want("/dir/f", "-", "begun,and,on")
				}
				if err := q.Move(t.Context(), "/dir/f", "/blob"); err != nil {
					t.Fatal(err)
				}
				q.content(t, "/dir/f", "-")
				p.want("/blob", "-", "begun,and,on")
				copyAll(t, q)
			})
		}
	}
}

// TestAnUploadOfDistributionGoesOn: it is a file like any other, which old continues and new does not.
func TestAnUploadOfDistributionGoesOn(t *testing.T) {
	for _, copied := range []bool{false, true} {
		t.Run(fmt.Sprint("copied ", copied), func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			p.old, p.new = stores["filesystem"](t)(t), stores["parts"](t)(t)
			p.put(p.old, "/_uploads/1/data", "begun,")
			q := p.open()
			if copied {
				copyAll(t, q)
				p.want("/_uploads/1/data", "begun,", "begun,")
			}
			for _, more := range []string{"and,", "on"} {
				w, err := q.Writer(t.Context(), "/_uploads/1/data", true)
				if err != nil {
					t.Fatal(err)
				}
				_, err = w.Write([]byte(more))
				if more == "on" {
					err = errors.Join(err, w.Commit(t.Context()))
				}
				if err := errors.Join(err, w.Close()); err != nil {
					t.Fatal(err)
				}
				if more != "on" {
					q.content(t, "/_uploads/1/data", "begun,")
				}
			}
			q.content(t, "/_uploads/1/data", "begun,and,on")
		})
	}
}
