package berth

// registered is the one driver of this module, nil until Register has run. The exports
// have no other way to find it.
var registered *guest

// Register names the driver that this module is. Call it once, from an init function of the main
// package or from the initialisation of one of its variables: main itself never runs.
// Natively it does nothing. It returns true so that a variable can hold it.
func Register(m Manifest, open OpenFunc) bool {
	registered = newRegistered(m, open)
	return true
}
