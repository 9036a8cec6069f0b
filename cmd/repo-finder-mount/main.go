// Command repo-finder-mount prints the refs of collections that repositories on a volume have,
// which "ostree find-remotes --finders=mount" would find if the volume was removable.
package main

import (
	"fmt"
	"os"

	"rpmostree/ostree"
	"rpmostree/ostree/find"
	"rpmostree/ostree/repo"
)

func main() {
	args := os.Args[1:]
	if len(args) < 4 || len(args)%2 != 0 {
		fmt.Fprintf(os.Stderr, "Usage: %s REPO MOUNT-ROOT COLLECTION-ID REF-NAME [COLLECTION-ID REF-NAME …]\n", os.Args[0])
		os.Exit(1)
	}
	if err := run(args[0], args[1], args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(path, root string, pairs []string) error {
	r, err := repo.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	var refs []ostree.CollectionRef
	for i := 0; i < len(pairs); i += 2 {
		refs = append(refs, ostree.CollectionRef{Collection: pairs[i], Ref: pairs[i+1]})
	}
	results, err := find.Mount{Roots: []string{root}}.Find(r, refs)
	for i, res := range results {
		for _, ref := range res.Refs {
			fmt.Println(i, res.Name, ref.Collection, ref.Ref, ref.Checksum)
		}
	}
	return err
}
