package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/internal/transfer"
)

func (a *app) storeCheckCommand() *cobra.Command {
	var (
		s        storeFlags
		quiet    bool
		parallel int
	)
	c := &cobra.Command{
		Use:   "check [PATH]",
		Short: "Read everything and compare blobs with their digests",
		Long: `Reads every file at or below PATH (/ by default). The content of a blob in a registry's storage (.../blobs/sha256/XX/HEX/data) must have the digest in its path; any other file must be readable.
What is wrong is printed, one line each. Status 8 says that content is not what its digest says, or that the storage gave less or more than it promised.

Files that are removed meanwhile count as failed: check a storage that is at rest.`,
		Example: "  berth store check --config config.yml\n" +
			"  berth store check /docker/registry/v2/blobs --driver filesystem --param rootdirectory=/var/lib/registry --output json",
		Args: cobra.MaximumNArgs(1),
	}
	s.add(c)
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "no progress")
	c.Flags().IntVar(&parallel, "parallel", transfer.DefaultParallel, "how many files are read at a time")
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if parallel < 1 {
			return usageError{fmt.Errorf("--parallel %d: read at least one file at a time", parallel)}
		}
		return s.on(c.Context(), a, func(d storagedriver.StorageDriver) error {
			return a.storeCheck(c.Context(), d, strings.Join(append(args, "/")[:1], ""), transfer.Options{Parallel: parallel}, quiet, *output)
		})
	}
	return c
}

func (a *app) storeCheck(ctx context.Context, d storagedriver.StorageDriver, path string, o transfer.Options, quiet bool, f format) error {
	r := newTransferRun(a, quiet, "checked", f)
	o.Progress = r.tell
	s, err := transfer.Check(ctx, d, path, o)
	return r.end(s, err)
}
