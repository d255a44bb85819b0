package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver/registry"
)

func (a *app) garbageCollectCommand() *cobra.Command {
	var o collectOptions
	c := &cobra.Command{
		Use:   "garbage-collect CONFIG.yml",
		Short: "Remove blobs that no manifest refers to",
		Long: `Removes the blobs that no manifest refers to from the registry that the configuration describes. No push
may run meanwhile, on any replica: stop the registries or make them read-only. Interrupted, it stops between
two removals; running it again completes it.`,
		Example: "  berth garbage-collect config.yml --dry-run\n  berth garbage-collect config.yml --delete-untagged --output json",
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would be removed and remove nothing")
	c.Flags().BoolVar(&o.untagged, "delete-untagged", false, "also remove manifests that no tag and no other manifest names")
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		o.output = *output
		return a.garbageCollect(c.Context(), args[0], o)
	}
	return c
}

type collectOptions struct {
	dryRun, untagged bool
	output           format
}

// removal is one line of the result.
type removal struct {
	Kind       string `json:"kind"`
	Repository string `json:"repository,omitempty"`
	Digest     string `json:"digest,omitempty"`
	Path       string `json:"path"`
}

func (a *app) garbageCollect(ctx context.Context, path string, o collectOptions) error {
	config, err := a.storageConfig(path)
	if err != nil {
		return err
	}
	verb := "removed"
	if o.dryRun {
		verb = "would remove"
	}
	removals := []removal{}
	err = registry.GarbageCollect(ctx, registry.GarbageOptions{
		Config: config, Drivers: a.composeLogging(registry.Logger()), DryRun: o.dryRun, RemoveUntagged: o.untagged,
		Progress: func(g registry.Garbage) {
			removals = append(removals, removal{g.Kind, g.Repository, g.Digest, g.Path})
			if o.output == formatTable {
				fmt.Fprintln(a.stdout, verb, g)
			}
		},
	})
	// What was removed before a failure was removed: it is reported as well.
	if o.output == formatJSON {
		if printErr := printJSON(a.stdout, map[string]any{"dryRun": o.dryRun, "complete": err == nil, "removed": removals}); err == nil {
			err = printErr
		}
	} else if err == nil {
		_, err = fmt.Fprintf(a.stdout, "%s %d\n", verb, len(removals))
	}
	return err
}
