package runtime

import "testing"

func TestAnUploadGoesOnOnlyWhereThatIsCertain(t *testing.T) {
	at := func(stored, size int64) position { return position{Stored: stored, Size: size} }
	first := record{At: []position{at(10, 100)}}
	second := record{Over: []string{"first"}, At: []position{at(10, 100), at(20, 200)}}
	for name, c := range map[string]struct {
		records map[string]record
		stored  int64
		size    int64 // -1: not certain
	}{
		"nothing":                                 {nil, 0, 0},
		"an upload without a record":              {nil, 10, -1},
		"as it was suspended":                     {map[string]record{"first": first}, 10, 100},
		"of another size":                         {map[string]record{"first": first}, 11, -1},
		"a record of what did not come":           {map[string]record{"first": first}, 0, -1},
		"suspended again":                         {map[string]record{"second": second}, 20, 200},
		"not suspended again":                     {map[string]record{"second": second}, 10, 100},
		"the record before is still there":        {map[string]record{"first": first, "second": second}, 20, 200},
		"two writers went on from one":            {map[string]record{"second": second, "other": {Over: []string{"first"}, At: []position{at(20, 300)}}}, 20, -1},
		"two of which only one has the size":      {map[string]record{"second": second, "other": {Over: []string{"first"}, At: []position{at(30, 300)}}}, 20, -1},
		"a writer that knew of none is beside":    {map[string]record{"first": first, "other": {}}, 10, -1},
		"one that has just begun over the first":  {map[string]record{"first": first, "other": {Over: []string{"first"}}}, 10, -1},
		"the last of several positions, if equal": {map[string]record{"x": {At: []position{at(10, 100), at(10, 150)}}}, 10, 150},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := goOn(c.records, c.stored)
			if ok != (c.size >= 0) || ok && got.Size != c.size {
				t.Errorf("%+v, %v; want the size %d", got, ok, c.size)
			}
		})
	}
}
