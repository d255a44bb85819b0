package main

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

const (
	// messageBytes is how long the request and the reply of a call are.
	messageBytes = 200
	// objectBytes is an object's size. A stream of large bytes is as many calls as it takes: what the driver keeps of a larger one
	// would, natively, let this process's collector wait so long that every allocation meets memory that was not touched before.
	objectBytes = 16 << 20
	objects     = large / objectBytes
	streamPath  = "/stream/object"
)

// call is one thing to compare between the ways to call a driver.
type call struct {
	work
	op    func(ctx context.Context, w *way, caller int) error
	check func(ctx context.Context, w *way) error // of what op has left, outside the time; nil: op has checked all
	// The ratios to go-plugin are rates by rates, so more is better. What is 0 is for information.
	wasmFloor, wasmAim, ipcFloor float64
}

func (c *call) label() string { return fmt.Sprintf("ways to call: %s, callers %d", c.name, c.callers) }

// latency reports whether the time of one call is what to tell.
func (c *call) latency() bool { return !c.bulk }

// show returns a rate as it is told.
func (c *call) show(rate float64) string {
	if c.latency() {
		return fmt.Sprintf("%.1f µs", 1e6*float64(c.callers)/rate)
	}
	return fmt.Sprintf("%.0f %s", rate, c.unit)
}

