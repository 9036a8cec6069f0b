package pull_test

import (
	"context"
	"fmt"
	"log"

	"rpmostree/ostree/pull"
	"rpmostree/ostree/repo"
)

// A branch of a configured remote is brought up to date.
func Example() {
	r, err := repo.Open("/ostree/repo")
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	stats, err := pull.Pull(context.Background(), r, "fedora", pull.Options{Refs: []string{"fedora/41/x86_64/silverblue"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stats.Metadata, stats.Content)
}
