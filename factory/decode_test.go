package factory_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
)

// level is a type that checks its own value.
type level string

func (l *level) UnmarshalText(text []byte) error {
	switch string(text) {
	case "low", "high":
		*l = level(text)
		return nil
	case "quoted":
		return fmt.Errorf("unknown level %q", text)
	}
	return fmt.Errorf("must be low or high")
}

type common struct {
	Bucket string `parameter:"bucket"`
}

type config struct {
	common  `parameter:",squash"`
	Bool    bool              `parameter:"bool"`
	Int     int               `parameter:"int"`
	Int32   int32             `parameter:"int32"`
	Uint    uint64            `parameter:"uint"`
	Float   float64           `parameter:"float"`
	Wait    time.Duration     `parameter:"wait"`
	List    []string          `parameter:"list"`
	Numbers []int             `parameter:"numbers"`
	Raw     []byte            `parameter:"raw"`
	Map     map[string]string `parameter:"map"`
	Nested  struct {
		Key int `parameter:"key"`
	} `parameter:"nested"`
	Pointer *int  `parameter:"pointer"`
	Level   level `parameter:"level"`
	Any     any   `parameter:"any"`
	Hidden  string
}

const allowed = "allowed are any, bool, bucket, float, int, int32, level, list, map, nested, numbers, pointer, raw, uint, wait"

