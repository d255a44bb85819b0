package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// executableInspection is what is shown of an executable.
type executableInspection struct {
	// File is what was started.
	File string `json:"file"`
	// SHA256 is the digest of the file, in hexadecimal. Of a script that is the script alone.
	SHA256 string `json:"sha256"`
	// Protocol is the version of docs/ipc.md that this command speaks, DriverProtocol the one that the driver does.
	Protocol       string        `json:"protocol"`
	DriverProtocol driverVersion `json:"driverProtocol"`
	// Confinement is how it will be run unless the configuration says otherwise.
	Confinement confinement `json:"confinement"`
	// Manifest is what the driver says of itself.
	Manifest *abi.Manifest `json:"manifest"`
}

// confinement is what docs/ipc.md, section 6, says on this system.
type confinement struct {
	// Confined says whether the rest counts: elsewhere than on Linux it does not.
	Confined        bool  `json:"confined"`
	NoNewPrivileges bool  `json:"noNewPrivileges"`
	Memory          int64 `json:"memory"`
	Files           int64 `json:"files"`
	// Sandboxed is false: files, network and processes are its user's.
	Sandboxed bool `json:"sandboxed"`
}

func (a *app) inspectExecutable(ctx context.Context, drivers *composition, path string, output format) error {
	d, err := drivers.executable(ctx, path, defaultProcess())
	if err != nil {
		return err
	}
	sum, err := digestOfFile(path)
	if err != nil {
		return err
	}
	v := d.Version()
	info := executableInspection{
		File: path, SHA256: sum, Manifest: d.Manifest(), Protocol: string(storagedriver.CurrentVersion),
		DriverProtocol: driverVersion{Built: string(v), HostsFrom: string(v), HostsBefore: abiVersion(uint32(v.Major())+1, 0)},
	}
	if runtime.GOOS == "linux" {
		info.Confinement = confinement{Confined: true, NoNewPrivileges: true, Memory: processMemory, Files: processFiles}
	}
	if output == formatJSON {
		return printJSON(a.stdout, info)
	}
	return printTable(a.stdout, executableRows(info))
}

func digestOfFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func executableRows(info executableInspection) [][]string {
	m := info.Manifest
	rows := [][]string{
		{"file", info.File},
		{"sha256", info.SHA256},
		{"name", m.Name},
		{"version", m.Version},
		{"description", m.Description},
		{"driver protocol", info.DriverProtocol.String()},
		{"host protocol", info.Protocol},
		{"abilities", "at most " + cmp.Or(strings.Join(m.Abilities, ", "), "none")}, // what it has it says when it is opened
	}
	if c := info.Confinement; c.Confined {
		rows = append(rows,
			[]string{"confined", "no new privileges, no core dumps"},
			[]string{"memory", "at most " + mebibytes(c.Memory) + " of private memory"},
			[]string{"open files", "at most " + strconv.FormatInt(c.Files, 10)})
	} else {
		rows = append(rows, []string{"confined", "no: there are limits on Linux only"})
	}
	rows = append(rows, []string{"may reach", "what the user that berth runs as can: this is no sandbox"})
	if len(m.Schema) == 0 {
		return append(rows, []string{"parameters", "any: it declares none, and all are taken for secret"})
	}
	return append(rows, []string{"parameters", string(m.Schema)})
}
