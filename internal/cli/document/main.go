// Command document writes the manual pages and the shell completions of the programs, made
// from their tables of options, into a directory:
//
//	man1/*.1  bash/ostree  fish/ostree.fish  zsh/_ostree
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"rpmostree/internal/cli/httpd"
	"rpmostree/internal/cli/ostree"
	"rpmostree/internal/cli/rofiles"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: document DIR")
		os.Exit(2)
	}
	if err := document(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func document(dir string) error {
	for _, p := range append(ostree.Pages(), httpd.Page(), rofiles.Page()) {
		if err := write(filepath.Join(dir, "man1", p.File()), p.Write); err != nil {
			return err
		}
	}
	for shell, name := range map[string]string{"bash": "ostree", "fish": "ostree.fish", "zsh": "_ostree"} {
		err := write(filepath.Join(dir, shell, name), func(w io.Writer) error { return ostree.Completion(w, shell) })
		if err != nil {
			return err
		}
	}
	return nil
}

func write(path string, content func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := content(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
