package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver/internal/kit"
)

func (a *app) driverNewCommand() *cobra.Command {
	var language, dir string
	c := &cobra.Command{
		Use:   "new NAME",
		Short: "Make a project for a sandboxed driver",
		Long: `Makes the folder NAME with a driver that conforms as it is, to be changed: its source, its own tests, driver.yml, which says how it is
built and tested, a workflow for CI, and in the folder sdk the SDK of its language. It keeps objects in memory.

Nothing is downloaded. 'berth driver build' needs the compiler of the language: rust (1.63 or later, for wasm32-unknown-unknown), go,
tinygo (0.34 or later) or c (clang and lld, 14 or later).`,
		Example: "  berth driver new mystore --lang rust\n  cd mystore && berth driver build && berth driver test",
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&language, "lang", "", "what it is written in: rust, go, tinygo or c")
	c.Flags().StringVar(&dir, "dir", "", "the folder to make (default NAME)")
	c.RunE = func(_ *cobra.Command, args []string) error {
		if language == "" {
			return usageError{errors.New("--lang is missing: rust, go, tinygo or c")}
		}
		l, err := kit.ParseLanguage(language)
		if err != nil {
			return usageError{fmt.Errorf("--lang: %s", plainText(err))}
		}
		if dir == "" {
			dir = args[0]
		}
		p, err := kit.New(dir, args[0], l)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "%s: a driver in %s. Now:\n  cd %s\n  berth driver build\n  berth driver test\n", p.Name, p.Language, filepath.Clean(dir))
		return err
	}
	return c
}
