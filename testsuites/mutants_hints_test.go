package testsuites_test

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// walkFunc is Walk.
type walkFunc func(ctx context.Context, path string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error

// hintOf returns the start-after hint of the options.
func hintOf(options []func(*storagedriver.WalkOptions)) string {
	var o storagedriver.WalkOptions
	for _, option := range options {
		option(&o)
	}
	return o.StartAfterHint
}

// refunc has Walk call what f makes of the function it is given.
func refunc(wrap func(f storagedriver.WalkFunc) storagedriver.WalkFunc) func(d *broken, good storagedriver.StorageDriver) {
	return func(d *broken, good storagedriver.StorageDriver) {
		d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
			return good.Walk(ctx, p, wrap(f), options...)
		}
	}
}

// collect returns what Walk calls with.
func collect(ctx context.Context, walk walkFunc, p string, options ...func(*storagedriver.WalkOptions)) (infos []storagedriver.FileInfo, err error) {
	err = walk(ctx, p, func(info storagedriver.FileInfo) error {
		infos = append(infos, info)
		return nil
	}, options...)
	return infos, err
}

// replay calls f with each of infos until it returns an error, and maps control errors as Walk does, except
// that nothing is skipped.
func replay(infos []storagedriver.FileInfo, f storagedriver.WalkFunc) error {
	for _, info := range infos {
		switch err := f(info); {
		case errors.Is(err, storagedriver.ErrFilledBuffer):
			return nil
		case err != nil && !errors.Is(err, storagedriver.ErrSkipDir):
			return err
		}
	}
	return nil
}

// rehint has Walk use what f makes of the hint.
func rehint(f func(hint string) string) func(d *broken, good storagedriver.StorageDriver) {
	return func(d *broken, good storagedriver.StorageDriver) {
		d.walk = func(ctx context.Context, p string, fn storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
			if hint := hintOf(options); hint != "" {
				options = append(slices.Clone(options), storagedriver.WithStartAfterHint(f(hint)))
			}
			return good.Walk(ctx, p, fn, options...)
		}
	}
}

// walkHintMutants are wrong in what a callback's errors and a hint mean.
func walkHintMutants() []mutant {
	unless := func(target error, then func(err error) error) func(d *broken, good storagedriver.StorageDriver) {
		return refunc(func(f storagedriver.WalkFunc) storagedriver.WalkFunc {
			return func(info storagedriver.FileInfo) error {
				err := f(info)
				if errors.Is(err, target) {
					return then(err)
				}
				return err
			}
		})
	}
	return []mutant{
		{"Walk ignores ErrSkipDir", []string{"walk/skip-dir", "walk/start-after-skip-dir", "walk/many-skipped"}, unless(storagedriver.ErrSkipDir, func(error) error { return nil })},
		{"Walk ignores ErrFilledBuffer", []string{"walk/filled-buffer", "walk/stop-and-skip-last", "walk/catalog"}, unless(storagedriver.ErrFilledBuffer, func(error) error { return nil })},
		{"Walk returns ErrFilledBuffer", []string{"walk/filled-buffer"}, unless(storagedriver.ErrFilledBuffer, func(error) error {
			return errors.New(storagedriver.ErrFilledBuffer.Error())
		})},
		{"Walk takes ErrSkipDir for the end", []string{"walk/skip-dir", "walk/garbage-collection"}, unless(storagedriver.ErrSkipDir, func(error) error { return storagedriver.ErrFilledBuffer })},
		{"Walk looks for control errors in others", []string{"walk/control-errors-wrapped"}, func(d *broken, good storagedriver.StorageDriver) {
			unless(storagedriver.ErrSkipDir, func(error) error { return storagedriver.ErrSkipDir })(d, good)
		}},
		{"Walk goes on after an error and returns nil", []string{"walk/error-identity", "walk/error-wrapped"}, refunc(func(f storagedriver.WalkFunc) storagedriver.WalkFunc {
			return func(info storagedriver.FileInfo) error {
				if err := f(info); errors.Is(err, storagedriver.ErrSkipDir) || errors.Is(err, storagedriver.ErrFilledBuffer) {
					return err
				}
				return nil
			}
		})},
		{"Walk returns the text of the caller's error", []string{"walk/error-identity", "walk/error-wrapped"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				if err := good.Walk(ctx, p, f, options...); err != nil {
					return errors.New(err.Error())
				}
				return nil
			}
		}},
		{"Walk fails at what was deleted meanwhile", []string{"walk/deleted-meanwhile"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				infos, err := collect(ctx, good.Walk, p, options...)
				if err != nil {
					return err
				}
				return replay(infos, func(info storagedriver.FileInfo) error {
					if _, err := good.Stat(ctx, info.Path()); err != nil {
						return err
					}
					return f(info)
				})
			}
		}},
		{"Walk ignores the hint", []string{"walk/start-after", "walk/start-after-all", "walk/catalog"}, rehint(func(string) string { return "" })},
		{"Walk calls with the entry that the hint names", []string{"walk/start-after", "walk/start-after-directory", "walk/catalog"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				infos, err := collect(ctx, good.Walk, p)
				if err != nil {
					return err
				}
				hint := hintOf(options)
				return replay(slices.DeleteFunc(infos, func(info storagedriver.FileInfo) bool {
					key, from := info.Path(), hint
					if info.IsDir() {
						key += "/"
					}
					if at, err := good.Stat(ctx, hint); err == nil && at.IsDir() {
						from += "/"
					}
					return key < from
				}), f)
			}
		}},
		{"Walk takes the hint for a name that begins so", []string{"walk/start-after", "walk/start-after-missing", "walk/start-after-directory"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				hint := hintOf(options)
				return good.Walk(ctx, p, func(info storagedriver.FileInfo) error {
					if hint != "" && strings.HasPrefix(info.Path(), hint) {
						return nil
					}
					return f(info)
				}, options...)
			}
		}},
		{"Walk takes a directory in the hint for a file", []string{"walk/start-after-directory", "walk/start-after"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				infos, err := collect(ctx, good.Walk, p)
				if err != nil {
					return err
				}
				hint := hintOf(options)
				return replay(slices.DeleteFunc(infos, func(info storagedriver.FileInfo) bool { return info.Path() <= hint }), f)
			}
		}},
		{"Walk begins after the directory that holds what the hint names", []string{"walk/start-after"}, rehint(func(hint string) string {
			dir, _ := storagedriver.ParentPath(hint)
			return dir
		})},
		{"a hint that names nothing is NotFound", []string{"walk/start-after-missing", "walk/start-after-deeper", "walk/start-after-all"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				if hint := hintOf(options); hint != "" {
					if _, err := good.Stat(ctx, hint); err != nil {
						return err
					}
				}
				return good.Walk(ctx, p, f, options...)
			}
		}},
		{"a hint behind everything is NotFound", []string{"walk/start-after-all"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				calls := 0
				err := good.Walk(ctx, p, func(info storagedriver.FileInfo) error { calls++; return f(info) }, options...)
				if err == nil && calls == 0 {
					return storagedriver.WrapError("Walk", good.Name(), p, storagedriver.NewError(storagedriver.KindNotFound, "nothing was found"))
				}
				return err
			}
		}},
	}
}
