package abi_test

import (
	"fmt"

	"github.com/berth-dev/storagedriver/abi"
)

// What the host sends with an operation, and what it makes of the reply.
func Example() {
	request, err := abi.Append(nil, &abi.PathRequest{Path: "/a"})
	fmt.Println(len(request), err)

	reply, err := abi.Append(nil, &abi.Entry{Size: 5})
	if err != nil {
		fmt.Println(err)
		return
	}
	var entry abi.Entry
	failure, err := abi.DecodeReply(reply, &entry)
	fmt.Println(entry.Size, failure, err)
	fmt.Printf("a guest of ABI %d.%d exports %q and imports from %q\n", abi.Major, abi.Minor, abi.ExportDispatch, abi.Module)
	// Output:
	// 9 <nil>
	// 5 <nil> <nil>
	// a guest of ABI 1.0 exports "dispatch" and imports from "berth"
}
