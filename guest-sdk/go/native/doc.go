// Package native runs a driver outside a sandbox: its calls are plain Go calls, its HTTP is
// net/http, its streams are readers. It serves tests, debugging, and the comparison of a
// sandboxed driver with the same source compiled natively.
package native
