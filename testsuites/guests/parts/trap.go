package parts

import berth "github.com/berth-dev/storagedriver/guest-sdk/go"

// trap panics, once in each upload. What remembers is the store: an instance that panicked remembers nothing.
func (d *driver) trap(c *berth.Call, t token) error {
	resp, err := d.do(c, "PUT of the trap's mark", &berth.Request{
		Method: "PUT", URL: d.url("/~trap/" + t.id), Data: []byte("sprung\n"), Headers: []string{"If-None-Match", "*"}, Want: none,
	}, 201, 412)
	if err != nil {
		return err
	}
	resp.Close()
	if resp.Status == 201 {
		panic("trap-on-part: this part's receipt is lost")
	}
	return nil
}
