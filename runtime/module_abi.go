package runtime

import (
	"context"

	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
)

// GuestABI asks the guest which version of the ABI it was built for, on an instance of its
// own with nothing in reach. Hosts of the same major version whose minor is at least
// that one run it; this host is one, or the module would not have been loaded.
func (m *Module) GuestABI(ctx context.Context) (major, minor uint32, err error) {
	d := &driver{m: m, Calls: guest.Calls{Driver: m.name}}
	in, err := d.newInstance(ctx, true)
	if err != nil {
		return 0, 0, m.badGuest(err)
	}
	defer in.close()
	in.begin(ctx)
	defer in.end()
	if err := in.wasm.Func(abi.ExportABI).Call(&in.cc, in.stack[:]); err != nil {
		return 0, 0, m.badGuest(in.fault(abi.OpDescribe, err))
	}
	version := uint32(in.stack[0])
	return version >> 16, version & 0xffff, nil
}
