package engine_test

import (
	"fmt"

	"github.com/berth-dev/storagedriver/runtime/engine"
)

// What a module exports and imports is known before anything of it runs.
func ExampleInspect() {
	shape, err := engine.Inspect([]byte("\x00asm\x01\x00\x00\x00" + // magic, version
		"\x01\x05\x01\x60\x00\x01\x7f" + // a type: () -> i32
		"\x03\x02\x01\x00" + // a function of it
		"\x07\x0a\x01\x06answer\x00\x00" + // an export
		"\x0a\x06\x01\x04\x00\x41\x2a\x0b")) // its code
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range shape.Exports {
		fmt.Println(e.Name)
	}
	_, err = engine.Inspect([]byte("#!/bin/sh"))
	fmt.Println(err)
	// Output:
	// answer
	// not a WebAssembly module
}
