package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver"
)

func (a *app) storeMoveCommand() *cobra.Command {
	var s storeFlags
	c := &cobra.Command{
		Use:   "mv SRC DST",
		Short: "Move a file or directory",
		Long: `Moves the file or directory at SRC to DST, through the driver, and replaces a file there. Unfinished uploads at or below both end. When its answer is lost,
look with stat before you move again.`,
		Example: "  berth store mv /backups/monday /backups/old --config config.yml",
		Args:    cobra.ExactArgs(2),
	}
	s.add(c)
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return s.on(c.Context(), a, func(d storagedriver.StorageDriver) error {
			if err := d.Move(c.Context(), args[0], args[1]); err != nil {
				return err
			}
			if *output == formatJSON {
				return printJSON(a.stdout, map[string]any{"from": args[0], "to": args[1]})
			}
			_, err := fmt.Fprintf(a.stdout, "moved %s to %s\n", args[0], args[1])
			return err
		})
	}
	return c
}

// erasure is what rm has removed, or would remove.
type erasure struct {
	DryRun bool   `json:"dryRun"`
	Path   string `json:"path"`
	Dir    bool   `json:"dir"`
	// Files and Bytes are counted by a dry run alone.
	Files *int64 `json:"files,omitempty"`
	Bytes *int64 `json:"bytes,omitempty"`
}

func (a *app) storeRemoveCommand() *cobra.Command {
	var (
		s                 storeFlags
		recursive, dryRun bool
	)
	c := &cobra.Command{
		Use:   "rm PATH",
		Short: "Remove a file, or with -r a directory",
		Long: `Removes the file at PATH, or with -r the directory there and all below it, and the unfinished uploads there. --dry-run counts what would be
removed and removes nothing. A registry that uses the storage does not know of it: its own commands delete images.`,
		Example: "  berth store rm -r /backups --dry-run --config config.yml\n" +
			"  berth store rm /backups/monday --driver filesystem --param rootdirectory=/srv",
		Args: cobra.ExactArgs(1),
	}
	s.add(c)
	c.Flags().BoolVarP(&recursive, "recursive", "r", false, "a directory too, with all below it")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be removed and remove nothing")
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return s.on(c.Context(), a, func(d storagedriver.StorageDriver) error {
			r := erasure{DryRun: dryRun, Path: args[0]}
			if err := r.do(c.Context(), d, recursive); err != nil {
				return err
			}
			return a.printErasure(r, *output)
		})
	}
	return c
}

func (r *erasure) do(ctx context.Context, d storagedriver.StorageDriver, recursive bool) error {
	if r.Path == "/" {
		return usageError{fmt.Errorf("/ itself cannot be removed: name what is in it, which 'berth store ls /' lists")}
	}
	info, err := d.Stat(ctx, r.Path)
	if err != nil {
		return err
	}
	r.Dir = info.IsDir()
	if !recursive {
		if r.Dir {
			return errDirectory(r.Path, "removes it with all below it")
		}
		if err := nothingBelow(ctx, d, r.Path); err != nil {
			return err
		}
	}
	if !r.DryRun {
		return d.Delete(ctx, r.Path)
	}
	var files, bytes int64
	r.Files, r.Bytes = &files, &bytes
	if !r.Dir {
		files, bytes = 1, info.Size()
		if !d.Capabilities().Has(storagedriver.AbilityFilesUnderFiles) {
			return nil
		}
	}
	err = d.Walk(ctx, r.Path, func(info storagedriver.FileInfo) error {
		if !info.IsDir() {
			files++
			bytes += info.Size()
		}
		return nil
	})
	if !r.Dir && storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return nil
	}
	return err
}

// nothingBelow refuses a file with files below it, as some storages have them: they would go with it.
func nothingBelow(ctx context.Context, d storagedriver.StorageDriver, path string) error {
	if !d.Capabilities().Has(storagedriver.AbilityFilesUnderFiles) {
		return nil
	}
	below, err := d.List(ctx, path)
	switch {
	case storagedriver.KindOf(err) == storagedriver.KindNotFound:
		return nil
	case err != nil:
		return err
	case len(below) > 0:
		return usageError{fmt.Errorf("%s is a file with others below it, as %s: -r removes all of them", path, below[0])}
	}
	return nil
}

func (a *app) printErasure(r erasure, f format) error {
	if f == formatJSON {
		return printJSON(a.stdout, r)
	}
	text := "removed " + r.Path
	if r.DryRun {
		text = fmt.Sprintf("would remove %s, %d files, %d bytes", r.Path, *r.Files, *r.Bytes)
	}
	_, err := fmt.Fprintln(a.stdout, text)
	return err
}
