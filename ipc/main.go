package ipc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/internal/served"
)

// socket is the descriptor of the socket to the host.
const socket = 3

// Main is the main function of the executable registry-storage-NAME of the driver that open opens. config is the struct that its parameters are
// decoded into by factory.Decode, for the schema of its manifest; nil declares none. It ends the process: with 0 when the host has closed the
// socket, with 2 and a line on standard error when it was not started by a host, or without a JSON object as its argument, and with 1 after an error.
func Main(name string, open storagedriver.OpenFunc, config any) {
	m := abi.Manifest{Name: name, Version: string(storagedriver.CurrentVersion)}
	m.Abilities = abi.AbilityNames(abi.AllAbilities)
	if config != nil {
		schema, err := factory.Schema(config)
		if err != nil {
			exit(name, err)
		}
		m.Schema = schema
	}
	exit(name, run(&m, open))
}

// StorageDriverServer serves a driver that is open: a storagedriver.Backend, or a storagedriver.StorageDriver, whose Writer then takes the parts of an
// upload in their order. The parameters that the host sends are not looked at, but those of the process's first argument may have been
// by whoever opened the driver. It returns when the host has closed the socket, with the driver closed, or with the error that ended it.
func StorageDriverServer(driver Served) error {
	var b storagedriver.Backend
	switch d := driver.(type) {
	case storagedriver.Backend:
		b = d
	case storagedriver.StorageDriver:
		b = served.New(d)
	default:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "ipc.StorageDriverServer: a %T is neither a Backend nor a StorageDriver", driver)
	}
	m := abi.Manifest{Name: driver.Name(), Version: string(storagedriver.CurrentVersion), Abilities: abi.AbilityNames(uint64(b.Capabilities().Abilities))}
	opened := false
	err := run(&m, func(context.Context, map[string]any) (storagedriver.Backend, error) {
		opened = true
		return b, nil
	})
	if !opened { // what was opened is closed
		err = errors.Join(err, b.Close())
	}
	return err
}

// Served is what a Backend and a StorageDriver have in common.
type Served interface {
	Name() string
	Capabilities() storagedriver.Capabilities
	Close() error
}

// run serves on the inherited socket.
func run(m *abi.Manifest, open storagedriver.OpenFunc) error {
	manifest, err := json.Marshal(m)
	if err != nil {
		return err
	}
	file := os.NewFile(socket, "socket")
	conn, err := net.FileConn(file)
	if err != nil {
		return notStarted{}
	}
	_ = file.Close() // conn has its own
	if err := checkArgument(os.Args); err != nil {
		return err
	}
	// A terminal or a service manager sends its signals to the host as well, which ends the driver when it has ended its calls.
	signal.Ignore(os.Interrupt, syscall.SIGHUP, syscall.SIGTERM)
	return serve(context.Background(), conn, manifest, open)
}

// checkArgument holds the process's first argument against docs/ipc.md.
func checkArgument(args []string) error {
	if len(args) < 2 {
		return badArgument{"the first argument is missing: it is a JSON object with the parameters that are not secret"}
	}
	var parameters map[string]any
	if err := json.Unmarshal([]byte(args[1]), &parameters); err != nil || parameters == nil {
		return badArgument{"the first argument is no JSON object with parameters"}
	}
	return nil
}

// badArgument is the error of an executable that is started in another way than docs/ipc.md says.
type badArgument struct{ text string }

func (e badArgument) Error() string { return e.text }

// notStarted is the error of an executable that a person has started.
type notStarted struct{}

func (notStarted) Error() string {
	return "this is a storage driver, which Berth starts: put it into a folder of BERTH_DRIVER_PATH and name it in the configuration"
}

func exit(name string, err error) {
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintf(os.Stderr, "registry-storage-%s: %v\n", name, err)
	var alone notStarted
	var argument badArgument
	if errors.As(err, &alone) || errors.As(err, &argument) {
		os.Exit(2)
	}
	os.Exit(1)
}
