// Distro makes the test distribution in a directory: rpm-md repositories base/ and
// updates/, the treefiles host.yaml and host-updates.yaml, and lab.repo.
//
//	go run ./test/distro -out DIR
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"rpmostree/test/distro/world"
)

func main() {
	out := flag.String("out", "", "directory to make it in; empty: say where the cached one is")
	cache := flag.String("cache", "", "directory of downloads and results")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	w, err := world.Make(ctx, *out, world.Options{CacheDir: *cache, Log: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	fmt.Printf("repositories  %s\n              %s\ntreefiles     %s\n              %s\n", w.Base, w.Updates, w.Treefile, w.UpdateTreefile)
}
