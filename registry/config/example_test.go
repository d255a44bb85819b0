package config_test

import (
	"fmt"
	"strings"

	"github.com/berth-dev/storagedriver/registry/config"
)

// What distribution would ignore is a problem, with its line.
func ExampleTree_Read() {
	tree := config.New(config.Known{})
	d, err := tree.Read(strings.NewReader(`version: 0.1
storage:
  filesystem:
    rootdirectory: /var/lib/registry
http:
  adr: 127.0.0.1:5000
`), "config.yml")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range d.Problems {
		fmt.Println(p)
	}
	// Output: config.yml:6: http.adr is unknown; did you mean addr?
}
