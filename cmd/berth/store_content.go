package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/internal/transfer"
)

func (a *app) storeCatCommand() *cobra.Command {
	var (
		s              storeFlags
		offset, length int64
	)
	c := &cobra.Command{
		Use:   "cat PATH",
		Short: "Write a file to standard output",
		Long:  `Writes the content of the file at PATH to standard output, or --length bytes of it from --offset on. Less is there when the file ends before.`,
		Example: "  berth store cat /docker/registry/v2/repositories/app/_manifests/tags/latest/current/link --config config.yml\n" +
			"  berth store cat /a/b --offset 1048576 --length 512 --driver filesystem --param rootdirectory=/var/lib/registry",
		Args: cobra.ExactArgs(1),
	}
	s.add(c)
	c.Flags().Int64Var(&offset, "offset", 0, "the first byte, from 0")
	c.Flags().Int64Var(&length, "length", -1, "how many bytes; -1 is to the end")
	c.RunE = func(c *cobra.Command, args []string) error {
		if offset < 0 || length < -1 {
			return usageError{errors.New("--offset and --length must not be negative")}
		}
		return s.on(c.Context(), a, func(d storagedriver.StorageDriver) error {
			r, err := d.Reader(c.Context(), args[0], offset)
			if err != nil {
				return err
			}
			var body io.Reader = r
			if length >= 0 {
				body = io.LimitReader(r, length)
			}
			_, err = io.Copy(a.stdout, body)
			return closing(err, r.Close())
		})
	}
	return c
}

// verifyFlag adds --verify.
func verifyFlag(c *cobra.Command) *string {
	return c.Flags().String("verify", string(transfer.VerifyDigest), "what of a copy is compared: digest (SHA-256, reading it back), size, or none")
}

func (a *app) storePutCommand() *cobra.Command {
	var (
		s             storeFlags
		resume, quiet bool
	)
	c := &cobra.Command{
		Use:   "put FILE|- PATH",
		Short: "Store a local file",
		Long: `Stores a local file, or with - standard input, at PATH, and replaces what is there. Nothing is seen of it before it is whole. It is read back and compared by
its SHA-256 unless --verify says otherwise.

Interrupted, what was accepted stays as an unfinished upload: --resume goes on with it, given the same content from its beginning. 'berth store orphans' removes it.`,
		Example: "  berth store put backup.tar /backups/monday --config config.yml\n" +
			"  tar c data | berth store put - /backups/monday --driver filesystem --param rootdirectory=/srv",
		Args: cobra.ExactArgs(2),
	}
	s.add(c)
	c.Flags().BoolVar(&resume, "resume", false, "go on with the upload to PATH that was interrupted, if there is one")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "no progress")
	verify := verifyFlag(c)
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		o := transfer.Options{Verify: transfer.Verify(*verify)}
		if err := o.Check(); err != nil {
			return usageError{fmt.Errorf("--%s", plainText(err))}
		}
		body, size, err := a.local(c.Context(), args[0])
		if err != nil {
			return err
		}
		defer body.Close()
		return s.on(c.Context(), a, func(d storagedriver.StorageDriver) error {
			p := newTransferProgress(a, quiet, "stored")
			if size > 0 {
				p.tell(transfer.Event{Stage: transfer.Found, Path: args[1], Bytes: size})
			}
			o.Progress = p.tell
			r, err := transfer.Put(c.Context(), d, args[1], source(body), resume, o)
			p.close()
			if err != nil && c.Context().Err() != nil {
				return fmt.Errorf("%w: the same command with --resume goes on where it was", err)
			}
			if err != nil {
				return err
			}
			return a.printPut(r, *output)
		})
	}
	return c
}

func (a *app) printPut(r transfer.Result, f format) error {
	if f == formatJSON {
		return printJSON(a.stdout, struct {
			Path    string `json:"path"`
			Bytes   int64  `json:"bytes"`
			Resumed int64  `json:"resumed"`
			Digest  string `json:"digest,omitempty"`
		}{r.To, r.Bytes, r.Resumed, r.Digest})
	}
	text := fmt.Sprintf("stored %s, %d bytes", r.To, r.Bytes)
	if r.Resumed > 0 {
		text += fmt.Sprintf(", %d of them before", r.Resumed)
	}
	if r.Digest != "" {
		text += ", " + r.Digest
	}
	_, err := fmt.Fprintln(a.stdout, text)
	return err
}

// local opens the file, or standard input, of which no Read outlasts ctx. size is 0 where it is not known.
func (a *app) local(ctx context.Context, name string) (body io.ReadCloser, size int64, err error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, 0, err
		}
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			err = usageError{fmt.Errorf("%s is a directory: put stores one file", name)}
		}
		if err != nil {
			return nil, 0, closing(err, f.Close())
		}
		return f, info.Size(), nil
	}
	if a.stdin == nil {
		return io.NopCloser(eof{}), 0, nil
	}
	r, w := io.Pipe()
	go func() { // until the input ends: a Read of it cannot be ended
		_, err := io.Copy(w, a.stdin)
		w.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { r.CloseWithError(ctx.Err()) })
	return r, 0, nil
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// source is body, as something that can seek only if it is a regular file.
func source(body io.Reader) io.Reader {
	if f, ok := body.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return f
		}
	}
	return struct{ io.Reader }{body}
}
