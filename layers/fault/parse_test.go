package fault_test

import (
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers/fault"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// normal are rules in the form in which they print.
var normal = []string{
	"fail before unavailable on *",
	"fail before unavailable temporary on Put,PutPart call 3",
	"fail after no-space temporary retry-after 2s on Move at /a/**",
	"fail after unknown-error on Close",
	"fail body 100 corrupt on Read at /**/data every 10",
	"fail source 0 unavailable on PutPart,CommitUpload calls 2-",
	"hang before on *",
	"hang after on Stat,Delete calls 3-5",
	"hang body 7 on *",
	"hang source 7 on Put",
	"truncate body 1000 eof on Read",
	"truncate source 1 unexpected-eof on *",
	"corrupt body 0 on * call 1",
	"slow 50ms on *",
	"slow body 4096/s on Read",
	"slow source 1/s on Put,SuspendUpload",
	"stale on List,ListTree at /a/b~",
	"stale on Stat,ListUploads",
}

func TestRulesPrintAsTheyAreRead(t *testing.T) {
	rules, err := fault.Parse(normal...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rules {
		if got := r.String(); got != normal[i] {
			t.Errorf("%q prints as %q", normal[i], got)
		}
	}
	if got := rules.String(); got != strings.Join(normal, "\n") {
		t.Errorf("the rules print as\n%s", got)
	}
	for given, want := range map[string]string{
		"  fail   before on Put ":             "fail before unavailable on Put",
		"fail before temporary on Delete,Put": "fail before unavailable temporary on Put,Delete",
		"truncate body 10 on Read,OpenUpload": "truncate body 10 eof on *",
		"hang before on Put every 1":          "hang before on Put",
		"hang before on Put calls 1-":         "hang before on Put",
		"hang before on Put calls 4-4":        "hang before on Put call 4",
		"slow 1500ms on Put":                  "slow 1.5s on Put",
		"fail before retry-after 1m on *":     "fail before unavailable retry-after 1m0s on *",
	} {
		rules, err := fault.Parse(given)
		if err != nil || rules.String() != want {
			t.Errorf("%q prints as %q (%v), want %q", given, rules, err, want)
		}
	}
}

// TestBadRules wants one line that names the rule, the word and what is allowed.
func TestBadRules(t *testing.T) {
	for rule, want := range map[string][]string{
		"":                               {"an effect", "fail, hang, truncate, corrupt, slow, stale"},
		"explode before on Put":          {`"explode"`, "fail, hang"},
		"fail befor on Put":              {`"befor"`, "before, after, body, source"},
		"fail":                           {"a moment", "it ends there"},
		"fail before unreachable on Put": {`"unreachable"`, "unavailable", "no-space"},
		"fail before":                    {"it ends there", "unavailable"},
		"fail before retry-after x on Put": {
			`"x"`, "a duration above 0",
		},
		"fail body -1 on Read":        {`"-1"`, "an integer from 0"},
		"fail body on Read":           {`"on"`, "an integer from 0"},
		"fail body 1 on Put":          {`"Put"`, "*, Read, OpenUpload"},
		"truncate before on Put":      {`"before"`, "body, source"},
		"truncate source 5 on Read":   {`"Read"`, "*, Put, PutPart, SuspendUpload, CommitUpload"},
		"truncate body 5 quietly":     {`"quietly"`, "on OPERATION"},
		"hang before on Close":        {`"Close"`, "AbortUploads, ListUploads"},
		"stale on Read":               {`"Read"`, "*, Stat, List, ListTree, ListUploads"},
		"slow fast on Put":            {`"fast"`, "50ms", "body RATE"},
		"slow body 0/s on Read":       {`"0/s"`, "4096/s"},
		"slow body 4096 on Read":      {`"4096"`, "4096/s"},
		"slow 0s on Put":              {`"0s"`},
		"fail before on put":          {`"put"`, "Stat, List"},
		"fail before on Put,":         {`"Put,"`},
		"fail before on Put at a/b":   {`"a/b"`, "absolute"},
		"fail before on Put at /a//b": {`"/a//b"`},
		"fail before on Put at /[":    {`"/["`},
		"fail before on Put at":       {"a pattern"},
		"fail before on Put call 0":   {`"0"`, "an integer from 1"},
		"fail before on Put calls 3":  {`"3"`, "calls N-M"},
		"fail before on Put calls 3-2": {
			`"3-2"`, "calls N-M",
		},
		"fail before on Put every +2":   {`"+2"`},
		"fail before on Put twice":      {`"twice"`, "every N"},
		"fail before on Put call 1 now": {`"now"`, "the end"},
	} {
		_, err := fault.Parse("slow 1s on Put", rule)
		if storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || err == nil {
			t.Errorf("%q: %v, want an invalid argument", rule, err)
			continue
		}
		text := err.Error()
		for _, w := range append(want, "rule 2", "allowed") {
			if !strings.Contains(text, w) {
				t.Errorf("%q: %q does not say %s", rule, text, w)
			}
		}
		if strings.Contains(text, "\n") || strings.Count(text, "invalid argument") != 1 {
			t.Errorf("%q: %q is not one plain line", rule, text)
		}
	}
}

// FuzzParse wants what is read to print as something that reads and prints the same.
func FuzzParse(f *testing.F) {
	for _, rule := range normal {
		f.Add(rule)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := fault.Parse(text)
		if err != nil {
			return
		}
		printed := rules.String()
		again, err := fault.Parse(printed)
		if err != nil || again.String() != printed {
			t.Errorf("%q prints as %q, and that as %q (%v)", text, printed, again, err)
		}
	})
}
