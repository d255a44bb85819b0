package trace_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime/trace"
)

// A trace is written record by record, and each tells of itself when it is read.
func Example() {
	dir, err := os.MkdirTemp("", "trace")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "driver.trace")
	if err := write(path); err != nil {
		fmt.Println(err)
		return
	}

	file, err := os.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	reader, err := trace.NewReader(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		rec, err := reader.Next()
		if errors.Is(err, io.EOF) {
			fmt.Println("cut off:", reader.Cut())
			return
		} else if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(reader.Line(), rec.Describe())
	}
	// Output:
	// 2 stat {"path":"/a"}
	// 3 error of stat: /a: not found
	// cut off: false
}

// write records an operation and what became of it.
func write(path string) error {
	request, err := abi.Append(nil, &abi.PathRequest{Path: "/a"})
	if err != nil {
		return err
	}
	recorder, err := trace.Create(path, trace.Options{})
	if err != nil {
		return err
	}
	instance, _ := recorder.Instance(false)
	recorder.Add(&trace.Record{
		Kind: trace.KindCall, Instance: instance, Func: abi.ExportDispatch, Begin: true,
		Args: []uint64{uint64(abi.OpStat)}, Said: &trace.Said{Len: int64(len(request)), Data: request},
	})
	recorder.Add(&trace.Record{Kind: trace.KindError, Instance: instance, Op: "stat", Error: &trace.Error{Text: "/a: not found"}})
	return recorder.Close()
}

// What stands for a secret is drawn at random and has its length, so that lengths in a trace stay right.
func ExampleRedactor() {
	redactor := trace.NewRedactor([]string{"swordfish"})
	text := redactor.Text("user=admin&password=swordfish")
	fmt.Println(text[:len("user=admin&password=")], len(text), text == "user=admin&password=swordfish")
	// Output: user=admin&password= 29 false
}
