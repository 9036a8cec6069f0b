package label

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"rpmostree/internal/selinux"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
)

// Dir is where the policies of an image are.
const Dir = "usr/etc/selinux"

// A Reader checks trees out: a *repo.Transaction.
type Reader interface {
	CheckoutTree(ctx context.Context, t tree.Tree, dir string, o repo.CheckoutOptions) error
}

// Open reads the policy of an image. It is put into dir, a directory on the file
// system of the repository, meanwhile. The Name of the policy is "" if the image has
// none, or SELinux is disabled in it.
func Open(ctx context.Context, t tree.Tree, r Reader, dir string) (*selinux.Policy, error) {
	sub, err := t.Subtree(Dir)
	var below *tree.NotDirError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &below) {
		return &selinux.Policy{}, nil
	} else if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, path.Dir(Dir)), 0o700); err != nil {
		return nil, err
	}
	if err := r.CheckoutTree(ctx, sub, filepath.Join(dir, Dir), repo.CheckoutOptions{}); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return selinux.Open(root.FS())
}

// Same reports whether the policy called name gives the same labels in both trees.
func Same(a, b tree.Tree, name string) (bool, error) {
	for _, p := range []string{path.Join(Dir, "config"), path.Join(Dir, name, "contexts/files"), path.Join(Dir, name, "policy")} {
		x, err := identity(a, p)
		if err != nil {
			return false, err
		}
		y, err := identity(b, p)
		if err != nil || x != y {
			return false, err
		}
	}
	return true, nil
}

// identity returns the name of the object at p, "" if there is none. Metadata of
// directories do not count.
func identity(t tree.Tree, p string) (string, error) {
	e, err := t.Lookup(p)
	var below *tree.NotDirError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &below) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	if !e.IsDir {
		return e.Checksum.String(), nil
	}
	sum, _, err := e.Tree().Checksums()
	return sum.String(), err
}
