// Command ostree works on OSTree repositories and on the deployments of a system.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"rpmostree/internal/cli/ostree"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(ostree.Main(ctx, os.Args[1:], ostree.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
