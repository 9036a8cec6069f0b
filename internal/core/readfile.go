package core

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
)

// maxLinks is how many symbolic links ReadFile follows, as the kernel.
const maxLinks = 40

// ReadFile returns the content of a small regular file of an image. Symbolic links
// are followed as if the image had booted: what it has in /usr/etc is in /etc then.
func ReadFile(o *repo.Objects, t tree.Tree, name string) ([]byte, error) {
	at := bootedPath(name)
	for range maxLinks {
		e, err := t.Lookup(imagePath(at))
		link, rest := at, ""
		var below *tree.NotDirError
		if errors.As(err, &below) {
			rest = strings.TrimPrefix("/"+imagePath(at), below.Path)
			link = strings.TrimSuffix(at, rest)
			e.Checksum = below.Checksum
		} else if err != nil {
			return nil, err
		}
		if e.IsDir {
			return nil, fmt.Errorf("%s: is a directory", name)
		}
		h, err2 := o.FileHeader(e.Checksum)
		switch {
		case err2 != nil:
			return nil, fmt.Errorf("%s: %w", name, err2)
		case !ostree.IsSymlink(h.Mode) && err != nil:
			return nil, err
		case !ostree.IsSymlink(h.Mode):
			text, err := readRegular(o, e)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			return text, nil
		}
		if !path.IsAbs(h.Target) {
			h.Target = path.Join("/", path.Dir(link), h.Target)
		}
		at = strings.TrimPrefix(path.Clean(h.Target+rest), "/")
	}
	return nil, fmt.Errorf("%s: %w", name, unix.ELOOP)
}

// bootedPath returns where a file of an image is when it has booted.
func bootedPath(p string) string {
	if rest, ok := strings.CutPrefix(p, "usr/etc/"); ok {
		return "etc/" + rest
	}
	return p
}

// imagePath is the reverse of bootedPath.
func imagePath(p string) string {
	if rest, ok := strings.CutPrefix(p, "etc/"); ok {
		return "usr/etc/" + rest
	}
	return p
}
