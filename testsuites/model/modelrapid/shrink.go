package modelrapid

import (
	"time"

	"github.com/berth-dev/storagedriver/testsuites/model"
)

// tries is how often a script is performed before it counts as one that does not fail.
const tries = 3

// Shrink returns the shortest script it finds, by leaving out operations and making sizes smaller, for which perform
// returns an error, and that error. The script given fails with problem. It gives up at the deadline, with what it has.
func Shrink(script model.Script, problem error, deadline time.Time, perform func(model.Script) error) (model.Script, error) {
	try := func(s model.Script) bool {
		if time.Now().After(deadline) {
			return false
		}
		if _, err := model.Parse(s.String()); err != nil {
			return false // it uses a name that is not opened any more
		}
		// What depends on which of a writer's parts are stored may need some tries.
		for range tries {
			if err := perform(s); err != nil {
				script, problem = s, err
				return true
			}
		}
		return false
	}
	for again := true; again; {
		again = false
		for n := max(1, len(script)/2); n > 0; n /= 2 {
			for i := len(script) - n; i >= begin(script); i-- {
				if i+n <= len(script) && try(without(script, i, n)) {
					again = true
				}
			}
		}
		for i := begin(script); i < len(script); i++ {
			for _, size := range []int64{0, 1, script[i].Size / 2} {
				if size < script[i].Size && try(resized(script, i, size)) {
					again = true
					break
				}
			}
		}
	}
	// The line of an error is that of the script as it is printed.
	numbered, err := model.Parse(script.String())
	if err != nil {
		return script, problem
	}
	for range 10 * tries {
		if err := perform(numbered); err != nil {
			return numbered, err
		}
	}
	return script, problem
}

// begin is where the operations begin, after the size of parts, without which the others mean something else.
func begin(s model.Script) int {
	if s.PartSize() > 0 {
		return 1
	}
	return 0
}

func without(s model.Script, at, n int) model.Script {
	return append(append(model.Script{}, s[:at]...), s[at+n:]...)
}

func resized(s model.Script, at int, size int64) model.Script {
	out := append(model.Script{}, s...)
	out[at].Size = size
	return out
}
