package faultloop

import "github.com/berth-dev/storagedriver"

// Above returns h with a layer between the failures and the gate.
func (h Harness) Above(wrap func(storagedriver.Backend) storagedriver.Backend) Harness {
	h.above = wrap
	return h
}
