package registry

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/berth-dev/storagedriver/registry/config"
	"github.com/distribution/distribution/v3/configuration"
)

// Config is distribution's configuration. Its storage section may name any driver that
// Options.Drivers knows; "wasm" is one like the others.
type Config = configuration.Configuration

// DefaultConfig returns the configuration of a registry at addr that keeps its content in the
// filesystem below root and allows deletion.
func DefaultConfig(addr, root string) *Config {
	c := &Config{
		Version: configuration.CurrentVersion,
		Storage: configuration.Storage{
			"filesystem": configuration.Parameters{"rootdirectory": root},
			"delete":     configuration.Parameters{"enabled": true},
		},
	}
	c.Log.Level = "info"
	c.HTTP.Addr = addr
	// distribution's defaults, which its parser sets.
	c.Catalog.MaxEntries = 1000
	c.Tags.MaxTags = 1000
	return c
}

// LoadConfig reads the configuration in the file at path, overridden by the REGISTRY_*
// variables of this process's environment as distribution does. A key that is unknown, or set
// without effect, is an error, unlike in distribution; drivers and their parameters are for
// whoever opens them to judge. An error is one line, and is fs.ErrNotExist when there is
// no such file. ReadConfig says more.
func LoadConfig(path string) (*Config, error) {
	return sound(ReadConfig(path, config.New(config.Known{})))
}

// ReadConfig is LoadConfig with all that is wrong in the Document, judged by what tree knows. It
// fails only when the file cannot be read.
func ReadConfig(path string, tree *config.Tree) (*config.Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	return tree.Read(f, path)
}

// ParseConfig is LoadConfig of what r holds. name is what errors call it.
func ParseConfig(r io.Reader, name string) (*Config, error) {
	return sound(config.New(config.Known{}).Read(r, name))
}

// sound returns the configuration of a document in which nothing is wrong.
func sound(d *config.Document, err error) (*Config, error) {
	if err == nil {
		err = d.Err()
	}
	if err != nil {
		return nil, err
	}
	return d.Config, nil
}

// oneLine joins the lines of text.
func oneLine(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, " ")
}
