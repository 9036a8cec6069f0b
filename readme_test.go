package rpmostree_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
)

// Example is the example of README.md.
func Example() {
	dir, _ := os.MkdirTemp("", "example-")
	defer os.RemoveAll(dir)

	r, err := repo.Init(filepath.Join(dir, "repo"), repo.InitOptions{Mode: repo.BareUserOnly})
	if err != nil {
		panic(err)
	}
	tx, _ := r.Begin(context.Background(), repo.TransactionOptions{})
	file, _ := tx.WriteFile(ostree.FileHeader{Mode: 0o100644}, 6, strings.NewReader("hello\n"))
	t, _ := tree.Tree{}.WithFile("usr/share/greeting", file) // a new value; nothing is written yet
	root, meta, _ := t.Write(tx)
	commit, _ := tx.WriteCommit(&ostree.Commit{Subject: "first", Tree: root, Meta: meta})
	_ = tx.SetRef("", "os/stable", commit)
	if _, err := tx.Commit(); err != nil { // objects, then the ref: all or nothing
		panic(err)
	}
	fmt.Println(commit)
	// Output: e2f1b070adca506f79db4e77abf080812b9e3678c02e3e3a03c2c740a14c1c6c
}

// TestReadmeExample makes sure that the README shows the example that runs.
func TestReadmeExample(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(source), "\tr, err := repo.Init")
	body, _, _ = strings.Cut(body, "\tfmt.Println(commit)")
	for line := range strings.Lines("\tr, err := repo.Init" + body) {
		line = strings.TrimPrefix(strings.TrimRight(line, "\n"), "\t")
		if !strings.Contains(string(readme), line) {
			t.Errorf("README.md lacks %q", line)
		}
	}
}
