package testsuites

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the tables in docs/conformance.md")

// document is the page with a row for each case, between the two marks.
const (
	document  = "../docs/conformance.md"
	beginMark = "<!-- cases: begin -->\n"
	endMark   = "<!-- cases: end -->\n"
)

func TestDocumentHasARowForEachCase(t *testing.T) {
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), beginMark)
	_, tail, ok2 := strings.Cut(rest, endMark)
	if !ok || !ok2 {
		t.Fatalf("%s: want the marks %q and %q, got not both", document, beginMark, endMark)
	}
	var table strings.Builder
	table.WriteString("| Case | What must hold |\n|---|---|\n")
	for _, c := range Cases() {
		fmt.Fprintf(&table, "| `%s` | %s |\n", c.ID, c.Summary)
	}
	want := head + beginMark + table.String() + endMark + tail
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(page) {
		t.Fatalf("%s differs from the cases in the code; go test ./testsuites -run %s -update rewrites it", document, t.Name())
	}
}

func TestIdentifiers(t *testing.T) {
	form := regexp.MustCompile(`^[a-z]+/[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, c := range Cases() {
		if !form.MatchString(c.ID) {
			t.Errorf("identifier %q: want the form %s", c.ID, form)
		}
		if seen[c.ID] {
			t.Errorf("identifier %q: want it once, got it again", c.ID)
		}
		seen[c.ID] = true
		if c.Summary == "" || strings.ContainsAny(c.Summary, "\n|") {
			t.Errorf("%s: want a summary of one line without |, got %q", c.ID, c.Summary)
		}
	}
	if len(seen) < 247 { // a case is never taken away
		t.Errorf("want at least 247 cases, got %d", len(seen))
	}
}

func TestSelection(t *testing.T) {
	all := scenarios()
	group := func(prefix string) (n int) {
		for _, s := range all {
			if strings.HasPrefix(s.id, prefix) {
				n++
			}
		}
		return n
	}
	for _, tc := range []struct {
		pattern string
		want    int
	}{
		{"", len(all)},
		{"*", len(all)},
		{"walk", group("walk/")},
		{"walk/*", group("walk/")},
		{"walk/start-*", group("walk/start-")},
		{"w*", group("walk/") + group("write/")},
		{"walk/order", 1},
		{"walk/order,stat", 1 + group("stat/")},
		{"stat,stat/file", group("stat/")},
	} {
		got, err := selectCases(all, tc.pattern)
		if err != nil || len(got) != tc.want {
			t.Errorf("pattern %q: want %d cases, got %d (%v)", tc.pattern, tc.want, len(got), err)
		}
	}
	for _, pattern := range []string{"nothing", "walk/none", "walk/order,none", "[", ",", "walk/order,"} {
		if got, err := selectCases(all, pattern); err == nil {
			t.Errorf("pattern %q: want an error, got %d cases", pattern, len(got))
		}
	}
}
