package filesystem

// Observe has f told of everything that changes the directory or makes it durable, right after it happened.
func (d *Driver) Observe(f func(effect string, names ...string)) { d.root.observe = f }

// FreshDirs returns how many directories are remembered as not durable.
func (d *Driver) FreshDirs() int {
	d.fresh.mu.Lock()
	defer d.fresh.mu.Unlock()
	return len(d.fresh.dirs)
}
