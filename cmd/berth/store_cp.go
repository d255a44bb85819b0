package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/internal/transfer"
)

type copyOptions struct {
	from, to         storeFlags
	recursive, quiet bool
	parallel         int
	journal, verify  string
	output           *format
	source, target   string // paths
	transferring     transfer.Options
	sameOne          bool // SRC and DST are in one storage
}

func (a *app) storeCopyCommand() *cobra.Command {
	o := copyOptions{to: storeFlags{prefix: "to-"}}
	c := &cobra.Command{
		Use:   "cp SRC DST",
		Short: "Copy a file, or with -r a directory, also to another storage",
		Long: `Copies the file at SRC to DST, or with -r all that is below SRC to the same places below DST: in the same storage, or in that of --to-driver or
--to-config. What is there under the same path is replaced; nothing is removed.

--verify=digest reads back what was written and compares its SHA-256 with that of what was read; size compares the sizes, and none nothing. The
same command again goes on where it was interrupted: files that are there with the same size, and the same digest with --verify=digest, are left out,
and unfinished uploads are continued (with --verify=digest). To compare digests it reads both sides; with --journal FILE the files that are finished are noted there, and left out
unread as long as their size and time are the same. A journal is for one SRC, DST and pair of storages.

A file that fails is printed, also one that changes while it is copied, and the others are copied all the same; the exit status then says that not all went well. In a registry's
storage the blobs come before all that refers to them.`,
		Example: "  berth store cp -r / / --config old.yml --to-config new.yml --journal moving.journal\n" +
			"  berth store cp /a /b --driver filesystem --param rootdirectory=/srv\n" +
			"  berth store cp -r /docker /docker --driver filesystem --param rootdirectory=/var/lib/registry --to-driver ./registry-storage-webdav.wasm --to-param endpoint=https://dav.example.org --to-allow https://dav.example.org",
		Args: cobra.ExactArgs(2),
	}
	o.from.add(c)
	o.to.add(c)
	c.Flags().BoolVarP(&o.recursive, "recursive", "r", false, "a directory too, with all below it")
	c.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "no progress")
	c.Flags().IntVar(&o.parallel, "parallel", transfer.DefaultParallel, "how many files are copied at a time")
	c.Flags().StringVar(&o.journal, "journal", "", "a file for what is finished, which the same command goes on from")
	verify := verifyFlag(c)
	o.output = outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		o.source, o.target, o.verify = args[0], args[1], *verify
		return a.storeCopy(c.Context(), &o)
	}
	return c
}

// check refuses what makes no sense, before anything is opened.
func (o *copyOptions) check() error {
	o.sameOne = !o.to.given()
	o.transferring = transfer.Options{Parallel: o.parallel, Verify: transfer.Verify(o.verify)}
	if err := o.transferring.Check(); err != nil {
		return usageError{fmt.Errorf("--%s", plainText(err))}
	}
	if o.parallel == 0 {
		return usageError{fmt.Errorf("--parallel 0: copy at least one file at a time")}
	}
	if o.sameOne && (o.source == o.target || storagedriver.IsBelow(o.target, o.source)) {
		return usageError{fmt.Errorf("%s is at or below %s in the same storage: name another place", o.target, o.source)}
	}
	return nil
}

func (a *app) storeCopy(ctx context.Context, o *copyOptions) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	return o.from.on(ctx, a, func(src storagedriver.StorageDriver) error {
		if o.sameOne {
			return a.copyBetween(ctx, src, src, o)
		}
		return o.to.on(ctx, a, func(dst storagedriver.StorageDriver) error { return a.copyBetween(ctx, src, dst, o) })
	})
}

func (a *app) copyBetween(ctx context.Context, src, dst storagedriver.StorageDriver, o *copyOptions) error {
	info, err := src.Stat(ctx, o.source)
	if err != nil {
		return err
	}
	if info.IsDir() && !o.recursive {
		return errDirectory(o.source, "copies it with all below it")
	}
	run := o.transferring
	if o.journal != "" {
		if run.Journal, err = transfer.OpenJournal(o.journal); err != nil {
			return err
		}
	}
	r := newTransferRun(a, o.quiet, "copied", *o.output)
	run.Progress = r.tell
	s, err := transfer.Tree(ctx, src, dst, o.source, o.target, run)
	err = closing(err, run.Journal.Close())
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: the same command goes on where it was", err)
	}
	return r.end(s, err)
}

// transferRun prints what fails, and how many files did not.
type transferRun struct {
	*transferProgress
	*listing
	stdout  listing
	quarrel chan struct{} // held while a failure is printed
}

// failedFile is one of the result.
type failedFile struct {
	Path  string `json:"path"`
	Kind  string `json:"kind"`
	Error string `json:"error"`
}

func newTransferRun(a *app, quiet bool, verb string, f format) *transferRun {
	p := newTransferProgress(a, quiet, verb)
	r := &transferRun{transferProgress: p, listing: begin(p.out(a.stdout), f, "failures"), quarrel: make(chan struct{}, 1)}
	r.stdout.w = a.stdout
	return r
}

// tell is a transfer.Options.Progress.
func (r *transferRun) tell(e transfer.Event) {
	r.transferProgress.tell(e)
	if e.Stage != transfer.Done || e.Err == nil || storagedriver.KindOf(e.Err) == storagedriver.KindCanceled {
		return
	}
	r.quarrel <- struct{}{}
	defer func() { <-r.quarrel }()
	text := oneLine(e.Err.Error())
	_ = r.add(failedFile{e.Path, storagedriver.KindOf(e.Err).String(), text}, "failed "+e.Path+": "+text) // end says that the output broke
}

// transferred is the end of a result.
type transferred struct {
	Complete bool  `json:"complete"`
	Files    int64 `json:"files"`
	Bytes    int64 `json:"bytes"`
	Written  int64 `json:"written"`
	Skipped  int64 `json:"skipped"`
	Resumed  int64 `json:"resumed"`
	Digests  int64 `json:"digests"`
	Failed   int64 `json:"failed"`
}

// end prints the summary, and returns err or what is wrong with the output.
func (r *transferRun) end(s transfer.Summary, err error) error {
	r.transferProgress.close()
	r.listing.w = r.stdout.w // the bars are gone
	parts := []string{fmt.Sprintf("%s %d files, %d bytes", r.verb, s.Files-s.Skipped-s.Failed, s.Bytes)}
	for _, p := range []struct {
		n    int64
		text string
	}{{s.Skipped, "%d were there already"}, {s.Resumed, "%d continued"}, {s.Failed, "%d failed"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf(p.text, p.n))
		}
	}
	end := r.listing.end(transferred{err == nil, s.Files, s.Bytes, s.Written, s.Skipped, s.Resumed, s.Digests, s.Failed}, strings.Join(parts, ", "))
	if err != nil {
		return err
	}
	return end
}
