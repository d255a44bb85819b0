package wazero_test

import (
	"context"
	"fmt"

	"github.com/berth-dev/storagedriver/runtime/engine"
	"github.com/berth-dev/storagedriver/runtime/engine/wazero"
)

// A module of one function, answer, that returns 42.
var module = []byte("\x00asm\x01\x00\x00\x00" + // magic, version
	"\x01\x05\x01\x60\x00\x01\x7f" + // a type: () -> i32
	"\x03\x02\x01\x00" + // a function of it
	"\x05\x04\x01\x01\x01\x01" + // a memory of one page
	"\x07\x13\x02\x06answer\x00\x00\x06memory\x02\x00" + // exports
	"\x0a\x06\x01\x04\x00\x41\x2a\x0b") // its code

func ExampleNew() {
	ctx := context.Background()
	e, err := wazero.New(ctx, engine.Config{MemoryPages: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close(ctx)
	compiled, err := e.Compile(ctx, module)
	if err != nil {
		fmt.Println(err)
		return
	}
	in, err := compiled.Instantiate(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer in.Close(ctx)
	fmt.Println(in.Func("answer") != nil, in.Func("question") != nil)
	// Output: true false
}
