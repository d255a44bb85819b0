package berth_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
	"github.com/berth-dev/storagedriver/guest-sdk/go/native"
)

// driver keeps objects on an HTTP server that takes GET, PUT and DELETE. Unimplemented answers for
// what it leaves out.
type driver struct {
	berth.Unimplemented
	endpoint string
}

func (d *driver) Stat(c *berth.Call, path string) (berth.Entry, error) {
	if path == "/" {
		return berth.Entry{Dir: true}, nil
	}
	r, err := c.HTTP(&berth.Request{Method: "HEAD", URL: d.endpoint + path})
	if err != nil {
		return berth.Entry{}, err
	}
	return berth.Entry{Size: r.Length}, failure(r)
}

func (d *driver) List(*berth.Call, string, string, int) (berth.Page, error) {
	return berth.Page{}, berth.NewError(berth.KindUnsupported, "this server does not list")
}

// The content does not pass through the driver: it answers with the response's body.
func (d *driver) Read(c *berth.Call, path string, _, _ int64) (berth.Content, error) {
	r, err := c.HTTP(&berth.Request{Method: "GET", URL: d.endpoint + path})
	if err != nil {
		return berth.Content{}, err
	}
	return berth.Content{Length: r.Length, Body: r.Body}, failure(r)
}

// Nor does it here: the request's body is the stream that Put was given.
func (d *driver) Put(c *berth.Call, path string, body *berth.Stream) error {
	r, err := c.HTTP(&berth.Request{Method: "PUT", URL: d.endpoint + path, Body: []*berth.Stream{body}})
	if err != nil {
		return err
	}
	return failure(r)
}

func (d *driver) Delete(c *berth.Call, path string) error {
	r, err := c.HTTP(&berth.Request{Method: "DELETE", URL: d.endpoint + path})
	if err != nil {
		return err
	}
	return failure(r)
}

func failure(r *berth.Response) error {
	switch {
	case r.Status < 300:
		return nil
	case r.Status == 404:
		return berth.NewError(berth.KindNotFound, "the server has no such object")
	}
	return berth.NewError(berth.KindUnavailable, "the server refused")
}

// parameters are what the manifest declares and what Open decodes.
func parameters(d *driver) berth.Fields {
	return berth.Fields{berth.String("endpoint", &d.endpoint)}
}

func open(_ *berth.Call, given []byte) (berth.Driver, berth.Abilities, int64, error) {
	d := &driver{}
	err := parameters(d).Decode(given)
	return d, 0, 0, err
}

// A driver's main package registers it, and its .wasm file is built with GOOS=wasip1. The same source
// runs natively, as it does here: package native stands for the sandbox's host.
func Example() {
	_ = berth.Register(berth.Manifest{
		Name: "objects", Version: "1.0", Parameters: parameters(&driver{}), Hosts: []string{"{endpoint}"},
	}, open)

	server := httptest.NewServer(store{})
	defer server.Close()
	client := native.NewClient()
	defer client.CloseIdleConnections()
	host := native.NewHost(context.Background(), client, slog.Default())
	defer host.Close()
	c := berth.NewCall(host)

	d, _, _, err := open(c, []byte(`{"endpoint": "`+server.URL+`"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Put(c, "/a", host.Source(content("hello"))))
	read, err := d.Read(c, "/a", 0, -1)
	if err != nil {
		fmt.Println(err)
		return
	}
	got, err := read.Body.ReadAll(100)
	fmt.Println(string(got), err)
	_, err = d.Stat(c, "/none")
	fmt.Println(berth.KindOf(err) == berth.KindNotFound, err)
	_, _, _, err = open(c, []byte(`{"endpint": "http://127.0.0.1"}`))
	fmt.Println(berth.KindOf(err) == berth.KindInvalidArgument)
	// Output:
	// <nil>
	// hello <nil>
	// true not found: the server has no such object
	// true
}

type content string

func (s content) Size() int64 { return int64(len(s)) }
func (s content) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(s))), nil
}

// store is the server: a map of what was put.
type store map[string]string

func (s store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	object, there := s[r.URL.Path]
	switch {
	case r.Method == http.MethodPut:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		s[r.URL.Path] = string(body)
	case !there:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodDelete:
		delete(s, r.URL.Path)
	default:
		fmt.Fprint(w, object)
	}
}
