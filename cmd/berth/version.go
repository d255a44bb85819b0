package main

import (
	"fmt"
	goruntime "runtime"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

func (a *app) versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of berth, its driver interface and its guest ABI",
		Example: "  berth version --output json",
		Args:    cobra.NoArgs,
	}
	output := outputFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		v := struct {
			Berth     string `json:"berth"`
			Interface string `json:"interface"`
			ABI       string `json:"abi"`
			Go        string `json:"go"`
			Platform  string `json:"platform"`
		}{
			version, string(storagedriver.CurrentVersion), fmt.Sprintf("%d.%d", abi.Major, abi.Minor),
			goruntime.Version(), goruntime.GOOS + "/" + goruntime.GOARCH,
		}
		if *output == formatJSON {
			return printJSON(a.stdout, v)
		}
		return printTable(a.stdout, [][]string{
			{"berth", v.Berth}, {"driver interface", v.Interface}, {"guest ABI", v.ABI}, {"go", v.Go}, {"platform", v.Platform},
		})
	}
	return c
}
