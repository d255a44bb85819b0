// Package egress is how a sandboxed driver reaches the network: which origins, at what
// addresses, by what connections, with which headers and credentials. It denies by default.
//
// A Client belongs to one opened driver and does what the rules of its Policy say. Without
// more than an origin in a rule it connects to public addresses, follows no redirect, uses no
// proxy (the environment's never), signs nothing; and it decompresses nothing.
package egress
