// Package sign says how a request proves who makes it. A sandboxed driver names a credential; its
// host signs, with a [Signer], what is about to be sent, and the driver never sees what it is
// signed with.
//
// The schemes that need nothing but this package are here: [NewBearer], [NewBasic] and
// [NewHeader]. Every other one is a package of its own below this directory, which whoever
// composes a program hands in: importing package runtime reaches no SDK.
package sign
