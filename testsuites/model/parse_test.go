package model_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/testsuites/model"
)

func TestParse(t *testing.T) {
	text := "part-size 4096\n\n" +
		"  put\t/a/b 1234 seed=7 # why\r\n" +
		"#put /a/b 1\n" +
		"put \"/with blank\" 1\n" +
		"walk / skip=/a after=\"/a b\"\n" +
		"writer w#1\n"
	_, err := model.Parse(text)
	wantSyntax(t, err, 7, "PATH is missing: writer NAME PATH [append]")

	s, err := model.Parse(strings.Replace(text, "writer w#1", "writer w1 /a append\nread /a -3", 1))
	if err != nil {
		t.Fatal(err)
	}
	want := model.Script{
		{Kind: model.PartSize, Line: 1, Size: 4096},
		{Kind: model.Put, Line: 3, Path: "/a/b", Size: 1234, Seed: 7},
		{Kind: model.Put, Line: 5, Path: "/with blank", Size: 1, Seed: 5},
		{Kind: model.Walk, Line: 6, Path: "/", Skip: "/a", After: "/a b"},
		{Kind: model.Writer, Line: 7, Name: "w1", Path: "/a", Append: true},
		{Kind: model.Read, Line: 8, Path: "/a", Size: -3},
	}
	if !slices.Equal(s, want) {
		t.Errorf("want %+v, got %+v", want, s)
	}
	const printed = "part-size 4096\nput /a/b 1234 seed=7\nput \"/with blank\" 1 seed=5\nwalk / after=\"/a b\" skip=/a\nwriter w1 /a append\nread /a -3\n"
	if got := s.String(); got != printed {
		t.Errorf("want %q, got %q", printed, got)
	}
}

func wantSyntax(t *testing.T, err error, line int, text string) {
	t.Helper()
	var syntax *model.SyntaxError
	if !errors.As(err, &syntax) || syntax.Line != line || !strings.Contains(syntax.Text, text) {
		t.Errorf("want line %d: %s, got %v", line, text, err)
	}
}

func TestNoScript(t *testing.T) {
	for text, want := range map[string]string{
		"put":                           "PATH is missing",
		"put /a":                        "SIZE is missing",
		"put /a -1":                     "SIZE -1: a number from 0 to",
		"put /a 1 2":                    "2 is not allowed here",
		"put /a 1 seed":                 "seed is not allowed here",
		"put /a 1 seed=-1":              "seed=-1: a number",
		"put /a 1 \"seed=1\"":           "is not allowed here",
		"\"put\" /a 1":                  "is no operation",
		"put \"/a 1":                    "does not end",
		"put /a\"b\" 1":                 "begins in the middle",
		"put \"/a\"b 1":                 "without a blank",
		"put \"\" 1":                    "PATH is empty",
		"writer w1 /a append=1":         "is not allowed here",
		"walk / after=":                 "AFTER is empty",
		"close w1":                      "there is no w1 yet",
		"writer w /a\nreader w /a 0":    "w is a writer already",
		"writer w /a\nnext w 1":         "w is a writer; next is for a reader",
		"crash-in 0":                    "counted from 1",
		"crash-in 1\nget /a":            "get cannot follow crash-in, which is about one of put, delete, move",
		"crash-in 1":                    "there is none",
		"part-size 0":                   "from 1 to",
		"stat /\npart-size 1":           "before all operations only",
		strings.Repeat("#", 1<<20) + "": "",
		strings.Repeat("#", 1<<20+1):    "at most 1048576 are allowed",
	} {
		_, err := model.Parse(text)
		if want == "" && err == nil {
			continue
		}
		wantSyntax(t, err, 1+strings.Count(text, "\n"), want)
	}
}

// FuzzParse wants what is read to be what is printed, and anything else to be refused without harm.
func FuzzParse(f *testing.F) {
	f.Add("part-size 4096\nput /a/b 1234 seed=7\nwriter w1 /a append\nwrite w1 70000 seed=9\ncrash\n")
	f.Add("walk / after=/a skip=\"/a b\" stop=/c fail=/d # all\n")
	f.Add("reader r1 /a 17\nnext r1 100\nclose r1\nread /a -1\nmove /a /b\n")
	f.Add("put \"\\u00e4\\x00#\" 1 seed=18446744073709551615\ninterrupt w\nreopen\ncheck")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := model.Parse(text)
		if err != nil {
			var syntax *model.SyntaxError
			if !errors.As(err, &syntax) || syntax.Line < 1 || syntax.Line > 1+strings.Count(text, "\n") {
				t.Fatalf("want a syntax error with a line of the text, got %v", err)
			}
			return
		}
		again, err := model.Parse(s.String())
		if err != nil || len(again) != len(s) {
			t.Fatalf("%q was printed as %q, which gives %v", text, s.String(), err)
		}
		for i := range s {
			s[i].Line, again[i].Line = 0, 0
			if s[i] != again[i] {
				t.Fatalf("%+v was printed as %q and read as %+v", s[i], s[i].String(), again[i])
			}
		}
	})
}
