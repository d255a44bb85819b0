package webdav

import (
	"encoding/base64"
	"strings"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// config is the operator's parameters.
type config struct {
	endpoint string
	username string
	password string
	replace  string
	confirm  bool
}

// The values of the parameter "replace".
const (
	replaceByMove = "move"
	replaceByPut  = "put"
)

func (c *config) fields() berth.Fields {
	return berth.Fields{
		berth.String("endpoint", &c.endpoint).Required().
			Describe("URL of the collection to store under, such as https://dav.example.com/registry; it is made when it is missing"),
		berth.String("username", &c.username).Describe("user name for Basic authentication"),
		berth.String("password", &c.password).Secret().Describe("password for Basic authentication"),
		berth.String("replace", &c.replace).OneOf(replaceByMove, replaceByPut).
			Describe("what replaces a file in one step on this server: move, a MOVE with Overwrite (the default), or put, a PUT, as on Apache's mod_dav"),
		berth.Bool("confirm", &c.confirm).
			Describe("ask for the ETag again after each GET, for servers that may send one file under the length of another, as Apache does; the default is false"),
	}
}

const abilities = berth.AbilityMove | berth.AbilityMoveTree | berth.AbilityCopy | berth.AbilityDeleteTree | berth.AbilityIdempotent

// Manifest describes the driver.
func Manifest() berth.Manifest {
	return berth.Manifest{
		Name:        "webdav",
		Version:     "1.0.0",
		Description: "stores blobs on a WebDAV server",
		Parameters:  new(config).fields(),
		Hosts:       []string{"{endpoint}"},
		Memory:      64 << 20,
		Abilities:   abilities,
	}
}

// Open is the driver's berth.OpenFunc. It makes no request.
func Open(_ *berth.Call, parameters []byte) (berth.Driver, berth.Abilities, int64, error) {
	var c config
	if err := c.fields().Decode(parameters); err != nil {
		return nil, 0, 0, err
	}
	d, err := newDriver(&c)
	if err != nil {
		return nil, 0, 0, err
	}
	return d, abilities, 0, nil
}

func newDriver(c *config) (*driver, error) {
	d := &driver{putReplaces: c.replace == replaceByPut, confirm: c.confirm, wantContent: wantContent}
	scheme, rest, ok := strings.Cut(c.endpoint, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return nil, badEndpoint("must begin with http:// or https://")
	}
	host, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], strings.TrimRight(rest[i:], "/")
	}
	switch {
	case host == "" || strings.ContainsAny(host, "@?# "):
		return nil, badEndpoint("must name a host, without user or password: those are parameters of their own")
	case strings.ContainsAny(path, "?# "):
		return nil, badEndpoint("must be a path without query or fragment")
	}
	d.origin = scheme + "://" + host
	if d.root, ok = unescape(path); !ok {
		return nil, badEndpoint("has a wrong percent escape")
	}
	d.base = d.origin + escape(d.root)
	switch {
	case strings.Contains(c.username, ":"):
		return nil, berth.NewError(berth.KindInvalidArgument, `parameter "username" must not have a colon`)
	case c.username != "":
		d.authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(c.username+":"+c.password))
	case c.password != "":
		return nil, berth.NewError(berth.KindInvalidArgument, `parameter "password" needs "username"`)
	}
	if d.confirm {
		d.wantContent = wantConfirmed
	}
	d.propfindSelf, d.propfindBelow = d.propfindTemplate("0"), d.propfindTemplate("1")
	d.putFile = berth.NewTemplate(*d.authorized(&berth.Request{
		Method: "PUT", URL: d.base, Headers: []string{"Content-Type", "application/octet-stream"}, Want: wantFailure,
	}))
	d.moveFile = berth.NewTemplate(berth.Request{
		Method: "MOVE", URL: d.base, Want: wantFailure,
		Headers: append(d.authorized(&berth.Request{}).Headers, "Overwrite", "F", "Destination", ""),
	})
	d.get = berth.NewTemplate(*d.authorized(&berth.Request{Method: "GET", URL: d.base, Want: d.wantContent}))
	return d, nil
}

func badEndpoint(why string) error {
	return berth.NewError(berth.KindInvalidArgument, `parameter "endpoint" `, why)
}
