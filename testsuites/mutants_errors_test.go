package testsuites_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/berth-dev/storagedriver"
)

func errorMutants() []mutant {
	return []mutant{
		{"errors are not classified", []string{"errors/not-found", "content/get-missing"}, func(d *broken, good storagedriver.StorageDriver) {
			d.getContent = func(ctx context.Context, p string) ([]byte, error) {
				content, err := good.GetContent(ctx, p)
				if err != nil {
					return nil, errors.New(err.Error())
				}
				return content, nil
			}
		}},
		{"errors do not say the path", []string{"errors/not-found", "stat/missing"}, func(d *broken, good storagedriver.StorageDriver) {
			d.stat = func(ctx context.Context, p string) (storagedriver.FileInfo, error) {
				info, err := good.Stat(ctx, p)
				if err != nil {
					return nil, storagedriver.WrapError("Stat", good.Name(), "", storagedriver.NewError(storagedriver.KindOf(err), "wrong"))
				}
				return info, nil
			}
		}},
		{"errors are wrapped once more", []string{"errors/not-found"}, func(d *broken, good storagedriver.StorageDriver) {
			d.stat = func(ctx context.Context, p string) (storagedriver.FileInfo, error) {
				info, err := good.Stat(ctx, p)
				if err != nil {
					return nil, fmt.Errorf("stat: %w", err)
				}
				return info, nil
			}
		}},
		{"Stat panics", []string{"stat/file"}, func(d *broken, good storagedriver.StorageDriver) {
			d.stat = func(context.Context, string) (storagedriver.FileInfo, error) { panic("on purpose") }
		}},
	}
}
