// Package runtime turns a .wasm file into a storagedriver.Backend: it loads and checks the
// module, validates parameters, keeps instances, and is the other end of what guests call.
//
// A guest is not trusted. It reaches the origins that Config.Allow names and nothing else;
// every pointer, length, handle and message of it is checked; what it breaks is its own
// call. docs/abi.md is the contract, docs/security.md says what is and is not defended.
package runtime
