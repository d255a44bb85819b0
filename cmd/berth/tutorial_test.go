package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTutorialInGo does what the tutorial says.
func TestTutorialInGo(t *testing.T) {
	t.Parallel()
	followTutorial(t, "tutorial-go.md")
}

// block is a fenced part of a page.
type block struct {
	line int // of what is in it, from 1
	lang string
	text []string
}

func blocksOf(t *testing.T, page string) []block {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	open := false
	for i, line := range strings.Split(string(content), "\n") {
		lang, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open:
			open = false
		case fence:
			open = true
			blocks = append(blocks, block{line: i + 2, lang: lang})
		case open:
			b := &blocks[len(blocks)-1]
			b.text = append(b.text, line)
		}
	}
	return blocks
}

// followTutorial runs the commands of a page in a folder of its own, and wants what they print to be what it shows. It makes the changes that it shows as diffs.
func followTutorial(t *testing.T, name string) {
	page, err := filepath.Abs(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	dir := t.TempDir()
	ran := 0
	for _, b := range blocksOf(t, page) {
		switch b.lang {
		case "diff":
			apply := exec.CommandContext(t.Context(), "git", "apply", "-")
			apply.Dir, apply.Stdin = dir, strings.NewReader(strings.Join(b.text, "\n")+"\n")
			if out, err := apply.CombinedOutput(); err != nil {
				t.Fatalf("%s:%d: the change does not fit: %v: %s", name, b.line, err, out)
			}
		case "console":
			for i := 0; i < len(b.text); {
				command, ok := strings.CutPrefix(b.text[i], "$ ")
				if !ok {
					t.Fatalf("%s:%d: want a command behind $, got %q", name, b.line+i, b.text[i])
				}
				at := b.line + i
				var want []string
				for i++; i < len(b.text) && !strings.HasPrefix(b.text[i], "$ "); i++ {
					want = append(want, b.text[i])
				}
				if to, ok := strings.CutPrefix(command, "cd "); ok {
					dir = filepath.Join(dir, to)
					continue
				}
				var got bytes.Buffer
				run := exec.CommandContext(t.Context(), "bash", "-c", command)
				run.Dir, run.Stdout, run.Stderr = dir, &got, &got
				run.Env = append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "LC_ALL=C")
				_ = run.Run() // what it says is compared
				ran++
				if err := shows(got.String(), want); err != nil {
					t.Fatalf("%s:%d: %s: %v; it printed:\n%s", name, at, command, err, got.String())
				}
			}
		}
	}
	if ran < 5 {
		t.Errorf("%s: want commands, got %d", name, ran)
	}
}

// varying is what differs from run to run.
var varying = regexp.MustCompile(`[0-9a-f]{64}|[0-9.]+(ns|µs|ms|m?s)\b|\b[0-9]+ ms\b|[0-9]+ bytes, sha256|seed [0-9]+|"version":"[^"]*"|, [0-9a-f]{32}\)|"version":\(8 bytes, [0-9a-f]{16}\)`)

// shows compares what a command printed with what a page has of it. A line "..." stands for any lines.
func shows(got string, want []string) error {
	lines := strings.Split(strings.TrimRight(got, "\n"), "\n")
	if got == "" {
		lines = nil
	}
	for i, w := range want {
		if w == "..." {
			if i+1 == len(want) {
				return nil
			}
			next := varying.ReplaceAllString(want[i+1], "~")
			for len(lines) > 0 && varying.ReplaceAllString(lines[0], "~") != next {
				lines = lines[1:]
			}
			continue
		}
		if len(lines) == 0 {
			return fmt.Errorf("want the line %q", w)
		}
		if g := varying.ReplaceAllString(lines[0], "~"); g != varying.ReplaceAllString(w, "~") {
			return fmt.Errorf("want the line %q, got %q", w, lines[0])
		}
		lines = lines[1:]
	}
	if len(lines) > 0 {
		return fmt.Errorf("want no more, got %q", lines[0])
	}
	return nil
}
