// Command ostree-trivial-httpd serves the files of a directory over HTTP, for tests.
package main

import (
	"os"

	"rpmostree/internal/cli/httpd"
)

func main() { os.Exit(httpd.Main(os.Args[1:], os.Stdout, os.Stderr)) }
