// Command registry-storage-talkative is a driver that says more than it should: it repeats its secret wherever it can, and writes
// down how it was run.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/ipc"
)

type config struct {
	// Folder is where it writes the file run.json.
	Folder string `parameter:"folder"`
	PIN    string `parameter:"pin,secret"`
	// Fail is what fails, with an error that holds the PIN: open, stat, or "panic" in stat.
	Fail string `parameter:"fail"`
}

type talkative struct {
	storagedriver.Backend
	config
}

func open(_ context.Context, parameters map[string]any) (storagedriver.Backend, error) {
	var c config
	if err := factory.Decode(parameters, &c); err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, "the PIN is", c.PIN)
	fmt.Println("on stdout too:", c.PIN)
	if c.Fail == "open" {
		return nil, storagedriver.Errorf(storagedriver.KindPermission, "the PIN %s is wrong", c.PIN)
	}
	run, err := json.Marshal(map[string]any{"args": os.Args, "env": os.Environ(), "limits": limits()})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(c.Folder, "run.json"), run, 0o600); err != nil {
		return nil, err
	}
	return talkative{inmemory.New(), c}, nil
}

// limits returns the lines of the kernel's list that are of interest, where there is one.
func limits() map[string]string {
	out := map[string]string{}
	text, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		return out
	}
	for line := range strings.Lines(string(text)) {
		for _, name := range []string{"Max data size", "Max open files", "Max core file size"} {
			if rest, found := strings.CutPrefix(line, name); found {
				out[name] = strings.Fields(rest)[1] // the hard one
			}
		}
	}
	return out
}

// Stat implements storagedriver.Backend.
func (t talkative) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	switch t.Fail {
	case "stat":
		return storagedriver.Entry{}, storagedriver.Errorf(storagedriver.KindPermission, "the PIN %s is not known here", t.PIN)
	case "panic":
		panic("the PIN is " + t.PIN)
	}
	return t.Backend.Stat(ctx, path)
}

func main() { ipc.Main("talkative", open, config{}) }
