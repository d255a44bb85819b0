package filesystem_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/drivers/filesystem"
)

// childVariable makes the test binary another process of a test: KIND|ROOT|ARGUMENT.
const childVariable = "FILESYSTEM_TEST_CHILD"

func TestMain(m *testing.M) {
	arg := os.Getenv(childVariable)
	if arg == "" {
		os.Exit(m.Run())
	}
	fields := strings.SplitN(arg, "|", 3)
	root, arg := fields[1], fields[2]
	err := fmt.Errorf("there is no child %q", fields[0])
	switch fields[0] {
	case "hanging":
		err = hangingChild(root, arg)
	case "loop":
		err = loopChild(root, filesystem.Fsync(arg))
	case "peer":
		err = peerChild(root, arg)
	}
	if err != nil {
		fmt.Println("error:", err)
		fmt.Fprintln(os.Stderr, "the child ended:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// childCommand returns the command that runs such a process. ctx kills it.
func childCommand(ctx context.Context, t testing.TB, kind, root, arg string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childVariable+"="+kind+"|"+root+"|"+arg)
	cmd.Stderr = os.Stderr
	return cmd
}
