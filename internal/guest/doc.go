// Package guest is what the sandbox and processes have in common: how the host judges what a driver says that it does not
// trust, and what it tells one.
package guest
