package native

import (
	"slices"
	"sync"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// Receipts is a berth.HostReceipts in memory. It may be used concurrently.
type Receipts struct {
	mu       sync.Mutex
	receipts []berth.Receipt // ascending by number
}

// NewReceipts returns an empty table.
func NewReceipts() *Receipts { return &Receipts{} }

// Page implements berth.HostReceipts.
func (r *Receipts) Page(after, limit int) ([]berth.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, found := r.find(after)
	if found {
		i++
	}
	return slices.Clone(r.receipts[i:min(len(r.receipts), i+limit)]), nil
}

// Set implements berth.HostReceipts.
func (r *Receipts) Set(page []berth.Receipt) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, receipt := range page {
		if i, found := r.find(receipt.Number); found {
			r.receipts[i] = receipt
		} else {
			r.receipts = slices.Insert(r.receipts, i, receipt)
		}
	}
	return nil
}

func (r *Receipts) find(number int) (int, bool) {
	return slices.BinarySearchFunc(r.receipts, number, func(x berth.Receipt, n int) int { return x.Number - n })
}
