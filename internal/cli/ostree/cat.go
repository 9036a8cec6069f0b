package ostree

import (
	"errors"
	"io"
	"path"

	"rpmostree/ostree"
	"rpmostree/ostree/tree"
)

func catCommand() *command {
	c := &command{name: "cat", args: "COMMIT PATH...", about: "Concatenate contents of files", scope: repoScope}
	c.run = func(e *env) error {
		if len(e.args) < 2 {
			return usagef("A COMMIT and at least one PATH argument are required")
		}
		t, err := e.tree(e.args[0])
		if err != nil {
			return err
		}
		for _, p := range e.args[1:] {
			entry, err := e.follow(t, path.Clean("/"+p))
			if err != nil {
				return err
			}
			if entry.IsDir {
				return errors.New("Can't open directory")
			}
			if err := e.copyFile(entry.Checksum); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

func (e *env) copyFile(sum ostree.Checksum) error {
	_, _, content, err := e.repo.File(sum)
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(e.out, content)
	return err
}

// maxLinks is how many symbolic links are followed to a file, as in Linux.
const maxLinks = 40

// follow finds what is at a path, or what the symbolic link there leads to.
func (e *env) follow(t tree.Tree, p string) (tree.Entry, error) {
	for range maxLinks {
		entry, err := lookup(t, p)
		if err != nil || entry.IsDir {
			return entry, err
		}
		h, err := e.repo.FileHeader(entry.Checksum)
		if err != nil || !ostree.IsSymlink(h.Mode) {
			return entry, err
		}
		if path.IsAbs(h.Target) {
			p = path.Clean(h.Target)
		} else {
			p = path.Join(path.Dir(p), h.Target)
		}
	}
	return tree.Entry{}, errors.New("Too many levels of symbolic links")
}
