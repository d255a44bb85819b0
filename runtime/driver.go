package runtime

import (
	"context"
	"sync/atomic"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// driver is an opened driver: parameters, a pool of instances, connections. It implements
// storagedriver.Backend, in files named after what they do.
type driver struct {
	guest.Calls
	m       *Module
	params  []byte // a JSON object
	secrets *hiding
	client  *egress.Client
	pool    pool
	streams *streamLane
	stores  *stores
	lines   guest.Lines
	bodies  atomic.Int64

	recorded recorded
	codecs   atomic.Int64 // compressions and decompressions open
	metrics  metrics
}

var _ storagedriver.Backend = (*driver)(nil)

// Open is a storagedriver.OpenFunc. Parameters are coerced to the types that the
// manifest's schema declares and validated; a bad one is KindInvalidArgument.
func (m *Module) Open(ctx context.Context, parameters map[string]any) (storagedriver.Backend, error) {
	values, err := m.params.Decode(parameters)
	if err != nil {
		return nil, err
	}
	d := &driver{m: m, Calls: guest.Calls{Driver: m.manifest.Name}, params: values.JSON, secrets: m.hiding(values.Secrets)}
	d.recorded.secrets = secretValues(values)
	d.Do = d.do
	cfg := m.cfg
	d.client = egress.NewClient(egress.Config{
		Policy: m.policy, ConnectTimeout: cfg.ConnectTimeout, FirstByteTimeout: cfg.FirstByteTimeout, IdleTimeout: cfg.IdleTimeout,
		MaxIdleConns: cfg.MaxInstances, DialContext: cfg.DialContext, Resolver: cfg.Resolver,
		MaxRequests: cfg.MaxRequests, MaxResponse: cfg.MaxResponse, TotalTimeout: cfg.TotalTimeout,
	})
	d.pool = pool{maxIdle: cfg.MaxIdleInstances, idleFor: cfg.IdleInstanceTime, returned: m.returned}
	n := cfg.MaxInstances
	if m.manifest.Instances == 1 {
		n, d.pool.idleFor = 1, 0 // its state lives as long as it does
	}
	d.pool.slots = make(chan struct{}, n)
	if m.manifest.Instances != 1 {
		d.pool.nested = make(chan struct{}, max(1, n/8))
	}

	d.stores = newStores(d, cfg.Stores)
	first, reply, err := d.open(ctx)
	if err != nil {
		_ = d.stores.close() // nothing has begun
		d.client.BreakOff()
		d.client.Close()
		return nil, err
	}
	abilities := reply.Caps & m.manifest.Caps() & abi.AllAbilities
	d.Caps = storagedriver.Capabilities{Abilities: storagedriver.Ability(abilities), MaxObject: reply.MaxObject}
	d.pool.make = func(ctx context.Context) (*instance, error) {
		in, _, err := d.open(ctx)
		return in, err
	}
	d.streams = d.newStreamLane()
	first.lane = d.pool.slots
	first.lane <- struct{}{}
	d.pool.busy = 1
	d.pool.put(first)
	if !m.opened(d) {
		_ = d.Close() // nothing has begun
		return nil, errClosedModule
	}
	return d, nil
}

// open makes an instance and opens it with the driver's parameters.
func (d *driver) open(ctx context.Context) (*instance, *abi.OpenReply, error) {
	in, err := d.newInstance(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	in.begin(ctx)
	reply := new(abi.OpenReply)
	err = in.call(abi.OpOpen, &abi.OpenRequest{Params: d.params}, reply)
	in.end()
	if err != nil {
		in.close()
		return nil, nil, err
	}
	return in, reply, nil
}

func (d *driver) count(op abi.Op) { d.m.dispatches[op].Add(1) }

// Close implements storagedriver.Backend. Readers still open fail, as do calls of granted stores, which it waits for, as it does for requests that go on
// without their calls, for some seconds. Its
// error is that of an unfinished upload to one of them that could not be suspended.
func (d *driver) Close() error {
	d.streams.end()
	d.pool.close()
	err := d.stores.close() // uploads that are transformed have the rest of their pieces transformed
	d.streams.close()
	d.client.Close()
	d.m.forget(d)
	return err
}

// acquire returns an instance for one operation, which release ends.
func (d *driver) acquire(ctx context.Context) (*instance, error) {
	if err := d.reachedOnce(ctx); err != nil {
		return nil, err
	}
	in, err := d.pool.get(ctx)
	if err != nil {
		return nil, err
	}
	in.begin(ctx)
	return in, nil
}

func (d *driver) release(in *instance) {
	in.end()
	d.pool.put(in)
}

// do runs an operation without handles.
func (d *driver) do(ctx context.Context, op abi.Op, request, reply abi.Message, check func() error) error {
	in, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer d.release(in)
	if err := in.call(op, request, reply); err != nil || check == nil {
		return err
	}
	if err := check(); err != nil {
		return in.fault(op, err)
	}
	return nil
}
