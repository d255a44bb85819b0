package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver/registry"
)

// configVariable names a configuration, as in distribution.
const configVariable = "REGISTRY_CONFIGURATION_PATH"

// defaultDir is where berth serve keeps everything when nobody says otherwise.
const defaultDir = "./berth-data"

func (a *app) serveCommand() *cobra.Command {
	var r recording
	c := &cobra.Command{
		Use:   "serve [CONFIG.yml]",
		Short: "Run a registry",
		Long: `Runs an OCI registry until a signal ends it, as a configuration of distribution says. The variables
REGISTRY_* override it, and REGISTRY_CONFIGURATION_PATH names it when the argument is missing. Its storage
section names one driver: a compiled-in one, "wasm" with the path of a .wasm file, "ipc" with that of an
executable, or NAME for a file registry-storage-NAME.wasm or an executable registry-storage-NAME in the search path
('berth driver ls' lists them).

Without a configuration it listens on ` + defaultAddr + ` and uses the filesystem driver under ` + defaultDir + `, where
it also keeps the secret that signs the state of uploads.
The first signal drains for at most http.draintimeout (exit status 0); a second one ends the process at once.

--record FILE writes all that a sandboxed driver is told to FILE, FILE.1 or the first that does not exist, for 'berth driver
replay': secrets are left out, what passes through the driver is in it. docs/replay.md says more.`,
		Example: "  berth serve\n  berth serve config.yml\n  REGISTRY_HTTP_ADDR=127.0.0.1:5001 berth serve config.yml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.serve(c.Context(), args, r)
		},
	}
	r.flags(c)
	c.Flags().IntVar(&r.sample, "record-sample", 1, "record one of so many instances of the driver")
	return c
}

func (a *app) serve(ctx context.Context, args []string, r recording) error {
	config, err := a.serveConfig(args)
	if err != nil {
		return err
	}
	followReadOnly(config)
	t, err := a.openTelemetry(ctx, config, registry.Logger())
	if err != nil {
		return err
	}
	defer t.close()
	drivers := a.composeObserved(registry.Logger(), t.trace(), t.observers())
	drivers.guestMetric = t.guestMetric()
	if r.path != "" {
		closeRecorder, err := a.recordServing(drivers, config.Storage.Type(), r)
		if err != nil {
			return err
		}
		defer closeRecorder()
	}
	err = registry.Serve(ctx, registry.Options{
		Config: config, Drivers: drivers, AccessLog: a.stdout,
		Metrics: t.gatherer(), Traces: t.provider(),
		Ready: func(addr string) { fmt.Fprintf(a.stderr, "berth: the registry listens on %s\n", addr) },
	})
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: choose another address, in http.addr or REGISTRY_HTTP_ADDR", err)
	}
	return err
}

// recordServing has the storage's driver recorded until what it returns is called.
func (a *app) recordServing(drivers *composition, storage string, r recording) (func(), error) {
	err := r.check(drivers, storage)
	if err == nil {
		r.path, err = unusedPath(r.path)
	}
	if err != nil {
		return nil, err
	}
	recorder, err := r.recorder(drivers, named{name: storage}, 0)
	if err != nil {
		return nil, err
	}
	drivers.record = recorder
	fmt.Fprintf(a.stderr, "berth: what the driver is told is recorded in %s\n", r.path)
	return func() { _ = recorder.Close() }, nil // what went wrong has been logged
}

func (a *app) serveConfig(args []string) (*registry.Config, error) {
	config, err := a.soundConfig(args)
	if err != nil || a.configPath(args) != "" {
		return config, err
	}
	what := "storage: " + config.Storage.Type()
	if config.Storage.Type() == "filesystem" {
		root := fmt.Sprint(config.Storage.Parameters()["rootdirectory"])
		what = "the filesystem driver under " + root
		if err := keepSecret(config, root); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(a.stderr, "berth: no configuration was given: %s, on %s\n", what, config.HTTP.Addr)
	return config, nil
}

// keepSecret gives the configuration the secret that is kept in root, unless it has one.
func keepSecret(config *registry.Config, root string) error {
	if config.HTTP.Secret != "" {
		return nil
	}
	err := os.MkdirAll(root, 0o777) // as the driver makes it
	if err == nil {
		config.HTTP.Secret, err = secretIn(root)
	}
	return err
}

// builtinConfig is parsed like a file, so that the REGISTRY_* variables count here too.
const builtinConfig = `version: 0.1
log:
  level: info
storage:
  filesystem:
    rootdirectory: ` + defaultDir + `
  delete:
    enabled: true
http:
  addr: ` + defaultAddr + `
`
