// Package goplugin carries the driver of package memory over hashicorp/go-plugin, for the benchmark: the host's side, the
// plugin's, and what they agree on. plugin is the executable.
//
// The service is written by hand where protoc would generate it. Its messages are BytesValue, which is generated, around the messages of
// package abi, so that this way and Berth's own carry the same bytes; fields in protobuf of their own would take the place of one
// encoding with the other. Bodies are streams of messages of 64 KiB.
package goplugin

import (
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// handshake tells a plugin started by its host from one that was started by hand.
var handshake = plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "BERTH_BENCH_PLUGIN", MagicCookieValue: "memory"}

// name is what the plugin dispenses.
const name = "memory"

const service = "berth.bench.Memory"

// The service's methods.
const (
	methodList = "/" + service + "/List"
	methodRead = "/" + service + "/Read"
	methodPut  = "/" + service + "/Put"
)

// chunk is how many bytes of a body one message carries: the usual choice.
const chunk = 64 << 10

// description is the service's, its streams in the order of streamRead and streamPut.
var description = grpc.ServiceDesc{
	ServiceName: service,
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "List", Handler: handleList}},
	Streams: []grpc.StreamDesc{
		{StreamName: "Read", Handler: handleRead, ServerStreams: true},
		{StreamName: "Put", Handler: handlePut, ClientStreams: true},
	},
}

const (
	streamRead = iota
	streamPut
)
