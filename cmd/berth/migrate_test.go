package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
)

// migrationConfig writes the configuration of a migration between two directories of dir.
func migrationConfig(t *testing.T, dir, more string) string {
	t.Helper()
	path := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf("version: 0.1\nstorage:\n  migrate:\n    old:\n      filesystem: {rootdirectory: %q}\n    new:\n      filesystem: {rootdirectory: %q}\n%s",
		filepath.Join(dir, "old"), filepath.Join(dir, "new"), more)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := migrationConfig(t, dir, "")
	b, err := filesystem.New(t.Context(), filesystem.Config{RootDirectory: filepath.Join(dir, "old")})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := b.Put(t.Context(), fmt.Sprintf("/a/%d", i), storagedriver.BytesSource("12345")); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	c := newConsole(t, nil)
	c.wantStatus(t, statusNotFound, []string{"migrate", "status", "--config", config})
	c = newConsole(t, nil)
	c.wantStatus(t, statusFailure, []string{"migrate", "finish", "--config", config})
	if said := c.errors.String(); !strings.Contains(said, "the migration is counting: it can be finished when everything was copied and verified") {
		t.Errorf("finish said %q", said)
	}
	c = newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"migrate", "run", "--config", config, "--parallel", "2"})
	c = newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"migrate", "status", "--config", config, "--output", "json"})
	var s struct {
		Phase               string
		Total, Done, Copied struct{ Files, Bytes int64 }
		LeftSeconds         *int64
	}
	if err := json.Unmarshal(c.out.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	if s.Phase != "verified" || s.Total.Files != 3 || s.Done.Bytes != 15 || s.Copied.Files != 3 || s.LeftSeconds != nil {
		t.Errorf("got %+v", s)
	}
	for _, side := range []string{"old", "new"} {
		c = newConsole(t, nil)
		c.wantStatus(t, statusOK, []string{"store", "ls", "/a", "--config", config, "--store", side})
		if got := strings.Fields(c.out.String()); len(got) != 3 {
			t.Errorf("%s: got %v", side, got)
		}
		c = newConsole(t, nil)
		c.wantStatus(t, statusOK, []string{"store", "orphans", "ls", "--config", config, "--store", side})
		if got := c.out.String(); !strings.Contains(got, "found 0") {
			t.Errorf("%s: the state of the migration is nobody's remains: %s", side, got)
		}
	}
	c = newConsole(t, nil)
	c.wantStatus(t, statusUsage, []string{"store", "ls", "/a", "--config", config})
	if said := c.errors.String(); !strings.Contains(said, "name one with --store old or --store new") {
		t.Errorf("store said %q", said)
	}
}

func TestMigrateRefusesBadSections(t *testing.T) {
	t.Parallel()
	for text, section := range map[string]string{
		"storage.migrate.new is missing: name a driver there":                           "    old: {inmemory: {}}\n",
		"storage.migrate.old must name exactly one driver":                              "    old: {inmemory: {}, filesystem: {}}\n    new: {inmemory: {}}\n",
		"storage.migrate.parallel ":                                                     "    old: {inmemory: {}}\n    new: {inmemory: {}}\n    parallel: 0\n",
		"storage.migrate.verify ":                                                       "    old: {inmemory: {}}\n    new: {inmemory: {}}\n    verify: none\n",
		"storage.migrate.layers ":                                                       "    old: {inmemory: {}}\n    new: {inmemory: {}}\n    layers: {readonly: true}\n",
		"storage.migrate.old.migrate ":                                                  "    old: {migrate: {old: {inmemory: {}}, new: {inmemory: {}}}}\n    new: {inmemory: {}}\n",
		"storage.migrate.new.filesystem.rootdir is unknown":                             "    old: {inmemory: {}}\n    new: {filesystem: {rootdir: /x}}\n",
		"storage.migrate.new.webdaf ":                                                   "    old: {inmemory: {}}\n    new: {webdaf: {}}\n",
		"storage.migrate.new.filesystem has what cannot be used: layers.retry: paramet": "    old: {inmemory: {}}\n    new: {filesystem: {rootdirectory: /x, layers: {retry: {attempts: 99}}}}\n",
	} {
		t.Run(text, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.yml")
			if err := os.WriteFile(path, []byte("version: 0.1\nstorage:\n  migrate:\n"+section), 0o600); err != nil {
				t.Fatal(err)
			}
			c := newConsole(t, nil)
			c.wantStatus(t, statusUsage, []string{"config", "validate", path})
			if said := c.out.String(); !strings.Contains(said, text) {
				t.Errorf("want %q, got %q", text, said)
			}
		})
	}
	c := newConsole(t, nil)
	c.wantStatus(t, statusUsage, []string{"migrate", "status"})
	path := filepath.Join(t.TempDir(), "config.yml")
	if err := os.WriteFile(path, []byte("version: 0.1\nstorage:\n  inmemory: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c = newConsole(t, nil)
	c.wantStatus(t, statusUsage, []string{"migrate", "run", "--config", path})
	if said := c.errors.String(); !strings.Contains(said, "its storage is inmemory: a migration is the driver migrate") {
		t.Errorf("got %q", said)
	}
}
