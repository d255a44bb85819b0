// Package kit is what authors of sandboxed drivers work with: a project is a folder with a driver's source and a file driver.yml, which says what it is
// written in and how it is tested.
//
//	p, err := kit.New("x", "x", kit.Rust)   // a driver that conforms, to be changed
//	p, err = kit.Read("x")
//	err = p.Build(ctx, p.Module(), os.Stderr)
//
// Projects carry the SDK of their language with them, in the folder sdk: they build without a network, against the version that the host was built with.
package kit
