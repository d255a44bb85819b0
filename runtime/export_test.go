package runtime

// OnReturn has f called with the whole linear memory of each instance that goes back to a pool, before anyone else may have
// it. f may be called concurrently. It is set before the first driver is opened.
func (m *Module) OnReturn(f func(memory []byte)) {
	m.returned = func(in *instance) { f(in.wholeMemory()) }
}

func (in *instance) wholeMemory() []byte {
	const page = 1 << 16
	some, none := uint32(0), uint32(1<<16) // pages
	for none-some > 1 {
		middle := some + (none-some)/2
		if _, ok := in.mem.Read(0, middle*page); ok {
			some = middle
		} else {
			none = middle
		}
	}
	b, _ := in.mem.Read(0, some*page)
	return b
}
