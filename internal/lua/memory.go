package lua

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// A memoryLimit is what this process may allocate while a script runs. It counts
// private memory that can be written (RLIMIT_DATA since Linux 4.7), which is what
// Go's heap is.
type memoryLimit struct{ before, during unix.Rlimit }

// limitMemory sets a limit in bytes, 0 for none.
func limitMemory(bytes uint64) (memoryLimit, error) {
	var m memoryLimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &m.before); err != nil {
		return m, fmt.Errorf("getrlimit: %w", err)
	}
	m.during = m.before
	if bytes != 0 {
		m.during.Cur = min(bytes, m.before.Cur)
	}
	return m, m.set()
}

func (m memoryLimit) set() error  { return unix.Setrlimit(unix.RLIMIT_DATA, &m.during) }
func (m memoryLimit) lift() error { return unix.Setrlimit(unix.RLIMIT_DATA, &m.before) }