func TestDecodeAccepts(t *testing.T) {
	for _, c := range []struct {
		name  string
		value any
		want  func(*config)
	}{
		{"bool", true, func(c *config) { c.Bool = true }},
		{"bool", "true", func(c *config) { c.Bool = true }},
		{"bool", "1", func(c *config) { c.Bool = true }},
		{"bool", 1, func(c *config) { c.Bool = true }},
		{"int", 4, func(c *config) { c.Int = 4 }},
		{"int", "4", func(c *config) { c.Int = 4 }},
		{"int", "0x10", func(c *config) { c.Int = 16 }},
		{"int", float64(1 << 40), func(c *config) { c.Int = 1 << 40 }},
		{"int", json.Number("12"), func(c *config) { c.Int = 12 }},
		{"int", int64(-3), func(c *config) { c.Int = -3 }},
		{"int", uint8(3), func(c *config) { c.Int = 3 }},
		{"uint", uint64(1<<64 - 1), func(c *config) { c.Uint = 1<<64 - 1 }},
		{"float", "0.5", func(c *config) { c.Float = 0.5 }},
		{"float", 2, func(c *config) { c.Float = 2 }},
		{"bucket", "b", func(c *config) { c.Bucket = "b" }},
		{"bucket", 1234, func(c *config) { c.Bucket = "1234" }},
		{"bucket", 1e6, func(c *config) { c.Bucket = "1000000" }},
		{"bucket", true, func(c *config) { c.Bucket = "true" }},
		{"wait", "1m30s", func(c *config) { c.Wait = 90 * time.Second }},
		{"wait", time.Second, func(c *config) { c.Wait = time.Second }},
		{"wait", 0, func(c *config) {}},
		{"list", []any{"a", 2, true}, func(c *config) { c.List = []string{"a", "2", "true"} }},
		{"list", "a, b", func(c *config) { c.List = []string{"a", "b"} }},
		{"list", "", func(c *config) { c.List = []string{} }},
		{"numbers", "1,2", func(c *config) { c.Numbers = []int{1, 2} }},
		{"numbers", 7, func(c *config) { c.Numbers = []int{7} }},
		{"raw", "abc", func(c *config) { c.Raw = []byte("abc") }},
		{"map", map[any]any{"a": 1, 2: "b"}, func(c *config) { c.Map = map[string]string{"a": "1", "2": "b"} }},
		{"nested", map[any]any{"key": "5"}, func(c *config) { c.Nested.Key = 5 }},
		{"nested", map[string]any{"key": 5.0}, func(c *config) { c.Nested.Key = 5 }},
		{"pointer", "6", func(c *config) { c.Pointer = new(6) }},
		{"level", "high", func(c *config) { c.Level = "high" }},
		{"any", map[any]any{"x": 1}, func(c *config) { c.Any = map[any]any{"x": 1} }},
		{"int", nil, func(c *config) {}},
		{"bucket", nil, func(c *config) {}},
	} {
		var got, want config
		c.want(&want)
		if err := factory.Decode(map[string]any{c.name: c.value}, &got); err != nil {
			t.Errorf("%s: %T %v: %v", c.name, c.value, c.value, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %T %v: got %+v, want %+v", c.name, c.value, c.value, got, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	const whole = " must be a whole number from -9223372036854775808 to 9223372036854775807"
	for _, c := range []struct {
		name  string
		value any
		want  string
	}{
		{"Bucket", "sesame", `unknown parameter "Bucket": ` + allowed},
		{"Hidden", "sesame", `unknown parameter "Hidden": ` + allowed},
		{"common", "sesame", `unknown parameter "common": ` + allowed},
		{"", "sesame", `unknown parameter "": ` + allowed},
		{"bool", "sesame", `parameter "bool" must be true or false`},
		{"bool", "", `parameter "bool" must be true or false`},
		{"bool", 2, `parameter "bool" must be true or false`},
		{"int", "sesame", `parameter "int"` + whole},
		{"int", "", `parameter "int"` + whole},
		{"int", 1.5, `parameter "int"` + whole},
		{"int", 1e300, `parameter "int"` + whole},
		{"int", uint64(1 << 63), `parameter "int"` + whole},
		{"int", true, `parameter "int"` + whole},
		{"int", []any{1}, `parameter "int"` + whole},
		{"int32", 1 << 31, `parameter "int32" must be a whole number from -2147483648 to 2147483647`},
		{"uint", -1, `parameter "uint" must be a whole number from 0 to 18446744073709551615`},
		{"uint", "-1", `parameter "uint" must be a whole number from 0 to 18446744073709551615`},
		{"float", "sesame", `parameter "float" must be a number`},
		{"float", "NaN", `parameter "float" must be a number`},
		{"bucket", []any{"sesame"}, `parameter "bucket" must be a string`},
		{"bucket", map[any]any{"sesame": 1}, `parameter "bucket" must be a string`},
		{"wait", 30, `parameter "wait" must be a duration such as "30s"`},
		{"wait", "sesame", `parameter "wait" must be a duration such as "30s"`},
		{"wait", []any{}, `parameter "wait" must be a duration such as "30s"`},
		{"nested", "sesame", `parameter "nested" must be a map`},
		{"nested", []any{"sesame"}, `parameter "nested" must be a map`},
		{"map", "sesame", `parameter "map" must be a map`},
		{"nested", map[any]any{"kez": "sesame"}, `parameter "nested" has unknown keys: "kez"`},
		{"nested", map[any]any{"key": "sesame"}, `parameter "nested.key"` + whole},
		{"numbers", []any{1, "sesame"}, `parameter "numbers[1]"` + whole},
		{"level", "sesame", `parameter "level" must be low or high`},
		{"level", "quoted", `parameter "level" is not acceptable`},
		{"list", map[any]any{"a": "sesame"}, `parameter "list" must be a list`},
	} {
		err := factory.Decode(map[string]any{c.name: c.value}, &config{})
		if storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || err.Error() != "invalid argument: "+c.want {
			t.Errorf("%s: %T %v:\n got %v\nwant %s", c.name, c.value, c.value, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: the error holds the value: %v", c.name, err)
		}
	}
}

func TestDecodeNamesAllThatIsWrong(t *testing.T) {
	err := factory.Decode(map[string]any{"x": 1, "y": 2, "int": "z", "bool": "z", "bucket": "fine"}, &config{})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`"x"`, `"y"`, `"int"`, `"bool"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q is not one line", err)
	}
}

func TestDecodeKeepsDefaultsAndItsInput(t *testing.T) {
	in := map[string]any{"int": "5", "bucket": nil}
	c := config{common: common{Bucket: "default"}, Uint: 7, List: []string{"a", "b"}}
	if err := factory.Decode(in, &c); err != nil {
		t.Fatal(err)
	}
	if c.Bucket != "default" || c.Uint != 7 || c.Int != 5 || len(c.List) != 2 {
		t.Errorf("got %+v", c)
	}
	if len(in) != 2 || in["int"] != "5" {
		t.Errorf("the input became %v", in)
	}
	if err := factory.Decode(nil, &c); err != nil {
		t.Errorf("no parameters: %v", err)
	}
	if err := factory.Decode(map[string]any{"a": 1}, &struct{}{}); err == nil || !strings.Contains(err.Error(), "there are no parameters") {
		t.Errorf("a driver without parameters: %v", err)
	}
	if err := factory.Decode(in, c); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument {
		t.Errorf("not a pointer: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"int":1}`, `{"bucket":"x","nope":[1]}`, `{"nested":{"key":"1","z":{}}}`, `{"numbers":["1",[2]]}`, `{"map":{"a":{"b":1}}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var in map[string]any
		if json.Unmarshal([]byte(text), &in) != nil {
			return
		}
		err := factory.Decode(in, &config{})
		if err != nil && storagedriver.KindOf(err) != storagedriver.KindInvalidArgument {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("%s: not one line: %q", text, err)
		}
	})
}
