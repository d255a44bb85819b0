package runtime

import (
	"context"
	"errors"

	"github.com/berth-dev/storagedriver"
)

// Open loads the module in the file at path and opens a driver from it, for programs that need but one. Its errors are those of
// Load and Module.Open. Closing the Backend closes the module as well, and waits for the calls that are running.
func Open(ctx context.Context, path string, cfg Config, parameters map[string]any) (storagedriver.Backend, error) {
	m, err := Load(ctx, path, cfg)
	if err != nil {
		return nil, err
	}
	b, err := m.Open(ctx, parameters)
	if err != nil {
		return nil, errors.Join(err, m.Close(context.WithoutCancel(ctx)))
	}
	return &sole{b, m}, nil
}

// sole is the one driver of a module.
type sole struct {
	storagedriver.Backend
	m *Module
}

// Close implements storagedriver.Backend.
func (s *sole) Close() error {
	return errors.Join(s.Backend.Close(), s.m.Close(context.Background()))
}
