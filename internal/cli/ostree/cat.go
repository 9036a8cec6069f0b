package ostree

import (
	"errors"
	"io"
	"path"

	"rpmostree/ostree"
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
			entry, err := lookup(t, path.Clean("/"+p))
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
