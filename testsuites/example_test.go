package testsuites_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
)

// The test of a driver is this one. Every call of the function opens the same storage anew.
func ExampleRegisterInProcessSuite() {
	TestSuite := func(t *testing.T) {
		backend := inmemory.New()
		testsuites.RegisterInProcessSuite(t, func(testsuites.T) storagedriver.StorageDriver {
			return layers.Complete(backend)
		})
	}
	_ = TestSuite // go test calls it
	// Output:
}

// Without go test the suite is a function, and its result a value.
func ExampleRunAll() {
	backend := inmemory.New()
	result := testsuites.RunAll(context.Background(), testsuites.Harness{
		New: func(testsuites.T) storagedriver.StorageDriver { return layers.Complete(backend) },
		Run: "content/one-byte",
	}, nil)
	fmt.Println(result.Driver, result.Conforms())
	for _, c := range result.Cases {
		fmt.Println(c.ID, c.Status)
	}
	// Output:
	// inmemory true
	// content/one-byte pass
}
