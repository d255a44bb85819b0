// Package stack puts layers around a backend in the one order that makes sense, and reads them from a
// driver's parameters: the section "layers", the same for every driver.
//
// Outermost first, and each for the reason that stands beside it:
//
//	readonly   what is refused is nobody's business further in
//	tracing    one span for what the caller asked, with all its attempts and waits
//	metrics    as tracing
//	retry      above limit, so that who waits to repeat keeps no place
//	limit      above timeout, so that waiting for a place is not the backend's silence
//	timeout    around the backend alone: each attempt has its own deadlines
//	fault      where the backend's own failures come from
//
// The gate (layers.Complete) is put around the result, and is no part of it.
package stack
