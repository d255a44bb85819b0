// Package native makes a storagedriver.Backend of a driver written with the Go SDK, without a
// sandbox: plain Go calls, bodies that stream from net/http, no messages. It is the other half of
// every comparison of a .wasm driver with the same source compiled natively, and it debugs guests.
package native
