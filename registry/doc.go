// Package registry is an OCI registry on any StorageDriver: distribution v3, embedded.
//
// [Serve] runs it as a process does: configuration, listeners, TLS, health, metrics,
// purging, draining. [NewHandler] is the registry alone, for a server of the caller's.
// [GarbageCollect] frees what no manifest refers to. [ToDistribution] and
// [FromDistribution] translate between the two worlds of drivers.
//
// Of what distribution's own command does, this leaves out OpenTelemetry export, registration of HTTP middleware
// by third parties, and /debug/vars (it would print http.secret).
//
// distribution logs through logrus's standard logger and registers metrics and factories in
// tables of the process; so Serve, NewHandler and GarbageCollect, which configure those, are meant for
// one registry a process. More work as long as http.debug.prometheus is not enabled
// twice; the logging of the last one started holds for all. Each registry leaves idle goroutines
// behind: distribution's event broadcaster, and a queue for each endpoint of notifications. They hang
// on a field of handlers.App that nothing exported reaches; events that are not delivered
// when the process ends are lost, as in distribution.
package registry

import (
	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry/adapt"
	"github.com/distribution/distribution/v3/registry/storage/driver"
)

// ToDistribution returns d as a driver of distribution; see adapt.ToDistribution. The caller
// still closes d.
func ToDistribution(d storagedriver.StorageDriver) driver.StorageDriver {
	return adapt.ToDistribution(d)
}

// FromDistribution returns a driver of distribution as ours; see adapt.FromDistribution. Closing
// it does nothing.
func FromDistribution(d driver.StorageDriver) storagedriver.StorageDriver {
	return adapt.FromDistribution(d)
}