// calls prints the table of the ways to call a driver. The error says which floors do not hold; short rounds hold none.
func calls(ctx context.Context, content []byte, cache string, o options) (err error) {
	var selected []call
	for _, c := range callWorks(content) {
		if o.run.MatchString(c.label()) {
			selected = append(selected, c)
		}
	}
	if len(selected) == 0 {
		return nil
	}
	list, err := openWays(ctx, cache)
	defer func() { err = errors.Join(err, list.close()) }()
	if err != nil {
		return err
	}
	for i := range list {
		if err := list[i].prepare(ctx, content); err != nil {
			return fmt.Errorf("%s: %w", list[i].name, err)
		}
	}
	rounds, slice := 21, 250*time.Millisecond
	if o.quick {
		rounds, slice = 3, 100*time.Millisecond
	}
	fmt.Printf("\n| Work | Callers | Native | wasm | ipc | go-plugin | wasm : go-plugin | Floor | Aim | ipc : go-plugin | Floor | Control (native : native) |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	var low []error
	for i := range selected {
		c := &selected[i]
		fmt.Fprintf(os.Stderr, "%s: %d rounds\n", c.label(), rounds)
		r, err := compareWays(ctx, list, c, rounds, slice)
		if err != nil {
			return fmt.Errorf("%s: %w", c.label(), err)
		}
		c.print(r)
		low = append(low, c.below("wasm", r.wasm, c.wasmFloor), c.below("ipc", r.ipc, c.ipcFloor))
	}
	if o.quick {
		return nil
	}
	return errors.Join(low...)
}

func (c *call) print(r callResult) {
	ratio := func(v []float64) string {
		return fmt.Sprintf("**%.2f** (%.2f to %.2f)", median(v), quartile(v, 1), quartile(v, 3))
	}
	bound := func(v float64) string {
		if v == 0 {
			return ""
		}
		return fmt.Sprintf("%g", v)
	}
	fmt.Printf("| %s | %d | %s | %s | %s | %s | %s | %s | %s | %s | %s | %.2f (%.2f to %.2f) |\n", c.name, c.callers,
		c.show(median(r.rates[wayNative])), c.show(median(r.rates[wayWasm])), c.show(median(r.rates[wayIPC])), c.show(median(r.rates[wayPlugin])),
		ratio(r.wasm), bound(c.wasmFloor), bound(c.wasmAim), ratio(r.ipc), bound(c.ipcFloor),
		median(r.control), quartile(r.control, 1), quartile(r.control, 3))
}

// below is the error of a floor that does not hold.
func (c *call) below(name string, ratios []float64, floor float64) error {
	if median(ratios) >= floor {
		return nil
	}
	return fmt.Errorf("%s: %s is %.2f times as fast as go-plugin, and the floor is %g", c.label(), name, median(ratios), floor)
}

// callResult is what the rounds gave.
type callResult struct {
	rates              [wayControl + 1][]float64
	wasm, ipc, control []float64
}

// compareWays measures each way in every round, which begins with another one each time and goes backwards every other time.
func compareWays(ctx context.Context, list ways, c *call, rounds int, slice time.Duration) (callResult, error) {
	var r callResult
	for round := range rounds + 1 { // the first warms up
		var rates [wayControl + 1]float64
		runtime.GC() // a round does not pay for the one before
		for i := range list {
			at := (i + round/2) % len(list)
			if round%2 == 1 {
				at = len(list) - 1 - at
			}
			w := &list[at]
			c.work.op = func(ctx context.Context, _ storagedriver.StorageDriver, caller int) error {
				return c.op(ctx, w, caller)
			}
			m, err := c.measure(ctx, nil, slice)
			if err == nil && c.check != nil {
				err = c.check(ctx, w)
			}
			if err = errors.Join(err, ctx.Err()); err != nil {
				return r, fmt.Errorf("%s: %w", w.name, err)
			}
			rates[at] = m.rate
		}
		if round == 0 {
			continue
		}
		for i := range rates {
			r.rates[i] = append(r.rates[i], rates[i])
		}
		r.wasm = append(r.wasm, rates[wayWasm]/rates[wayPlugin])
		r.ipc = append(r.ipc, rates[wayIPC]/rates[wayPlugin])
		r.control = append(r.control, rates[wayControl]/rates[wayNative])
	}
	return r, nil
}

// callWorks lists what is compared.
func callWorks(content []byte) []call {
	var list []call
	for _, callers := range []int{1, 8, 64} {
		c := call{work: work{name: "200 bytes each way", unit: "1/s", per: 1, callers: callers}, op: listOne}
		if callers == 1 {
			c.wasmFloor, c.wasmAim, c.ipcFloor = 15, 20, 1
		}
		list = append(list, c)
	}
	stream := work{unit: "MiB/s", per: large >> 20, callers: 1, bulk: true}
	read, put := stream, stream
	read.name, put.name = "read 256 MiB", "put 256 MiB"
	return append(list,
		call{work: read, wasmFloor: 3, wasmAim: 4, ipcFloor: 1, op: func(ctx context.Context, w *way, _ int) error { return w.readStream(ctx) }},
		call{work: put, wasmFloor: 3, wasmAim: 4, ipcFloor: 1,
			op:    func(ctx context.Context, w *way, _ int) error { return w.putStream(ctx, content) },
			check: func(ctx context.Context, w *way) error { return w.readObject(ctx) }})
}

// A directory and what is in it, with names so long that listing it is a request and a reply of messageBytes.
var (
	listedPath = "/" + strings.Repeat("d", 182)
	listedName = strings.Repeat("o", 162)
)

const listedSize = 100

func listOne(ctx context.Context, w *way, _ int) error {
	page, err := w.List(ctx, listedPath, "", abi.MaxList)
	if err != nil {
		return err
	}
	if len(page.Entries) != 1 || page.Cursor != "" || page.Entries[0].Name != listedName || page.Entries[0].Size != listedSize {
		return fmt.Errorf("want a page of the one object, got %+v", page)
	}
	return nil
}

// prepare stores what is listed and read, and sees that the messages have the size that they are said to have.
func (w *way) prepare(ctx context.Context, content []byte) error {
	if err := w.Put(ctx, listedPath+"/"+listedName, storagedriver.BytesSource(content[:listedSize])); err != nil {
		return err
	}
	page, err := w.List(ctx, listedPath, "", abi.MaxList)
	if err != nil {
		return err
	}
	var reply abi.ListReply
	for _, e := range page.Entries {
		reply.Entries = append(reply.Entries, abi.Entry{Name: e.Name, Size: e.Size, Time: e.ModTime.UnixNano(), Dir: e.Dir})
	}
	for _, m := range []abi.Message{&abi.ListRequest{Path: listedPath, Limit: abi.MaxList}, &reply} {
		if b, err := abi.Append(nil, m); err != nil || len(b) != messageBytes {
			return fmt.Errorf("want a message of %d bytes, got %d, %w", messageBytes, len(b), err)
		}
	}
	return w.putStream(ctx, content)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// readStream reads the object as often as a stream takes, every byte of it checked.
func (w *way) readStream(ctx context.Context) error {
	for range objects {
		if err := w.readObject(ctx); err != nil {
			return err
		}
	}
	return nil
}

// readObject reads the object, in as many reads as the way needs.
func (w *way) readObject(ctx context.Context) error {
	sum := crc32.New(castagnoli)
	for at := int64(0); at < objectBytes; {
		r, n, err := w.Read(ctx, streamPath, at, w.step)
		if err != nil {
			return err
		}
		got, err := io.Copy(sum, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
		if at += got; got != n || n == 0 {
			return fmt.Errorf("%d bytes were promised and %d came, %d in all", n, got, at)
		}
	}
	if sum.Sum32() != w.sum {
		return fmt.Errorf("the object has the checksum %08x, want %08x", sum.Sum32(), w.sum)
	}
	return nil
}

// putStream puts the object as often as a stream takes, with another content each time.
func (w *way) putStream(ctx context.Context, content []byte) error {
	var last []byte
	for range objects {
		last = objectOf(content, w.puts)
		if err := w.Put(ctx, streamPath, storagedriver.BytesSource(last)); err != nil {
			return err
		}
		w.puts++
	}
	w.puts++ // so that the next stream leaves another object than this one
	w.sum = crc32.Checksum(last, castagnoli)
	return nil
}

// objectOf cuts the n-th object from content, which repeats every 256 bytes: each begins at another one of them.
func objectOf(content []byte, n int) []byte {
	at := n % objects * (objectBytes - 1<<20 + 8)
	return content[at : at+objectBytes]
}
