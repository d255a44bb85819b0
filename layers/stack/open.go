package stack

import (
	"context"
	"errors"
	"maps"

	"github.com/berth-dev/storagedriver"
)

// Open returns open with layers around what it opens: it takes the parameter "layers" out of the others,
// which open is given. Each backend has layers of its own. What is wrong with the section is said
// before anything is opened.
func Open(open storagedriver.OpenFunc, o Observers) storagedriver.OpenFunc {
	return func(ctx context.Context, parameters map[string]any) (storagedriver.Backend, error) {
		config, err := Parse(parameters[Key])
		if err != nil {
			return nil, err
		}
		layers, err := config.Layers(o)
		if err != nil {
			return nil, err
		}
		rest := maps.Clone(parameters)
		delete(rest, Key)
		b, err := open(ctx, rest)
		if b == nil || err != nil {
			return b, err
		}
		built, err := Build(b, layers...)
		if err != nil {
			return nil, errors.Join(err, b.Close())
		}
		return built, nil
	}
}
