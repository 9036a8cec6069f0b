// Package failpoint makes a process die, or an operation fail, at a named point
// of a write path, so that tests can show that nothing is ever half done.
//
// A point is armed by the environment variable RPMOSTREE_FAILPOINT:
//
//	NAME          the process kills itself with SIGKILL when it passes NAME
//	NAME=error    At(NAME) returns an error that wraps ErrInjected
//	NAME@3        as above, but at the third passage (also NAME@3=error)
//
// The variable is read once. When it is unset, At costs one comparison.
package failpoint

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// Env is the environment variable that arms a point.
const Env = "RPMOSTREE_FAILPOINT"

// ErrInjected is wrapped by every error that At returns.
var ErrInjected = errors.New("injected failure")

type arming struct {
	name  string
	fail  bool
	after int64
	seen  atomic.Int64
}

var armed = sync.OnceValue(func() *arming { return parse(os.Getenv(Env)) })

func parse(s string) *arming {
	if s == "" {
		return nil
	}
	a := &arming{after: 1}
	s, action, _ := strings.Cut(s, "=")
	a.fail = action == "error"
	name, count, ok := strings.Cut(s, "@")
	a.name = name
	if n, err := strconv.ParseInt(count, 10, 64); ok && err == nil && n > 0 {
		a.after = n
	}
	return a
}

// At marks the point name of a write path. It returns nil unless the point is
// armed; see the package comment.
func At(name string) error {
	a := armed()
	if a == nil || a.name != name || a.seen.Add(1) != a.after {
		return nil
	}
	if a.fail {
		return fmt.Errorf("%s: %w", name, ErrInjected)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		return err
	}
	select {} // the signal ends the process before anything else is written
}
