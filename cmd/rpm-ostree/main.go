// Rpm-ostree is the hybrid image/package system for Linux hosts.
package main

import (
	"os"

	"rpmostree/internal/cli/rpmostree"
)

func main() { os.Exit(rpmostree.Main(os.Args[1:], os.Stdout, os.Stderr)) }
