package timeout_test

import (
	"context"
	"fmt"
	"time"

	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers/fault"
	"github.com/berth-dev/storagedriver/layers/timeout"
)

// A backend that hangs is given up, and the error says which parameter decided it.
func ExampleNew() {
	rules, err := fault.Parse("hang before on Stat")
	if err != nil {
		fmt.Println(err)
		return
	}
	b := timeout.New(fault.New(inmemory.New(), rules), timeout.Config{Operation: 10 * time.Millisecond, Progress: time.Minute})
	defer b.Close()
	_, err = b.Stat(context.Background(), "/")
	fmt.Println(err)
	// Output: deadline exceeded: no answer for 10ms (layers.timeout.operation)
}
