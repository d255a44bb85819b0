package testsuites

import (
	"net/http"

	"github.com/berth-dev/storagedriver"
)

func redirectCases() []scenario {
	return []scenario{
		{"redirect/get", "RedirectURL gives a URL to GET the content from or, without the ability, none", func(e *env) { e.redirect(http.MethodGet) }},
		{"redirect/head", "RedirectURL gives a URL that answers HEAD or, without the ability, none", func(e *env) { e.redirect(http.MethodHead) }},
	}
}

func (e *env) redirect(method string) {
	e.Helper()
	p, c := e.path("dir/file"), e.content(1000)
	e.put(p, c)
	url, err := e.d.RedirectURL(e.ctx, p, storagedriver.RedirectOptions{Method: method, RemoteAddr: "192.0.2.1:1234"})
	e.ok(err, "RedirectURL")
	if !e.has(storagedriver.AbilityRedirect) {
		if url != "" {
			e.Fatalf("RedirectURL without the ability: want \"\", got a URL")
		}
		return
	}
	if url == "" {
		e.Fatalf("RedirectURL with the ability: want a URL, got \"\"")
	}
	request, err := http.NewRequestWithContext(e.ctx, method, url, nil)
	e.ok(err, "a request to the URL")
	client := e.suite.Client
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	e.ok(err, "%s of the URL", method)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || response.ContentLength != c.size {
		e.Fatalf("%s of the URL: want status 200 and %d bytes, got %d and %d", method, c.size, response.StatusCode, response.ContentLength)
	}
	if method == http.MethodGet {
		e.ok(c.verify(response.Body, 0), "GET of the URL")
	}
}
