// Package limit is the layer that bounds how many requests a backend meets at one time.
//
// A call waits for its place, in the order of arrival, no longer than its context lasts. A Read keeps
// its place until its body is closed.
//
// Nobody waits for a place while holding one that somebody else waits for, so that no number of
// commits blocks the driver:
//
//   - A call whose body is read from the same driver has its reads' places granted with its own
//     before it starts, as its context says (storagedriver.WithSourceReads): one for reads that are
//     opened when they are reached.
//   - A read that feeds a call which has not said so takes a place without waiting, beyond the limit:
//     at most one for each such call.
//   - A request that needs more places than there are waits until it has all of them, and then runs alone.
//
// Who copies from a Reader of the driver to a Writer of the same one keeps the Reader's place
// while the Writer waits for its own. Bodies gives bodies places of their own, with which that cannot
// block; without it Concurrency must be more than the copies under way.
package limit
