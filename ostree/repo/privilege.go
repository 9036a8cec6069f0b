package repo

import (
	"os"

	"golang.org/x/sys/unix"
)

// Privileged reports whether this process may change the running system: root may
// not in a container that lacks CAP_SYS_ADMIN.
func Privileged() bool {
	if os.Geteuid() != 0 {
		return false
	}
	has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, unix.CAP_SYS_ADMIN, 0, 0, 0)
	return err == nil && has == 1
}
