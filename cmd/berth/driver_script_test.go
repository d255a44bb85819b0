package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goodScript = `part-size 4096
put /a/b 1234 # seed of its line
writer w1 /a/c append
write w1 10000
close w1
crash
writer w2 /a/c append
write w2 10000
commit w2
walk / after=/a/b
delete /a
`

func scriptFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "found.script")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestScriptIsPerformed(t *testing.T) {
	root := t.TempDir()
	file := scriptFile(t, goodScript)
	for _, driver := range [][]string{{"inmemory"}, {"filesystem", "--param", "rootdirectory=" + root}} {
		args := append([]string{"driver", "test", "--script", file}, driver...)
		newConsole(t, nil).wantStatus(t, statusOK, args, driver[0]+": 11 operations, all as the contract says")
		c := newConsole(t, nil)
		c.wantStatus(t, statusOK, append(args, "-o", "json"))
		var r scriptReport
		if err := json.Unmarshal(c.out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Driver != driver[0] || r.Script != file || r.Operations != 11 || r.Mismatch != nil {
			t.Errorf("want 11 operations and no mismatch, got %s", &c.out)
		}
	}
	if left, err := os.ReadDir(root); err != nil || len(left) > 0 {
		t.Errorf("want nothing left in the storage, got %v, %v", left, err)
	}
}

// TestScriptThatFails has a layer refuse what the contract has succeed.
func TestScriptThatFails(t *testing.T) {
	root := t.TempDir()
	file := scriptFile(t, "# found somewhere\nstat /\nput /a 10\n")
	args := []string{"driver", "test", "filesystem", "--param", "rootdirectory=" + root, "--param", "layers.readonly=true", "--script", file}
	newConsole(t, nil).wantStatus(t, statusConformance, args, file+":3: put /a 10 seed=3: ", "want no error", "got ")
	c := newConsole(t, nil)
	if got := c.app.execute(t.Context(), append(args, "-o", "json")); got != statusConformance {
		t.Fatalf("want status %d, got %d", statusConformance, got)
	}
	var r scriptReport
	if err := json.Unmarshal(c.out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if m := r.Mismatch; m == nil || m.Line != 3 || m.Operation != "put /a 10 seed=3" || m.Want != "no error" || m.Got == "" {
		t.Errorf("want the mismatch of line 3, got %s", &c.out)
	}
}

func TestScriptThatIsNone(t *testing.T) {
	for text, want := range map[string]string{
		"put /a 1\nput /a\n":           ":2: SIZE is missing: put PATH SIZE [seed=N]",
		"put /a 1\nputt /a 1\n":        ":2: putt is no operation; there are cancel, check, close, ",
		"put /a x\n":                   ":1: SIZE x: a number from 0 to",
		"write w1 3\n":                 `:1: there is no w1 yet; writer NAME PATH [append] opens it`,
		"list / after=/a\n":            ":1: after=/a is not allowed here: list PATH",
		"# nothing\n":                  "there is no operation",
		"put /a 1\npart-size 4096\n":   ":2: part-size is allowed before all operations only",
		"put /a 1 seed=1 seed=2\n":     ":1: seed is given twice",
		"reader r1 /a 0\nwrite r1 1\n": ":2: r1 is a reader; write is for a writer",
	} {
		t.Run(strings.ReplaceAll(text, "\n", ";"), func(t *testing.T) {
			file := scriptFile(t, text)
			newConsole(t, nil).wantStatus(t, statusUsage, []string{"driver", "test", "inmemory", "--script", file}, file, want)
		})
	}
	newConsole(t, nil).wantStatus(t, statusNotFound, []string{"driver", "test", "inmemory", "--script", "/nonexistent/found.script"}, "found.script")
	newConsole(t, nil).wantStatus(t, statusUsage, []string{"driver", "test", "inmemory", "--script", "x", "--run", "walk"}, "script")
}
