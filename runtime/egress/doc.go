// Package egress is how a sandboxed driver reaches the network: which origins, by what
// connections, with which headers. It denies by default.
//
// A Client belongs to one opened driver. It follows no redirect, uses no proxy, sends no
// credential of its own and decompresses nothing.
package egress
