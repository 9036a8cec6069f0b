package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"
)

// ResolveRev finds the commit that rev names. It may be a checksum, a branch, a
// "remote:branch", a "remote:checksum", the unique start of the checksum of a commit; "^" after any
// of them is its parent. A checksum is not looked up. The error wraps
// fs.ErrNotExist when there is no such thing.
func (r *Repo) ResolveRev(rev string) (ostree.Checksum, error) {
	base := strings.TrimRight(rev, "^")
	sum, err := r.resolveBase(base)
	if err != nil {
		return ostree.Checksum{}, err
	}
	for range len(rev) - len(base) {
		c, err := r.Commit(sum)
		if err != nil {
			return ostree.Checksum{}, err
		}
		if c.Parent.IsZero() {
			return ostree.Checksum{}, fmt.Errorf("Commit %s has no parent", sum)
		}
		sum = c.Parent
	}
	return sum, nil
}

// A notFoundError has the text of upstream's message and unwraps to
// fs.ErrNotExist.
type notFoundError string

func (e notFoundError) Error() string { return string(e) }
func (notFoundError) Unwrap() error   { return fs.ErrNotExist }

func (r *Repo) resolveBase(rev string) (ostree.Checksum, error) {
	if sum, err := ostree.ParseChecksum(rev); err == nil {
		return sum, nil
	}
	remote, ref, err := ostree.ParseRefspec(rev)
	if err != nil {
		return ostree.Checksum{}, err
	}
	sum, err := r.resolveRef(remote, ref)
	if err == nil || !isMissing(err) {
		return sum, err
	}
	if remote == "" {
		sum, err := r.resolvePrefix(rev)
		if err == nil || !isMissing(err) {
			return sum, err
		}
	}
	if r.parent != nil {
		return r.parent.resolveBase(rev)
	}
	return ostree.Checksum{}, notFoundError(fmt.Sprintf("Refspec '%s' not found", rev))
}

// resolveRef looks a ref up in this repository. A name without a remote is a
// local branch, else "remote/branch", else the branch of any one remote. 64
// hexadecimal digits are a checksum, which is not looked up.
func (r *Repo) resolveRef(remote, ref string) (ostree.Checksum, error) {
	if sum, err := ostree.ParseChecksum(ref); err == nil {
		return sum, nil
	}
	sum, err := r.readRef(refDir(remote) + "/" + ref)
	if remote != "" || err == nil || !isMissing(err) {
		return sum, err
	}
	if sum, err := r.readRef("refs/remotes/" + ref); err == nil || !isMissing(err) {
		return sum, err
	}
	remotes, err := r.subdirs("refs/remotes")
	if err != nil {
		return ostree.Checksum{}, err
	}
	for _, name := range remotes {
		if sum, err := r.readRef(refDir(name) + "/" + ref); err == nil || !isMissing(err) {
			return sum, err
		}
	}
	return ostree.Checksum{}, fs.ErrNotExist
}

// FindRef returns the commit of a ref of this repository or, if it has none, of a parent, or the
// checksum that ref is. A name
// without a remote may be a ref of any remote, as in ResolveRev; it is never part of a checksum.
// The error wraps fs.ErrNotExist when there is no such ref.
func (r *Repo) FindRef(remote, ref string) (ostree.Checksum, error) {
	sum, err := r.resolveRef(remote, ref)
	if err != nil && isMissing(err) && r.parent != nil {
		return r.parent.FindRef(remote, ref)
	}
	return sum, err
}

// resolvePrefix finds the one commit whose checksum starts with rev.
func (r *Repo) resolvePrefix(rev string) (ostree.Checksum, error) {
	if len(rev) < 2 || len(rev) > 64 || strings.Trim(rev, "0123456789abcdef") != "" {
		return ostree.Checksum{}, fs.ErrNotExist
	}
	var found []ostree.Checksum
	err := r.eachInPrefix(rev[:2], func(n ostree.ObjectName) error {
		if n.Type == ostree.ObjectCommit && strings.HasPrefix(n.Checksum.String(), rev) {
			found = append(found, n.Checksum)
		}
		return nil
	})
	switch {
	case err != nil:
		return ostree.Checksum{}, err
	case len(found) == 0:
		return ostree.Checksum{}, fs.ErrNotExist
	case len(found) > 1:
		return ostree.Checksum{}, fmt.Errorf("Refspec %s not unique", rev)
	}
	return found[0], nil
}

// ResolveSingle returns the only commit of the repository, for repositories
// that hold one commit and no refs.
func (r *Repo) ResolveSingle() (ostree.Checksum, error) {
	var found []ostree.Checksum
	err := r.EachObject(func(n ostree.ObjectName) error {
		if n.Type == ostree.ObjectCommit {
			found = append(found, n.Checksum)
		}
		return nil
	})
	switch {
	case err != nil:
		return ostree.Checksum{}, err
	case len(found) == 0:
		return ostree.Checksum{}, errors.New("No commit objects found")
	case len(found) > 1:
		return ostree.Checksum{}, errors.New("Multiple commit objects found")
	}
	return found[0], nil
}

// EachObject calls visit with the name of every object of the repository
// itself, in no order. Parents are not visited.
func (r *Repo) EachObject(visit func(ostree.ObjectName) error) error {
	names, err := r.subdirs("objects")
	if err != nil {
		return err
	}
	for _, prefix := range names {
		if err := r.eachInPrefix(prefix, visit); err != nil {
			return err
		}
	}
	return nil
}

// eachDirectory is EachObject with the directories in any order: they are read side by side.
func (r *Repo) eachDirectory(visit func(ostree.ObjectName) error) error {
	names, err := r.subdirs("objects")
	if err != nil {
		return err
	}
	var mu sync.Mutex // of visit
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, prefix := range names {
		g.Go(func() error {
			var list []ostree.ObjectName
			err := r.eachInPrefix(prefix, func(n ostree.ObjectName) error {
				list = append(list, n)
				return nil
			})
			mu.Lock()
			defer mu.Unlock()
			for len(list) > 0 && err == nil {
				err = visit(list[0])
				list = list[1:]
			}
			return err
		})
	}
	return g.Wait()
}

func (r *Repo) eachInPrefix(prefix string, visit func(ostree.ObjectName) error) error {
	d, err := r.object.Open(prefix)
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := dirfd.Getdents(d.FD())
	d.Close()
	if err != nil {
		return err
	}
	for _, e := range entries {
		n, ok := r.objectName(prefix, e.Name)
		if !ok {
			continue
		}
		if err := visit(n); err != nil {
			return err
		}
	}
	return nil
}

// objectName parses the name of a file in objects. Other files are not objects.
func (o *Objects) objectName(prefix, file string) (ostree.ObjectName, bool) {
	isFile := false
	if o.mode == Archive {
		file, isFile = strings.CutSuffix(file, "z")
	}
	n, err := ostree.ParseObjectName(prefix + file)
	ok := err == nil && len(prefix) == 2
	if o.mode == Archive {
		ok = ok && isFile != n.Type.IsMetadata()
	}
	return n, ok
}
