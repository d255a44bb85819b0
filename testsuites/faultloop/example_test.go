package faultloop_test

import (
	"context"
	"fmt"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/testsuites/faultloop"
)

// kept is a memory that stays when a backend on it is closed.
type kept struct{ storagedriver.Backend }

func (kept) Close() error { return nil }

// Each call of each scenario fails in every way there is, and nothing is lost.
func ExampleRun() {
	report := faultloop.Run(context.Background(), faultloop.Harness{
		Name: "inmemory",
		New: func(context.Context) (faultloop.Storage, error) {
			memory := inmemory.New()
			return faultloop.Storage{Open: func(context.Context) (storagedriver.Backend, error) { return kept{memory}, nil }}, nil
		},
		Short: true,
		Run:   func(scenario string) bool { return scenario == "put" },
	})
	fmt.Println(len(report.Rows), report.Failures())
	// Output: 1 []
}
