package registry

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/berth-dev/storagedriver"
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
// variables of this process's environment as distribution does. An error is one line, and is
// fs.ErrNotExist when there is no such file.
func LoadConfig(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	return ParseConfig(f, path)
}

// ParseConfig is LoadConfig of what r holds. name is what errors call it.
func ParseConfig(r io.Reader, name string) (config *Config, err error) {
	defer func() {
		// distribution's parser panics on several drivers, and where a variable points
		// into something that is no section.
		if p := recover(); p != nil {
			config, err = nil, configError(name, p)
		}
	}()
	config, err = configuration.Parse(r)
	if err != nil {
		return nil, configError(name, err)
	}
	if _, _, err := storageSection(config); err != nil {
		return nil, configError(name, err)
	}
	return config, nil
}

func configError(name string, cause any) error {
	return storagedriver.Errorf(storagedriver.KindInvalidArgument,
		"configuration %s, with the REGISTRY_* variables of the environment: %s", name, oneLine(fmt.Sprint(cause)))
}

// oneLine joins the lines of text.
func oneLine(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, " ")
}
