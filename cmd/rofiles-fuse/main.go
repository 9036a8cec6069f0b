// Command rofiles-fuse shows a directory so that files with other links cannot be changed.
package main

import (
	"os"

	"rpmostree/internal/cli/rofiles"
)

func main() { os.Exit(rofiles.Main(os.Args[1:], os.Stdout, os.Stderr)) }
