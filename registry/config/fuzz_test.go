package config

import (
	"io"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
)

// FuzzRead reads whatever comes: it never panics, each problem is one line, and what is shown of a
// configuration in which nothing is wrong can be read again.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"", inMemory, everySecret, "a: &a [*a]", "version: 0.1\nstorage: {<<: [{inmemory: }, 5], filesystem: }\n", "version: 0.1\nstorage: {inmemory: {}}\nhttp: {<<: &x {addr: *x}}\n",
		"? [a]\n: b\n", "version: 0.1\nstorage: !!binary aW5tZW1vcnk=\n", "- a\n- {}\n", "version: 0.1\nstorage: inmemory\nredis: {addrs: [!!int 5, ~]}\n", "%YAML 1.2\n---\nversion: 0.1\n...\n---\n5\n",
		"version: 0.1\nstorage: {anything: {1: 2, true: [~], '': x}}\nlog: {fields: {a[0].b: {c: d}}}\n",
	} {
		f.Add(seed)
	}
	logrus.SetOutput(io.Discard)
	tree := testTree()
	f.Fuzz(func(t *testing.T, text string) {
		d, err := tree.Read(strings.NewReader(text), "config.yml")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Problems {
			if strings.ContainsAny(p.String(), "\n\r") {
				t.Errorf("more than one line: %q", p)
			}
		}
		if d.Err() != nil {
			return
		}
		shown, err := YAML(d.Values(), true)
		if err != nil {
			t.Fatal(err)
		}
		again, err := tree.Read(strings.NewReader(string(shown)), "config.yml")
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Err(); err != nil {
			t.Errorf("%v in what is shown\n%s\nof\n%s", err, shown, text)
		}
	})
}
