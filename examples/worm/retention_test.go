package worm

import (
	"strings"
	"testing"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

func made(t *testing.T, period, paths string) *retention {
	t.Helper()
	r, err := newRetention(&config{retention: period, paths: paths})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhichPathsAreRetained(t *testing.T) {
	for _, c := range []struct {
		paths, path string
		at, below   bool
	}{
		{"/", "/", true, true},
		{"/", "/a/b", true, true},
		{"/", "/a/b~/1", false, false},
		{"/", "/a/~1/b", false, false},
		{"/a/b", "/", false, true},
		{"/a/b", "/a", false, true},
		{"/a/b", "/a/b", true, true},
		{"/a/b/", "/a/b/c/d", true, true},
		{"/a/b", "/a/bc", false, false},
		{"/a/b", "/a/c", false, false},
		{"/a/b, /c", "/c/d", true, true},
		{"/a/b,/c", "/d", false, false},
		{"/a/*/c", "/a/b/c", true, true},
		{"/a/*/c", "/a/c", false, true},
		{"/a/*/c", "/a/b/b/c", false, false},
		{"/r/**/m", "/r/m", true, true},
		{"/r/**/m", "/r/x/y/m/f", true, true},
		{"/r/**/m", "/r/x/y", false, true},
		{"/r/**/m/s", "/r/m/m/s", true, true},
		{"/r/**/m/s", "/r/m/m/t", false, true},
		{"/r/**/m", "/q/m", false, false},
		{"/docker/registry/v2/blobs", "/docker/registry/v2/blobs/sha256/ab/abcd/data", true, true},
		{"/docker/registry/v2/blobs", "/docker/registry/v2/repositories/a/_uploads/1/data", false, false},
		{"/docker/registry/v2/repositories/**/_manifests/revisions", "/docker/registry/v2/repositories/a/b/_manifests/revisions/sha256/ab/link", true, true},
		{"/docker/registry/v2/repositories/**/_manifests/revisions", "/docker/registry/v2/repositories/a/b/_manifests/tags/latest/current/link", false, true},
	} {
		r := made(t, "1h", c.paths)
		if at, below := r.at(c.path), r.below(c.path); at != c.at || below != c.below {
			t.Errorf("%s of %q: retained %v, below it %v; want %v, %v", c.path, c.paths, at, below, c.at, c.below)
		}
	}
}

func TestHowLongAFileIsRetained(t *testing.T) {
	written := time.Date(2024, 2, 28, 12, 0, 0, 5, time.UTC)
	for _, c := range []struct {
		period  string
		changed time.Time
		after   time.Duration // of written
		want    string        // "" is not at all
	}{
		{"1h", written, 0, "until 2024-02-28T13:00:01Z"},
		{"1h", written, time.Hour - 1, "until 2024-02-28T13:00:01Z"},
		{"1h", written, time.Hour, ""},
		{"1h", written, 100 * time.Hour, ""},
		{"1h", written.Add(time.Hour), 0, "until 2024-02-28T14:00:01Z"}, // by a clock that is ahead
		{"2d", written.Add(-5), 47 * time.Hour, "until 2024-03-01T12:00:00Z"},
		{"2d", written, 48 * time.Hour, ""},
		{"106751d", written, 1 << 62, "until 2316-"},
		{"1h", time.Time{}, 0, "the store does not say when it was written"},
	} {
		err := made(t, c.period, "/").check("/a/file", c.changed, written.Add(c.after))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s, %v after: %v", c.period, c.after, err)
		case c.want != "" && (berth.KindOf(err) != berth.KindPermission || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "/a/file")):
			t.Errorf("%s, %v after: %v; want a refusal that names the file and says %q", c.period, c.after, err, c.want)
		}
	}
}

func TestParametersThatMakeNoSenseAreNamed(t *testing.T) {
	for _, c := range []struct{ retention, paths, want string }{
		{"", "/", `"retention" must be a duration`},
		{"30", "/", `"retention" must be a duration`},
		{"d", "/", `"retention" must be days`},
		{"1.5d", "/", `"retention" must be days`},
		{"106752d", "/", "1 to 106751"},
		{"0d", "/", `"retention" must be days such as "30d", 1 to 106751`},
		{"-106752d", "/", `"retention" must be days such as "30d", 1 to 106751`},
		{"-1h", "/", `"retention" must be more than nothing`},
		{"1h", "", `"paths" must be absolute paths`},
		{"1h", "/a,", `"paths" must be`},
		{"1h", "a/b", `"a/b" is none`},
		{"1h", "/a//b", `"/a//b" is none`},
		{"1h", "/a/../b", `"/a/../b" is none`},
		{"1h", "/a~", `"/a~" is none`},
		{"1h", "/a/b*", `"/a/b*" is none`},
		{"1h", "/a/***", `"/a/***" is none`},
	} {
		if _, err := newRetention(&config{retention: c.retention, paths: c.paths}); berth.KindOf(err) != berth.KindInvalidArgument || !strings.Contains(err.Error(), c.want) {
			t.Errorf("retention %q, paths %q: %v; want an error that says %s", c.retention, c.paths, err, c.want)
		}
	}
}
