package abi_test

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// tables returns the rows of the tables below each heading of docs/abi.md, without marks.
func tables(t *testing.T) map[string][][]string {
	t.Helper()
	b, err := os.ReadFile("../docs/abi.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][][]string{}
	heading := ""
	for _, line := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(line, "## ") || strings.HasPrefix(line, "### Credentials") || strings.HasPrefix(line, "Host operations, for") || strings.HasPrefix(line, "Functions of module") {
			heading = strings.TrimPrefix(line, "## ")
			heading, _, _ = strings.Cut(heading, ",")
		}
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") {
			continue
		}
		line = strings.ReplaceAll(line, `\|`, "\x00")
		var cells []string
		for _, c := range strings.Split(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.ReplaceAll(strings.TrimSpace(c), "\x00", "|"))
		}
		rows[heading] = append(rows[heading], cells)
	}
	return rows
}

func section(t *testing.T, name string) [][]string {
	t.Helper()
	for heading, rows := range tables(t) {
		if strings.HasPrefix(heading, name) {
			return rows[1:] // without the head
		}
	}
	t.Fatalf("docs/abi.md has no table under %q", name)
	return nil
}

func unquote(s string) string { return strings.Trim(s, "`") }

func number(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.ReplaceAll(s, ",", ""), 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// constants returns the package's own integer and string constants.
func constants(t *testing.T) map[string]constant.Value {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range []string{"doc.go", "ops.go", "limits.go", "kinds.go", "keys.go"} {
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	conf := types.Config{Importer: nil, Error: func(error) {}} // strconv is not there, constants need it not
	pkg, _ := conf.Check("abi", fset, files, nil)
	out := map[string]constant.Value{}
	for _, name := range pkg.Scope().Names() {
		if c, ok := pkg.Scope().Lookup(name).(*types.Const); ok {
			out[name] = c.Val()
		}
	}
	return out
}

func TestDocumentHasTheOperations(t *testing.T) {
	rows := section(t, "4. Operations")
	if len(rows) != abi.NumOps {
		t.Errorf("%d operations documented, %d in the package", len(rows), abi.NumOps)
	}
	for _, r := range rows {
		if got := abi.Op(number(t, r[1])).String(); got != unquote(r[0]) {
			t.Errorf("operation %s is %s in the package, %s in the document", r[1], got, r[0])
		}
	}
	hosts := section(t, "Host operations")
	if len(hosts) != abi.NumHostOps {
		t.Errorf("%d host operations documented, %d in the package", len(hosts), abi.NumHostOps)
	}
	for _, r := range hosts {
		if got := abi.HostOp(number(t, r[1])).String(); got != unquote(r[0]) {
			t.Errorf("host operation %s is %s in the package, %s in the document", r[1], got, r[0])
		}
	}
}

func TestDocumentHasTheAbilities(t *testing.T) {
	rows := section(t, "7. Abilities")
	var all uint64
	for _, r := range rows {
		want := uint64(1) << number(t, r[1])
		all |= want
		if got, ok := abi.AbilityBit(unquote(r[0])); !ok || got != want {
			t.Errorf("ability %s is %#x in the package, %#x in the document", r[0], got, want)
		}
		if got := storagedriver.Ability(want).String(); got != unquote(r[0]) {
			t.Errorf("ability %s is %q in storagedriver", r[0], got)
		}
	}
	if all != abi.AllAbilities || len(abi.AbilityNames(all)) != len(rows) {
		t.Errorf("the document has the abilities %#x, the package %#x", all, abi.AllAbilities)
	}
}

func TestDocumentHasTheKinds(t *testing.T) {
	rows := section(t, "8. Kinds")
	if len(rows) != abi.NumKinds || abi.NumKinds != storagedriver.NumKinds {
		t.Errorf("%d kinds documented, %d in the package, %d in storagedriver", len(rows), abi.NumKinds, storagedriver.NumKinds)
	}
	for _, r := range rows {
		if got := storagedriver.Kind(number(t, r[1])).String(); got != r[0] {
			t.Errorf("kind %s is %q in storagedriver, %q in the document", r[1], got, r[0])
		}
	}
	for name, v := range constants(t) {
		if !strings.HasPrefix(name, "Kind") {
			continue
		}
		n, _ := constant.Int64Val(v)
		mirrored := map[string]storagedriver.Kind{
			"KindUnknown": storagedriver.KindUnknown, "KindNotFound": storagedriver.KindNotFound, "KindInvalidPath": storagedriver.KindInvalidPath,
			"KindInvalidOffset": storagedriver.KindInvalidOffset, "KindUnsupported": storagedriver.KindUnsupported, "KindConflict": storagedriver.KindConflict,
			"KindPermission": storagedriver.KindPermission, "KindCanceled": storagedriver.KindCanceled, "KindDeadline": storagedriver.KindDeadline,
			"KindInvalidArgument": storagedriver.KindInvalidArgument, "KindCorrupt": storagedriver.KindCorrupt, "KindLimit": storagedriver.KindLimit,
			"KindUnavailable": storagedriver.KindUnavailable, "KindDenied": storagedriver.KindDenied, "KindNoSpace": storagedriver.KindNoSpace,
			"KindGuest": storagedriver.KindGuest, "KindClosed": storagedriver.KindClosed,
		}
		if want, ok := mirrored[name]; !ok || int64(want) != n {
			t.Errorf("%s is %d here and %d (%v) in storagedriver", name, n, want, ok)
		}
	}
}

func TestDocumentHasTheLimits(t *testing.T) {
	documented := map[string]int64{}
	for _, r := range section(t, "9. Limits") {
		documented[unquote(r[0])] = number(t, r[1])
		if r[2] == "" {
			t.Errorf("%s has no reason", r[0])
		}
	}
	for name, v := range constants(t) {
		if !strings.HasPrefix(name, "Max") {
			continue
		}
		n, _ := constant.Int64Val(v)
		if documented[name] != n {
			t.Errorf("%s is %d in the package, %d in the document", name, n, documented[name])
		}
		delete(documented, name)
	}
	if len(documented) > 0 {
		t.Errorf("documented and not in the package: %v", documented)
	}
	if abi.MaxReceipt != storagedriver.MaxReceipt || abi.MaxToken != storagedriver.MaxToken || abi.MaxCursor != storagedriver.MaxCursor {
		t.Error("MaxReceipt, MaxToken or MaxCursor differ from storagedriver's")
	}
}

func TestDocumentHasTheExportsAndImports(t *testing.T) {
	c := constants(t)
	check := func(prefix string, rows [][]string) {
		var documented, declared []string
		for _, r := range rows {
			documented = append(documented, unquote(r[0]))
		}
		for name, v := range c {
			if strings.HasPrefix(name, prefix) {
				declared = append(declared, constant.StringVal(v))
			}
		}
		slices.Sort(documented)
		slices.Sort(declared)
		if !slices.Equal(documented, declared) {
			t.Errorf("%s: documented %v, declared %v", prefix, documented, declared)
		}
	}
	check("Export", section(t, "2. Exports"))
	check("Import", section(t, "Functions of module"))
}

// TestDocumentHasTheKeys looks for each key of the package in the document, and for each
// key that a table names in the package.
func TestDocumentHasTheKeys(t *testing.T) {
	b, err := os.ReadFile("../docs/abi.md")
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	for name, v := range constants(t) {
		if strings.HasPrefix(name, "Key") {
			key := constant.StringVal(v)
			declared[key] = true
			if !strings.Contains(string(b), "`"+key+"`") && !strings.Contains(string(b), "`err."+key+"`") {
				t.Errorf("the document does not have the key %q", key)
			}
		}
	}
	for _, r := range section(t, "3. Messages") {
		for _, k := range strings.Split(unquote(r[0]), ".") {
			if r[0] != "Key" && !declared[k] {
				t.Errorf("the package does not have the key %q", k)
			}
		}
	}
	for _, name := range []string{"4. Operations", "Host operations"} {
		for _, r := range section(t, name) {
			for _, m := range marked.FindAllStringSubmatch(r[2]+r[3], -1) {
				if !declared[m[1]] && !isWord(m[1]) {
					t.Errorf("%s: the package does not have the key %q", r[0], m[1])
				}
			}
		}
	}
}

var marked = regexp.MustCompile("`([^`]*)`")

// isWord are the marked words of the tables that are no keys.
func isWord(s string) bool {
	return slices.Contains([]string{
		"entry", "list", "http", "hash", "?", "{key}", "sha1", "sha384", "sha512", "md5", "crc32c", "crc64", "zstd", "gzip", "hex", "base64", "base64url",
		"rfc3339", "iso-basic", "date", "counter", "gauge",
	}, s)
}
