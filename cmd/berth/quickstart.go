package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/cmd/berth/internal/davfs"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/registry"
)

const (
	defaultAddr          = "127.0.0.1:5000"
	defaultQuickstartDir = "berth-quickstart"
	webdavDriver         = "webdav"
)

func (a *app) quickstartCommand() *cobra.Command {
	q := quickstart{app: a}
	c := &cobra.Command{
		Use:   "quickstart",
		Short: "Run a registry whose storage is the sandboxed webdav.wasm",
		Long: `Runs three things in one process, until a signal ends it: a WebDAV server on loopback that stores under
--dir; the driver webdav.wasm, sandboxed, which may reach that server and nothing else; and an OCI registry
whose every storage operation goes through the driver. What was pushed is there after a restart.

The driver is registry-storage-webdav.wasm in a folder of BERTH_DRIVER_PATH, or beside the executable, where
make guests puts it. The first signal drains (exit status 0); a second one ends the process at once.`,
		Example: "  berth quickstart\n  berth quickstart --addr 127.0.0.1:5001 --dir /tmp/registry",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return q.run(c.Context())
		},
	}
	c.Flags().StringVar(&q.addr, "addr", defaultAddr, "where the registry listens")
	c.Flags().StringVar(&q.dir, "dir", defaultQuickstartDir, "the folder that keeps everything")
	c.Flags().BoolVarP(&q.verbose, "verbose", "v", false, "log every request, and what the registry says")
	return c
}

// quickstart is one run of the command.
type quickstart struct {
	app       *app
	addr, dir string
	verbose   bool
}

// run serves until ctx ends.
func (q *quickstart) run(ctx context.Context) (err error) {
	dir, err := filepath.Abs(q.dir)
	if err != nil {
		return err
	}
	storage, err := startWebDAV(ctx, filepath.Join(dir, "webdav"))
	if err != nil {
		return fmt.Errorf("quickstart: %w", err)
	}
	defer func() { err = errors.Join(err, storage.close()) }()
	driver, path, err := q.openDriver(ctx, storage.origin)
	if err != nil {
		return fmt.Errorf("quickstart: %w", err)
	}
	defer func() { err = errors.Join(err, driver.Close()) }()
	config := registry.DefaultConfig(q.addr, "")
	if !q.verbose {
		// distribution calls each blob that a push asks for and does not find an error.
		config.Log.Level = "fatal"
		config.Log.AccessLog.Disabled = true
	}
	if config.HTTP.Secret, err = secretIn(dir); err != nil {
		return fmt.Errorf("quickstart: %w", err)
	}
	err = registry.Serve(ctx, registry.Options{
		Config: config, Driver: driver, AccessLog: q.app.stderr,
		Ready: func(addr string) { q.announce(addr, path, storage.origin, dir) },
	})
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("quickstart: %w: choose another address with --addr", err)
	}
	return err
}

// openDriver opens webdav.wasm on the server at origin, and returns its path as well.
func (q *quickstart) openDriver(ctx context.Context, origin string) (storagedriver.StorageDriver, string, error) {
	drivers := q.app.compose()
	for _, f := range drivers.Files() {
		if f.Name != webdavDriver || !isWasm(f.Path) { // it says that the driver is sandboxed
			continue
		}
		d, err := drivers.load(ctx, f.Path, map[string]any{
			"allow":      []string{origin},
			"parameters": map[string]any{"endpoint": origin},
		})
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", f.Path, err)
		}
		return d, f.Path, nil
	}
	return nil, "", missingDriverError{drivers.SearchPath}
}

// missingDriverError says that there is no webdav.wasm. Is fs.ErrNotExist.
type missingDriverError struct{ folders []string }

func (e missingDriverError) Error() string {
	name := filePrefix + webdavDriver + wasmSuffix
	return fmt.Sprintf("webdav.wasm is missing: there is no %s in %s: build it with 'make guests', or name the folder it is in with %s",
		name, strings.Join(e.folders, ", "), factory.SearchPathVariable)
}

func (e missingDriverError) Is(target error) bool { return target == fs.ErrNotExist }

func (q *quickstart) announce(addr, driver, origin, dir string) {
	out := q.app.stdout
	fmt.Fprintf(out, "registry  http://%s\n", addr)
	fmt.Fprintf(out, "driver    %s, sandboxed: it may reach %s and nothing else\n", driver, origin)
	fmt.Fprintf(out, "storage   %s, a WebDAV server on loopback; its files are in %s\n", origin, dir)
	if host, _, err := net.SplitHostPort(addr); err == nil {
		if ip := net.ParseIP(host); ip != nil && !ip.IsLoopback() {
			fmt.Fprintf(out, "warning   %s is not loopback: whoever reaches it can push and delete; there is no authentication\n", addr)
		}
	}
	fmt.Fprintf(out, "\nTry, in another terminal:\n"+
		"  skopeo copy --dest-tls-verify=false docker://docker.io/library/alpine docker://%s/alpine\n"+
		"  docker pull %s/alpine\n\nCtrl-C stops it; what was pushed stays.\n", addr, addr)
}

// webdavServer is the storage behind the driver.
type webdavServer struct {
	origin string
	files  *davfs.Server
	http   *http.Server
	served chan error
}

// startWebDAV serves dir on a free port of loopback. The caller closes it.
func startWebDAV(ctx context.Context, dir string) (*webdavServer, error) {
	files, err := davfs.Open(dir)
	if err != nil {
		return nil, err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	s := &webdavServer{
		origin: "http://" + ln.Addr().String(),
		files:  files,
		http:   &http.Server{Handler: files, ReadHeaderTimeout: time.Minute},
		served: make(chan error, 1),
	}
	go func() { s.served <- s.http.Serve(ln) }()
	return s, nil
}

// close waits for requests under way: the registry has ended, so they are few and short.
func (s *webdavServer) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return errors.Join(err, s.files.Close())
}
