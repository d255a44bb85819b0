package modelrapid_test

import (
	"fmt"
	"time"

	"github.com/berth-dev/storagedriver/testsuites/model"
	"github.com/berth-dev/storagedriver/testsuites/model/modelrapid"
)

// A script that fails is shrunk to what the failure needs.
func ExampleShrink() {
	script, err := model.Parse("put /a 10\nput /b 2000\nstat /a\nmove /b /c\nlist /")
	if err != nil {
		fmt.Println(err)
		return
	}
	moves := func(s model.Script) error {
		for _, op := range s {
			if op.Kind == model.Move {
				return fmt.Errorf("%v fails", op)
			}
		}
		return nil
	}
	short, err := modelrapid.Shrink(script, moves(script), time.Now().Add(time.Minute), moves)
	fmt.Print(short)
	fmt.Println(err)
	// Output:
	// move /b /c
	// move /b /c fails
}
