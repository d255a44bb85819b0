//go:build servers

package s3bench

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"
)

// taskVariable tells this binary that it is to do a task, as JSON.
const taskVariable = "BERTH_S3BENCH_TASK"

// The flags say how much the benchmark does.
var (
	service = flag.String("service", "versitygw", "the service: versitygw or minio")
	rounds  = flag.Int("rounds", 5, "how many rounds of each measurement")
	layer   = flag.Int64("layer", 1<<30, "bytes of the one layer that is pushed, and pulled")
	small   = flag.Int64("small", 32<<20, "bytes of each of many layers that are pushed at a time")
	many    = flag.Int("layers", 32, "how many of them")
	walked  = flag.Int("walked", 100_000, "how many objects are walked")
	deleted = flag.Int("deleted", 10_000, "how many objects are deleted")
	repeats = flag.Int("repeats", 2000, "how often the small operations are done; over the link a twentieth of that")
	profile = flag.String("profile", "", "a folder for a CPU profile of each of our tasks")
	floors  = flag.Bool("floors", true, "whether a floor that does not hold fails the benchmark")
)

func TestMain(m *testing.M) {
	if text := os.Getenv(taskVariable); text != "" {
		if err := child(context.Background(), text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child does a task and says on its standard output what that took.
func child(ctx context.Context, text string) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	out, err := t.perform(ctx)
	if err != nil {
		return fmt.Errorf("%s by %s: %w", t.Work, t.Side, err)
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}
