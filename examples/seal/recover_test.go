package seal

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

// asAge has this program be the command age, as far as recover.sh uses it: age -d -i IDENTITY.
const asAge = "BERTH_SEAL_TEST_AGE"

func TestMain(m *testing.M) {
	if os.Getenv(asAge) == "" {
		os.Exit(m.Run())
	}
	if err := decrypt(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "age:", err)
		os.Exit(1)
	}
}

func decrypt(args []string) error {
	if len(args) != 3 || args[0] != "-d" || args[1] != "-i" {
		return fmt.Errorf("not its arguments: %q", args)
	}
	file, err := os.Open(args[2])
	if err != nil {
		return err
	}
	defer file.Close()
	identities, err := age.ParseIdentities(file)
	if err != nil {
		return err
	}
	r, err := age.Decrypt(os.Stdin, identities...)
	if err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, r)
	return err
}

// recovered is what recover.sh writes.
func recovered(t *testing.T, key *age.X25519Identity, file []byte) (content []byte, errors string, err error) {
	t.Helper()
	dir := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	stored, identity := filepath.Join(dir, "stored"), filepath.Join(dir, "key.txt")
	for name, content := range map[string]string{stored: string(file), identity: "# a key\n" + key.String() + "\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(program, filepath.Join(dir, "age")); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "sh", "recover.sh", identity, stored)
	cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), asAge+"=1", "GORACE=atexit_sleep_ms=0")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.Bytes(), stderr.String(), err
}

func TestRecovery(t *testing.T) {
	key := newKey(t)
	d := with(key)
	lines := [][]byte{[]byte("\n\nof lines\n"), append(bytes.Repeat([]byte{0, 10, 255}, 100_000), 10), []byte("berth-seal/1 00000001 \nthe last")}
	p := sealed(t, d, lines...)
	for name, c := range map[string]struct{ file, want []byte }{
		"segments": {p.file(), bytes.Join(lines, nil)}, "by itself": {whole(t, d, lines[0]), lines[0]}, "empty": {whole(t, d, nil), nil}, "no segments": {sealed(t, d).file(), nil},
	} {
		if got, text, err := recovered(t, key, c.file); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %d bytes, want %d; %v: %s", name, len(got), len(c.want), err, text)
		}
	}
	file := p.file()
	for name, c := range map[string]struct {
		key  *age.X25519Identity
		file []byte
		say  string
	}{
		"another key": {newKey(t), file, "age does not open"},
		"cut":         {key, file[:len(file)-1], "its end is missing"},
		"short":       {key, file[:10], "its end is missing"},
		"swapped":     {key, p.move([]int{1, 0, 2}, true).file(), "what is at 0 is not segment 0"},
		"one missing": {key, p.move([]int{0, 1}, true).file(), "it has 2 segments, and not as many as were sealed"},
		"no seal":     {key, (&parts{segments: p.segments, end: &ending{table: p.end.table}}).file(), "its seal is missing"},
	} {
		if _, text, err := recovered(t, c.key, c.file); err == nil || !strings.Contains(text, c.say) {
			t.Errorf("%s: %v: %s; want it to say %q", name, err, text, c.say)
		}
	}
}
