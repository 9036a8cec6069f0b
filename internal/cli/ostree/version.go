package ostree

import (
	"fmt"
	"io"
	"os/signal"
	"syscall"
)

// compatVersion is the release of libostree whose behaviour this command has; programs
// compare the number in "ostree --version".
const compatVersion = "2026.4"

// features are the words of libostree's list that hold here.
var features = []string{"gpgme", "inode64", "initial-var", "libarchive", "libmount", "p2p", "release", "selinux", "sign-ed25519", "sign-spki", "systemd"}

// printVersion prints YAML, as programs expect. They may not read all of it.
func printVersion(w io.Writer) {
	signal.Ignore(syscall.SIGPIPE)
	fmt.Fprintf(w, "libostree:\n Version: '%s'\n Features:\n", compatVersion)
	for _, f := range features {
		fmt.Fprintf(w, "  - %s\n", f)
	}
}
