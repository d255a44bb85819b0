package adapt_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry/adapt"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	theirs "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
)

var tree = []string{"/t/1/link", "/t/1-alpine/link", "/t/1.0/link", "/t/2/a/b", "/t/2/c", "/t/3"}

func filled(t *testing.T) storagedriver.StorageDriver {
	t.Helper()
	d := adapt.FromDistribution(theirs.New())
	for _, path := range tree {
		if err := d.PutContent(context.Background(), path, []byte(path)); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func walk(t *testing.T, d driver.StorageDriver, f func(driver.FileInfo) error, options ...func(*driver.WalkOptions)) []string {
	t.Helper()
	var got []string
	err := d.Walk(context.Background(), "/t", func(info driver.FileInfo) error {
		got = append(got, info.Path())
		return f(info)
	}, options...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func goOn(driver.FileInfo) error { return nil }

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestWalkWithOptionsOrdersSiblingsByName(t *testing.T) {
	d := adapt.ToDistribution(filled(t))
	expect(t, walk(t, d, goOn, driver.WithStartAfterHint("")),
		"/t/1", "/t/1/link", "/t/1-alpine", "/t/1-alpine/link", "/t/1.0", "/t/1.0/link", "/t/2", "/t/2/a", "/t/2/a/b", "/t/2/c", "/t/3")
}

func TestWalkWithoutOptionsIsTheDriversOwn(t *testing.T) {
	d := adapt.ToDistribution(filled(t))
	expect(t, walk(t, d, goOn),
		"/t/1-alpine", "/t/1-alpine/link", "/t/1.0", "/t/1.0/link", "/t/1", "/t/1/link", "/t/2", "/t/2/a", "/t/2/a/b", "/t/2/c", "/t/3")
}

func TestWalkStartsAfterTheHint(t *testing.T) {
	d := adapt.ToDistribution(filled(t))
	for hint, want := range map[string][]string{
		"/t/1.0":   {"/t/1.0/link", "/t/2", "/t/2/a", "/t/2/a/b", "/t/2/c", "/t/3"},
		"/t/2/a/b": {"/t/2/c", "/t/3"},
		"/t/2/b":   {"/t/2/c", "/t/3"},
		"/t/3":     nil,
		"/u":       nil,
	} {
		expect(t, walk(t, d, goOn, driver.WithStartAfterHint(hint)), want...)
	}
}

func TestWalkOfOursStartsAfterTheHint(t *testing.T) {
	d := filled(t)
	for hint, want := range map[string][]string{
		"/t/1":     {"/t/1/link", "/t/2", "/t/2/a", "/t/2/a/b", "/t/2/c", "/t/3"},
		"/t/1.0":   {"/t/1.0/link", "/t/1", "/t/1/link", "/t/2", "/t/2/a", "/t/2/a/b", "/t/2/c", "/t/3"},
		"/t/2/a/b": {"/t/2/c", "/t/3"},
		"/t/2/b":   {"/t/2/c", "/t/3"},
	} {
		var got []string
		err := d.Walk(context.Background(), "/t", func(info storagedriver.FileInfo) error {
			got = append(got, info.Path())
			return nil
		}, storagedriver.WithStartAfterHint(hint))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, got, want...)
	}
}

func TestWalkHonoursControlErrors(t *testing.T) {
	d := adapt.ToDistribution(filled(t))
	for name, options := range map[string][]func(*driver.WalkOptions){"plain": nil, "paged": {driver.WithStartAfterHint("")}} {
		t.Run(name, func(t *testing.T) {
			got := walk(t, d, func(info driver.FileInfo) error {
				if info.IsDir() {
					return driver.ErrSkipDir
				}
				return nil
			}, options...)
			slices.Sort(got)
			expect(t, got, "/t/1", "/t/1-alpine", "/t/1.0", "/t/2", "/t/3")

			calls := 0
			got = walk(t, d, func(driver.FileInfo) error {
				if calls++; calls == 3 {
					return driver.ErrFilledBuffer
				}
				return nil
			}, options...)
			if len(got) != 3 {
				t.Errorf("after ErrFilledBuffer the walk went on: %q", got)
			}
		})
	}
}

func TestWalkReturnsTheCallbacksErrorAsItIs(t *testing.T) {
	d := adapt.ToDistribution(filled(t))
	for _, options := range [][]func(*driver.WalkOptions){nil, {driver.WithStartAfterHint("")}} {
		want := driver.PathNotFoundError{Path: "/x", DriverName: "another"}
		err := d.Walk(context.Background(), "/t", func(driver.FileInfo) error { return want }, options...)
		if got, ok := err.(driver.PathNotFoundError); !ok || got != want {
			t.Errorf("got %#v, want %#v", err, want)
		}
		// An error of a type that cannot be compared.
		err = d.Walk(context.Background(), "/t", func(driver.FileInfo) error { return driver.Errors{DriverName: "x"} }, options...)
		if _, ok := err.(driver.Errors); !ok {
			t.Errorf("got %#v, want driver.Errors", err)
		}
		err = d.Walk(context.Background(), "/missing", goOn, options...)
		if _, ok := err.(driver.PathNotFoundError); !ok {
			t.Errorf("of a missing directory: got %#v, want PathNotFoundError", err)
		}
	}
}

func TestWalkOfOursReturnsControlAndCallbackErrors(t *testing.T) {
	d := filled(t)
	want := errors.New("stop")
	if got := d.Walk(context.Background(), "/t", func(storagedriver.FileInfo) error { return want }); got != want {
		t.Errorf("got %v, want the callback's error", got)
	}
	calls := 0
	err := d.Walk(context.Background(), "/t", func(storagedriver.FileInfo) error { calls++; return storagedriver.ErrFilledBuffer })
	if err != nil || calls != 1 {
		t.Errorf("ErrFilledBuffer: got %v after %d calls, want nil after 1", err, calls)
	}
}
