package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

const formatYAML format = "yaml"

// formats is an --output with values of its own; the first is the default.
type formats struct {
	format
	allowed []string
}

func formatsFlag(c *cobra.Command, allowed ...format) *formats {
	f := &formats{format: allowed[0]}
	for _, a := range allowed {
		f.allowed = append(f.allowed, string(a))
	}
	c.Flags().VarP(f, "output", "o", "how to print: "+strings.Join(f.allowed, ", "))
	if err := c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(f.allowed, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was added above
	}
	return f
}

// Set implements pflag.Value.
func (f *formats) Set(s string) error {
	if !slices.Contains(f.allowed, s) {
		return fmt.Errorf("%q is none of %s", s, strings.Join(f.allowed, ", "))
	}
	f.format = format(s)
	return nil
}

// printAs writes v, whose keys are those of JSON, as JSON or YAML.
func printAs(w io.Writer, f format, v any) error {
	if f == formatJSON {
		return printJSON(w, v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return err
	}
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(plain); err != nil {
		return err
	}
	return e.Close()
}
