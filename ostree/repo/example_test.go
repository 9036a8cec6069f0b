package repo_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// A directory is committed to a branch, and checked out again.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	src := filepath.Join(dir, "src")
	os.Mkdir(src, 0o755)
	os.WriteFile(filepath.Join(src, "hello"), []byte("hello\n"), 0o644)

	r, err := repo.Init(filepath.Join(dir, "repo"), repo.InitOptions{Mode: repo.BareUser})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	ctx := context.Background()
	tx, err := r.Begin(ctx, repo.TransactionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer tx.Abort() // does nothing after Commit
	tree, err := tx.ImportDir(src, repo.ImportOptions{CanonicalPermissions: true})
	if err != nil {
		log.Fatal(err)
	}
	commit := &ostree.Commit{Subject: "first"}
	if commit.Tree, commit.Meta, err = tree.Write(tx); err != nil {
		log.Fatal(err)
	}
	sum, err := tx.WriteCommit(commit)
	if err != nil {
		log.Fatal(err)
	}
	tx.SetRef("", "main", sum)
	if _, err := tx.Commit(); err != nil {
		log.Fatal(err)
	}

	sum, err = r.ResolveRev("main")
	if err != nil {
		log.Fatal(err)
	}
	dest := filepath.Join(dir, "dest")
	if err := r.Checkout(ctx, sum, dest, repo.CheckoutOptions{UserMode: true}); err != nil {
		log.Fatal(err)
	}
	b, _ := os.ReadFile(filepath.Join(dest, "hello"))
	fmt.Printf("%s%s", sum, "\n"+string(b))
	// Output:
	// 4cf9be5ece96730a1fb6aa33b3c47db8900b99c371769706e858a3f5080da7ed
	// hello
}
