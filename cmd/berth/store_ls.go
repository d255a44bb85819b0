package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver"
)

// storeEntry is one file or directory of a result.
type storeEntry struct {
	Path string `json:"path"`
	Dir  bool   `json:"dir"`
	Size int64  `json:"size"`
	// Modified is null when the storage does not say.
	Modified *time.Time `json:"modified"`
}

func entryOf(info storagedriver.FileInfo) storeEntry {
	e := storeEntry{Path: info.Path(), Dir: info.IsDir(), Size: info.Size()}
	if at := info.ModTime(); !at.IsZero() {
		at = at.UTC()
		e.Modified = &at
	}
	return e
}

// shown is the path, with a slash behind that of a directory.
func (e storeEntry) shown() string {
	if e.Dir && e.Path != "/" {
		return e.Path + "/"
	}
	return e.Path
}

// long is a line of ls -l.
func (e storeEntry) long() string {
	modified, size := "-", "-"
	if e.Modified != nil {
		modified = e.Modified.Format(time.RFC3339)
	}
	if !e.Dir {
		size = fmt.Sprint(e.Size)
	}
	return fmt.Sprintf("%14s  %-20s  %s", size, modified, e.shown())
}

func (a *app) storeListCommand() *cobra.Command {
	var (
		s               storeFlags
		long, recursive bool
	)
	c := &cobra.Command{
		Use:   "ls [PATH]",
		Short: "List a directory",
		Long: `Lists the files and directories in the directory at PATH (/ by default), or with -r everything below it, in ascending order and as they come. A
directory ends with a slash. -l has the size in bytes and the time of the last change.`,
		Example: "  berth store ls -l /docker/registry/v2/repositories --config config.yml\n" +
			"  berth store ls -r /docker/registry/v2/blobs --driver filesystem --param rootdirectory=/var/lib/registry --output json",
		Args: cobra.MaximumNArgs(1),
	}
	s.add(c)
	c.Flags().BoolVarP(&long, "long", "l", false, "with sizes and times")
	c.Flags().BoolVarP(&recursive, "recursive", "r", false, "everything below PATH")
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return s.on(c.Context(), a, func(d storagedriver.StorageDriver) error {
			return a.storeList(c.Context(), d, strings.Join(append(args, "/")[:1], ""), begin(a.stdout, *output, "entries"), long, recursive)
		})
	}
	return c
}

func (a *app) storeList(ctx context.Context, d storagedriver.StorageDriver, path string, out *listing, long, recursive bool) error {
	print := func(info storagedriver.FileInfo) error {
		e := entryOf(info)
		text := e.shown()
		if long {
			text = e.long()
		}
		return out.add(e, text)
	}
	info, err := d.Stat(ctx, path)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		err = print(info)
	default:
		err = d.Walk(ctx, path, func(info storagedriver.FileInfo) error {
			if err := print(info); err != nil || recursive || !info.IsDir() {
				return err
			}
			return storagedriver.ErrSkipDir
		})
	}
	// What came before an error is printed: JSON says that it is not all.
	end := out.end(struct {
		Complete bool `json:"complete"`
	}{err == nil}, "")
	if err != nil {
		return err
	}
	return end
}

func (a *app) storeStatCommand() *cobra.Command {
	var s storeFlags
	c := &cobra.Command{
		Use:   "stat PATH",
		Short: "Describe a file or directory",
		Long:  `Says whether there is a file or a directory at PATH, its size in bytes and when it changed last, if the storage says so. Status 4 says that there is neither.`,
		Example: "  berth store stat /docker/registry/v2 --config config.yml\n" +
			"  berth store stat /a/b --driver filesystem --param rootdirectory=/var/lib/registry --output json",
		Args: cobra.ExactArgs(1),
	}
	s.add(c)
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return s.on(c.Context(), a, func(d storagedriver.StorageDriver) error {
			info, err := d.Stat(c.Context(), args[0])
			if err != nil {
				return err
			}
			e := entryOf(info)
			if *output == formatJSON {
				return printJSON(a.stdout, e)
			}
			_, err = fmt.Fprintln(a.stdout, e.long())
			return err
		})
	}
	return c
}

func (a *app) storeUsageCommand() *cobra.Command {
	var (
		s     storeFlags
		depth int
	)
	c := &cobra.Command{
		Use:   "du [PATH]",
		Short: "Count files and bytes by directory",
		Long: `Counts the files below each directory, and their bytes, down to --depth directories below PATH (/ by default); those further down count for the ones
above them. What nobody sees, as unfinished uploads, is left out: see 'berth store orphans'.`,
		Example: "  berth store du /docker/registry/v2/repositories --config config.yml\n" +
			"  berth store du / --depth 3 --driver filesystem --param rootdirectory=/var/lib/registry --output json",
		Args: cobra.MaximumNArgs(1),
	}
	s.add(c)
	c.Flags().IntVar(&depth, "depth", 1, "how many directories deep to list; 0 is PATH alone")
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if depth < 0 {
			return usageError{fmt.Errorf("--depth %d: it must not be negative", depth)}
		}
		return s.on(c.Context(), a, func(d storagedriver.StorageDriver) error {
			rows, err := usageOf(c.Context(), d, strings.Join(append(args, "/")[:1], ""), depth)
			if err != nil {
				return err
			}
			return a.printUsage(rows, *output)
		})
	}
	return c
}

// usage is what is below a directory.
type usage struct {
	Path  string `json:"path"`
	Files int64  `json:"files"`
	Bytes int64  `json:"bytes"`
}

// usageOf counts what is below path. It holds the directories that it returns, and no more.
func usageOf(ctx context.Context, d storagedriver.StorageDriver, path string, depth int) ([]*usage, error) {
	info, err := d.Stat(ctx, path)
	if err != nil {
		return nil, err
	}
	top := &usage{Path: path}
	rows, open := []*usage{top}, []*usage{top} // open is the way to where the walk is
	if !info.IsDir() {
		top.Files, top.Bytes = 1, info.Size()
		return rows, nil
	}
	err = d.Walk(ctx, path, func(info storagedriver.FileInfo) error {
		for len(open) > 1 && !storagedriver.IsBelow(info.Path(), open[len(open)-1].Path) {
			open = open[:len(open)-1]
		}
		if info.IsDir() {
			if parent, _ := storagedriver.ParentPath(info.Path()); len(open) <= depth && parent == open[len(open)-1].Path {
				u := &usage{Path: info.Path()}
				rows, open = append(rows, u), append(open, u)
			}
			return nil
		}
		for _, u := range open {
			u.Files++
			u.Bytes += info.Size()
		}
		return nil
	})
	return rows, err
}

func (a *app) printUsage(rows []*usage, f format) error {
	if f == formatJSON {
		return printJSON(a.stdout, map[string]any{"directories": rows})
	}
	table := [][]string{{"BYTES", "FILES", "PATH"}}
	for _, u := range rows {
		table = append(table, []string{fmt.Sprint(u.Bytes), fmt.Sprint(u.Files), u.Path})
	}
	return printTable(a.stdout, table)
}

// errDirectory refuses a directory where -r is wanted for one.
func errDirectory(path, what string) error {
	return usageError{errors.New(path + " is a directory: -r " + what)}
}
