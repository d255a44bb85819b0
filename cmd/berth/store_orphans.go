package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver/layers/orphans"
)

// abortAge is how old an orphan must be for abort to take it, by default: a client that pushes for a day without one
// part being accepted is gone.
const abortAge = 24 * time.Hour

func (a *app) orphansCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "orphans",
		Short: "List and remove what unfinished uploads and killed processes left",
		Long: `What nobody sees but takes space: uploads that were begun and not finished, multipart uploads that an object store shows
nothing of, the segments of uploads on drivers without parts, temporary files of processes that were killed. A registry
that purges its uploads removes those that belong to it; these commands find the others too.`,
		Example: "  berth store orphans ls --config config.yml\n  berth store orphans abort --config config.yml --older-than 48h --dry-run",
		RunE:    helpOnly,
	}
	c.AddCommand(a.orphansListCommand(), a.orphansAbortCommand())
	return c
}

func (a *app) orphansListCommand() *cobra.Command {
	var o orphanOptions
	c := &cobra.Command{
		Use:   "ls [NAME|FILE]",
		Short: "List what was left",
		Long: `Lists what was left, and uploads that are under way: the age tells them apart. It is the time since something of
it was written last, by the storage's clock and this one's; of a multipart upload that the storage keeps to itself, since
it was begun. Such uploads have no files and bytes here, and are listed where the driver has the ability list-uploads.`,
		Example: "  berth store orphans ls --config config.yml --older-than 24h\n" +
			"  berth store orphans ls filesystem --param rootdirectory=/var/lib/registry --output json",
		Args: cobra.MaximumNArgs(1),
	}
	o.add(c, 0)
	c.RunE = func(c *cobra.Command, args []string) error { return a.orphans(c.Context(), args, &o) }
	return c
}

func (a *app) orphansAbortCommand() *cobra.Command {
	o := orphanOptions{abort: true}
	c := &cobra.Command{
		Use:   "abort [NAME|FILE]",
		Short: "Remove what was left",
		Long: `Removes what was left, through the driver, if nothing of it was written for --older-than. It looks at each again just
before. A client that comes back to an upload that was removed begins anew. Where the storage does not say when
something was written, only --older-than 0s removes it: stop all registries on it first. Interrupted, it has removed
what it printed; running it again completes it.`,
		Example: "  berth store orphans abort --config config.yml --dry-run\n" +
			"  berth store orphans abort webdav.wasm --param endpoint=http://127.0.0.1:8080/t --allow http://127.0.0.1:8080 --older-than 48h",
		Args: cobra.MaximumNArgs(1),
	}
	o.add(c, abortAge)
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would be removed and remove nothing")
	c.RunE = func(c *cobra.Command, args []string) error { return a.orphans(c.Context(), args, &o) }
	return c
}

type orphanOptions struct {
	store         storeFlags
	olderThan     time.Duration
	abort, dryRun bool
	output        *format
}

func (o *orphanOptions) add(c *cobra.Command, age time.Duration) {
	o.store.add(c)
	c.Flags().DurationVar(&o.olderThan, "older-than", age, "leave out what was written since, e.g. 48h; 0s takes everything")
	o.output = outputFlag(c)
}

// orphanReport is one of the result.
type orphanReport struct {
	Path  string       `json:"path"`
	Kind  orphans.Kind `json:"kind"`
	Files int          `json:"files"`
	Bytes int64        `json:"bytes"`
	// Modified is null when the storage does not say.
	Modified *time.Time `json:"modified"`
	// AgeSeconds is null too, then.
	AgeSeconds *int64 `json:"ageSeconds"`
}

func reportOf(o orphans.Orphan, now time.Time) orphanReport {
	r := orphanReport{Path: o.Path, Kind: o.Kind, Files: o.Files, Bytes: o.Bytes}
	if !o.ModTime.IsZero() {
		modified, age := o.ModTime.UTC(), int64(now.Sub(o.ModTime)/time.Second)
		r.Modified, r.AgeSeconds = &modified, &age
	}
	return r
}

func (r orphanReport) row() []string {
	age := "unknown"
	if r.AgeSeconds != nil {
		age = (time.Duration(*r.AgeSeconds) * time.Second).String()
	}
	return []string{r.Path, string(r.Kind), strconv.Itoa(r.Files), strconv.FormatInt(r.Bytes, 10), age}
}

func (a *app) orphans(ctx context.Context, args []string, o *orphanOptions) (err error) {
	if o.olderThan < 0 {
		return usageError{fmt.Errorf("--older-than %v: it must not be negative", o.olderThan)}
	}
	b, err := o.store.open(ctx, a, strings.Join(args, ""))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	now := time.Now()
	var before time.Time // zero: everything
	if o.olderThan > 0 {
		before = now.Add(-o.olderThan)
	}
	var found []orphans.Orphan
	err = orphans.List(ctx, b, "/", func(f orphans.Orphan) error {
		if before.IsZero() || !f.ModTime.IsZero() && f.ModTime.Before(before) {
			found = append(found, f)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b orphans.Orphan) int { return strings.Compare(a.Path, b.Path) })
	reports := []orphanReport{}
	for _, f := range found {
		gone := true
		if o.abort && !o.dryRun {
			if gone, err = orphans.Abort(ctx, b, f, before); err != nil {
				break // what was removed before it was removed: it is reported as well
			}
		}
		if gone {
			reports = append(reports, reportOf(f, now))
		}
	}
	return errors.Join(err, a.printOrphans(reports, o, err == nil))
}

func (a *app) printOrphans(reports []orphanReport, o *orphanOptions, complete bool) error {
	key, verb := "orphans", "found"
	switch {
	case o.dryRun:
		verb = "would remove"
	case o.abort:
		key, verb = "removed", "removed"
	}
	var bytes int64
	rows := [][]string{{"PATH", "KIND", "FILES", "BYTES", "AGE"}}
	for _, r := range reports {
		bytes += r.Bytes
		rows = append(rows, r.row())
	}
	if *o.output == formatJSON {
		out := map[string]any{key: reports}
		if o.abort {
			out = map[string]any{"dryRun": o.dryRun, "complete": complete, "removed": reports}
		}
		return printJSON(a.stdout, out)
	}
	if len(reports) > 0 {
		if err := printTable(a.stdout, rows); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.stdout, "%s %d, %d bytes\n", verb, len(reports), bytes)
	return err
}
