package background

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The test program is itself a program that goes into the background.
func TestMain(m *testing.M) {
	if mode := os.Getenv("BACKGROUND_TEST"); mode != "" {
		os.Exit(program(mode))
	}
	os.Exit(m.Run())
}

func program(mode string) int {
	child := Started()
	switch {
	case child == nil:
		if err := Start(); err != nil {
			fmt.Println("start:", errors.Is(err, ErrFailed))
			return 1
		}
		return 0
	case mode == "fail":
		fmt.Println("cannot")
		return 1
	}
	fmt.Println(os.Getpid())
	if err := child.Ready(); err != nil {
		return 1
	}
	fmt.Println("this goes nowhere")
	select {}
}

func TestReady(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "BACKGROUND_TEST=ready")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// The end of the output comes although the process in the background goes on.
	text, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestFail(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "BACKGROUND_TEST=fail")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || string(out) != "cannot\nstart: true\n" {
		t.Errorf("%q, %v", out, err)
	}
}
