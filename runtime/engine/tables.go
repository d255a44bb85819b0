package engine

import "fmt"

// What a module's tables may have. They are the host's memory, beside the linear memory.
const (
	// MaxTables is the most tables of a module: compilers make one or two.
	MaxTables = 8
	// MaxTableElements is the most elements of a table, 8 MiB of the host's memory: a
	// guest has an element for each function that it calls by pointer.
	MaxTableElements = 1 << 20
)

// LimitTables returns the module with a maximum of MaxTableElements in each of its tables,
// so that table.grow stops there. A module that asks for more from the start is refused.
// wasm is one that Inspect has accepted and is not changed.
func LimitTables(wasm []byte) ([]byte, error) {
	in := &cursor{b: wasm, pos: 8}
	out := append(make([]byte, 0, len(wasm)+64), wasm[:8]...)
	for in.pos < len(in.b) {
		begin := in.pos
		id, size := in.byte(), in.u32()
		if in.err != nil || int64(size) > int64(len(in.b)-in.pos) {
			in.fail("section %d ends early", id)
			return nil, in.err
		}
		end := in.pos + int(size)
		if id == 4 {
			section, err := limitSection(&cursor{b: in.b[:end], pos: in.pos})
			if err != nil {
				return nil, err
			}
			out = append(appendLEB(append(out, id), uint32(len(section))), section...)
		} else {
			out = append(out, in.b[begin:end]...)
		}
		in.pos = end
	}
	return out, nil
}

func limitSection(c *cursor) ([]byte, error) {
	const funcref, externref = 0x70, 0x6f
	n := c.count()
	if n > MaxTables {
		return nil, fmt.Errorf("it has %d tables, more than %d", n, MaxTables)
	}
	out := appendLEB(nil, uint32(n))
	for range n {
		kind, limits := c.byte(), c.limits()
		switch {
		case c.err != nil:
		case kind != funcref && kind != externref:
			c.fail("a table of type %#x", kind)
		case limits.Min > MaxTableElements:
			c.fail("a table of %d elements, more than %d", limits.Min, MaxTableElements)
		case limits.HasMax && limits.Max < limits.Min:
			c.fail("a table of %d to %d elements", limits.Min, limits.Max)
		}
		if c.err != nil {
			return nil, c.err
		}
		most := uint32(MaxTableElements)
		if limits.HasMax {
			most = min(most, limits.Max)
		}
		out = appendLEB(appendLEB(append(out, kind, 1), limits.Min), most)
	}
	if c.pos != len(c.b) {
		c.fail("bytes after the tables")
	}
	return out, c.err
}

func appendLEB(b []byte, n uint32) []byte {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}
