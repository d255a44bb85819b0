package webdav

import (
	"io"
	"strings"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// propfindBody is what every PROPFIND sends.
const propfindBody = `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>` +
	`<resourcetype/><getcontentlength/><getlastmodified/></prop></propfind>`

// maxInline is how much of an answer comes in memory at once; what is longer is read in pieces.
const maxInline = 64 << 10

// lookup asks what is at path; "/" is asked for with its slash. Nothing is KindNotFound. Its error's Status is the server's.
func (d *driver) lookup(c *berth.Call, path string) (resource, error) {
	resp, err := c.Ask(d.propfindSelf, escape(path))
	var r resource
	if err == nil && d.shapes.read(resp, &r) {
		return r, nil
	}
	return d.examine(c, path, resp, err)
}

// examine is lookup for answers of no known shape, the first of which is there.
func (d *driver) examine(c *berth.Call, path string, resp *berth.Response, err error) (resource, error) {
	all, err := d.propfind(c, path, d.propfindSelf, resp, err)
	if err != nil {
		return resource{}, err
	}
	if len(all) == 0 {
		return resource{}, errXML
	}
	found := all[0]
	switch {
	case found.status == 404 || found.status == 410:
		return resource{}, notFound()
	case found.status >= 400:
		return resource{}, statusError("PROPFIND", &berth.Response{Status: found.status})
	case !found.found:
		return resource{}, berth.NewError(berth.KindCorrupt, "the server's PROPFIND has no properties")
	case !found.dir && found.size < 0:
		return found, d.head(c, path, &found)
	}
	return found, nil
}

// head fills in the length of a file whose server does not say it in a PROPFIND.
func (d *driver) head(c *berth.Call, path string, r *resource) error {
	resp, err := d.do(c, &berth.Request{Method: "HEAD", URL: d.url(path), Want: []string{"content-length"}})
	if err != nil {
		return err
	}
	if resp.Status != 200 {
		return statusError("HEAD", resp)
	}
	n, ok := number(resp.Header("content-length"))
	if !ok {
		return berth.NewError(berth.KindCorrupt, "the server does not say how long the file is")
	}
	r.size = n
	return nil
}

// propfindAttempts is how often a PROPFIND is sent that fails on the server's side or half way. It changes
// nothing, and some servers fail when something is deleted while they look, or end their XML there.
const propfindAttempts = 4

// propfind returns the responses to the PROPFIND of t about path, whose first answer is resp or err.
func (d *driver) propfind(c *berth.Call, path string, t *berth.Template, resp *berth.Response, err error) ([]resource, error) {
	at := escape(path)
	for attempt := 1; ; attempt++ {
		resp, err = d.unlocked(c, t, at, resp, err)
		if err == nil && d.redirectsToSlash(resp, path) {
			resp.Close()
			resp, err = d.ask(c, t, at+"/")
		}
		var all []resource
		if err == nil {
			all, err = d.responses(resp)
		}
		if err == nil || attempt == propfindAttempts || err != errXML && !berth.IsTemporary(err) {
			return all, err
		}
		if pauseErr := pause(c, attempt); pauseErr != nil {
			return nil, err
		}
		resp, err = c.Ask(t, at)
	}
}

// responses reads the answer to a PROPFIND.
func (d *driver) responses(resp *berth.Response) ([]resource, error) {
	defer resp.Close()
	if resp.Status != 207 {
		return nil, statusError("PROPFIND", resp)
	}
	all := make([]resource, 0, 1)
	collect := func(r *resource) error { all = append(all, *r); return nil }
	if resp.Body == nil {
		spans, err := multistatusSpans(resp.Data, nil, collect)
		if err == nil && len(all) == 1 && spans != nil {
			d.shapes.learn(resp.Data, spans, &all[0])
		}
		return all, err
	}
	body := &noted{r: resp.Body}
	err := multistatus(nil, body, collect)
	if err != nil && body.err != nil {
		err = &berth.Error{Kind: berth.KindUnavailable, Temporary: true, Msg: "the answer to PROPFIND broke off: " + body.err.Error()}
	}
	return all, err
}

// noted is a reader that keeps its error, unless that is the end.
type noted struct {
	r   io.Reader
	err error
}

func (n *noted) Read(p []byte) (int, error) {
	got, err := n.r.Read(p)
	if err != io.EOF {
		n.err = err
	}
	return got, err
}

// redirectsToSlash reports a redirect to the same path as a collection: many servers want the slash.
func (d *driver) redirectsToSlash(resp *berth.Response, path string) bool {
	location := withoutQuery(resp.Header("location"))
	if resp.Status < 301 || resp.Status > 308 || !strings.HasSuffix(location, "/") {
		return false
	}
	target, ok := hrefPath(location, "")
	return ok && target == d.root+path
}

// propfindTemplate is a PROPFIND of the given depth.
func (d *driver) propfindTemplate(depth string) *berth.Template {
	return berth.NewTemplate(*d.authorized(&berth.Request{
		Method:  "PROPFIND",
		URL:     d.base,
		Headers: []string{"Depth", depth, "Content-Type", "application/xml; charset=utf-8"},
		Data:    []byte(propfindBody),
		Max:     maxInline,
		Want:    []string{"location", "retry-after"},
	}))
}

// find is lookup for servers that do not say plainly that nothing is there: a refusal is
// KindPermission only if the directory above has the name. The root is there even before it is made.
func (d *driver) find(c *berth.Call, path string) (resource, error) {
	r, err := d.lookup(c, path)
	if err != nil {
		return d.explain(c, path, err)
	}
	return r, nil
}

// explain is what find makes of lookup's error.
func (d *driver) explain(c *berth.Call, path string, err error) (resource, error) {
	var r resource
	if path == "/" && isNotFound(err) {
		return resource{dir: true}, nil
	}
	if path == "/" || !isRefusal(err) {
		return r, err
	}
	dir, name := parent(path)
	switch above, aboveErr := d.find(c, dir); {
	case isNotFound(aboveErr), aboveErr == nil && !above.dir:
		return r, notFound()
	case aboveErr != nil:
		return r, err
	}
	there := false
	listErr := d.members(c, dir, func(member string, _ *resource) {
		there = there || member == name
	})
	if listErr == nil && !there {
		return r, notFound()
	}
	return r, err
}

// isRefusal reports an error whose status may mean a refusal or that the path cannot be.
func isRefusal(err error) bool {
	e, ok := err.(*berth.Error)
	return ok && e.Status != 404 && isAmbiguous(e.Status)
}

// members calls f for every direct member of the collection at path. What is no collection is KindNotFound.
func (d *driver) members(c *berth.Call, path string, f func(name string, r *resource)) error {
	self := d.root
	if path != "/" {
		self += path
	}
	var own *resource
	strangers := 0
	resp, err := c.Ask(d.propfindBelow, escape(path))
	all, err := d.propfind(c, path, d.propfindBelow, resp, err)
	if err != nil {
		return err
	}
	for i := range all {
		r := &all[i]
		at, ok := hrefPath(r.href, self)
		if !ok {
			return berth.NewError(berth.KindCorrupt, "the server's PROPFIND has an href with a wrong percent escape")
		}
		if at == self {
			own = r
			continue
		}
		if len(at) <= len(self)+1 || at[:len(self)] != self || at[len(self)] != '/' {
			strangers++
			continue
		}
		if name := at[len(self)+1:]; strings.IndexByte(name, '/') < 0 && r.found && r.status/100 != 4 {
			f(name, r)
		}
	}
	switch {
	case own == nil && strangers > 0:
		return berth.NewError(berth.KindCorrupt, "the server's PROPFIND names other paths than the one asked for")
	case own == nil || own.status == 404 || own.found && !own.dir:
		return notFound()
	}
	return nil
}
