// Package metrics counts and times for Prometheus what a storage driver does.
//
// [Register] makes the metrics, on a registerer of the program's. [New] is a layer that measures
// the calls of a backend, and [Metrics.Trace] times operations at the gate under the name that
// distribution gives them. One Metrics, or several on one registerer, serve any number of
// drivers; drivers of one name are counted together.
//
//	registry_storage_action_seconds{driver,action}        distribution's histogram: GetContent, PutContent, Stat, List,
//	                                                      Move, Delete, RedirectURL
//	berth_backend_calls_total{driver,operation}           calls begun
//	berth_backend_errors_total{driver,operation,kind}     calls that failed, by the error's Kind as it prints, also of
//	                                                      bodies that failed while they were read
//	berth_backend_call_seconds{driver,operation}          histogram of what a call took; of a Read, until its body
//	                                                      could be read: how long the rest takes is its reader's affair
//	berth_backend_read_bytes_total{driver,operation}      content that came from the backend
//	berth_backend_written_bytes_total{driver,operation}   content that went there, with what was sent again
//	berth_backend_in_flight{driver,operation}             calls under way, and bodies not yet closed
//
// operation is the method of storagedriver.Backend, or ReadTail for the tail of an upload that
// is being continued. Paths are no labels: their number has no bound.
package metrics
