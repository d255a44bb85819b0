// Command layer is a driver that keeps everything in a store it was granted, as it is: what is left of a driver on another when
// it changes nothing.
package main

import berth "github.com/berth-dev/storagedriver/guest-sdk/go"

// under is the store's name.
const under = "under"

// abilities are passed on as the store has them, but for uploads: those are delegated, or left to the host to derive.
const (
	passed = berth.AbilityMove | berth.AbilityMoveTree | berth.AbilityDeleteTree | berth.AbilityRedirect |
		berth.AbilityFilesUnderFiles | berth.AbilityIdempotent
	delegated = berth.AbilityParts | berth.AbilityAppendCommitted
)

type config struct{ mode string }

func (c *config) fields() berth.Fields {
	return berth.Fields{
		berth.String("mode", &c.mode).OneOf("delegate", "derived").Describe("how uploads are done: by the store, or in pieces put there; delegate by default"),
	}
}

var _ = berth.Register(berth.Manifest{
	Name: "layer", Version: "1.0.0", Description: "keeps everything in the store under",
	Parameters: new(config).fields(), Stores: []string{under}, Abilities: passed | delegated,
}, open)

func main() {}

func open(c *berth.Call, parameters []byte) (berth.Driver, berth.Abilities, int64, error) {
	p := config{mode: "delegate"}
	if err := p.fields().Decode(parameters); err != nil {
		return nil, 0, 0, err
	}
	info, err := c.Store(under).Info()
	if err != nil {
		return nil, 0, 0, err
	}
	if p.mode == "derived" {
		return driver{}, info.Abilities & passed, info.MaxObject, nil
	}
	return driver{}, info.Abilities&(passed|delegated) | berth.AbilityParts, info.MaxObject, nil
}

type driver struct{ berth.Unimplemented }

func (driver) Stat(c *berth.Call, path string) (berth.Entry, error) {
	return c.Store(under).Stat(path)
}

func (driver) List(c *berth.Call, path, cursor string, limit int) (berth.Page, error) {
	return c.Store(under).List(path, cursor, limit)
}

func (driver) Read(c *berth.Call, path string, offset, length int64) (berth.Content, error) {
	return c.Store(under).Read(path, offset, length)
}

func (driver) Put(c *berth.Call, path string, body *berth.Stream) error {
	return c.Store(under).PutStreams(path, body)
}

func (driver) Delete(c *berth.Call, path string) error { return c.Store(under).Delete(path) }

func (d driver) DeleteTree(c *berth.Call, path string) error {
	if err := d.AbortUploads(c, path); err != nil {
		return err
	}
	return c.Store(under).DeleteTree(path)
}

func (driver) Move(c *berth.Call, source, dest string) error {
	return c.Store(under).Move(source, dest)
}

func (driver) Redirect(c *berth.Call, path string, options berth.RedirectOptions) (string, error) {
	return c.Store(under).Redirect(path, options)
}

func (driver) OpenUpload(_ *berth.Call, path string, _ bool, _ *berth.Receipts) (berth.Upload, error) {
	return berth.Upload{Delegate: berth.Delegate{Store: under, Path: path}}, nil
}

func (driver) AbortUploads(c *berth.Call, path string) error {
	return c.Store(under).AbortUploads(path)
}
