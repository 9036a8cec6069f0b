package repo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

// maxRefBytes bounds a ref file, maxRefDepth the directories below refs.
const (
	maxRefBytes = 4096
	maxRefDepth = 64
)

// A Ref is a name of a commit.
type Ref struct {
	Remote   string // "" for a local branch
	Name     string
	Checksum ostree.Checksum
	Alias    string // the local branch that this one is a symbolic link to, or ""
}

// Refspec is the name with its remote, "remote:name".
func (r Ref) Refspec() string { return ostree.Refspec(r.Remote, r.Name) }

func refDir(remote string) string {
	if remote == "" {
		return "refs/heads"
	}
	return "refs/remotes/" + remote
}

// Refs returns every local branch and every remote ref, the local ones first,
// sorted by remote and name.
func (r *Repo) Refs() ([]Ref, error) {
	refs, err := r.listRefs("refs/heads", "")
	if err != nil {
		return nil, err
	}
	remotes, err := r.subdirs("refs/remotes")
	if err != nil {
		return nil, err
	}
	for _, remote := range remotes {
		list, err := r.listRefs(refDir(remote), remote)
		if err != nil {
			return nil, err
		}
		refs = append(refs, list...)
	}
	return refs, nil
}

// LocalRefs returns the local branches sorted by name.
func (r *Repo) LocalRefs() ([]Ref, error) { return r.listRefs("refs/heads", "") }

// RemoteRefs returns the refs that were pulled from a remote, sorted by name.
func (r *Repo) RemoteRefs(remote string) ([]Ref, error) {
	if err := ostree.ValidateRemoteName(remote); err != nil {
		return nil, err
	}
	return r.listRefs(refDir(remote), remote)
}

// A MirrorRef is a ref of a collection that is mirrored here.
type MirrorRef struct {
	ostree.CollectionRef
	Checksum ostree.Checksum
}

// MirrorRefs returns the refs below refs/mirrors, sorted.
func (r *Repo) MirrorRefs() ([]MirrorRef, error) {
	collections, err := r.subdirs("refs/mirrors")
	if err != nil {
		return nil, err
	}
	var out []MirrorRef
	for _, id := range collections {
		refs, err := r.listRefs("refs/mirrors/"+id, "")
		if err != nil {
			return nil, err
		}
		for _, ref := range refs {
			out = append(out, MirrorRef{ostree.CollectionRef{Collection: id, Ref: ref.Name}, ref.Checksum})
		}
	}
	return out, nil
}

// subdirs returns the sorted names of the directories in dir.
func (r *Repo) subdirs(dir string) ([]string, error) {
	d, err := r.dir.OpenDirBeneath(dir, dirfd.NoSymlinks)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir()
	var names []string
	for _, e := range entries {
		if e.Type == unix.DT_DIR || e.Type == unix.DT_UNKNOWN {
			names = append(names, e.Name)
		}
	}
	slices.Sort(names)
	return names, err
}

func (r *Repo) listRefs(dir, remote string) ([]Ref, error) {
	d, err := r.dir.OpenDirBeneath(dir, dirfd.NoSymlinks)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var refs []Ref
	if err := collectRefs(d, "", remote, &refs, 0); err != nil {
		return nil, err
	}
	slices.SortFunc(refs, func(a, b Ref) int { return cmp.Compare(a.Name, b.Name) })
	return refs, nil
}

func collectRefs(d *dirfd.Dir, prefix, remote string, refs *[]Ref, depth int) error {
	if depth > maxRefDepth {
		return fmt.Errorf("refs are nested deeper than %d: %s", maxRefDepth, prefix)
	}
	entries, err := d.ReadDir()
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(prefix, e.Name)
		if sub, err := d.Open(e.Name); err == nil {
			err = collectRefs(sub, name, remote, refs, depth+1)
			sub.Close()
			if err != nil {
				return err
			}
			continue
		}
		if ostree.ValidateRef(name) != nil {
			continue // what else lies there, such as an editor's backup
		}
		sum, err := readRefFile(d, e.Name)
		if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile, or a dangling alias
			continue
		}
		if err != nil {
			return fmt.Errorf("ref %s: %w", name, err)
		}
		ref := Ref{Remote: remote, Name: name, Checksum: sum}
		if target, err := d.Readlink(e.Name); err == nil {
			ref.Alias = path.Join(path.Dir(name), target)
		}
		*refs = append(*refs, ref)
	}
	return nil
}

// readRefFile reads a ref, which may be a symbolic link.
func readRefFile(d *dirfd.Dir, name string) (ostree.Checksum, error) {
	fd, err := dirfd.Openat(d.FD(), name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return ostree.Checksum{}, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	data, err := readAll(fd, maxRefBytes)
	if err != nil {
		return ostree.Checksum{}, pathError("read", name, err)
	}
	return ostree.ParseChecksum(strings.TrimRight(string(data), " \t\r\n"))
}

// LookupRef returns the commit that a local branch (remote "") or a remote ref
// names. The error wraps fs.ErrNotExist when there is none. Parent
// repositories are not asked: see ResolveRev.
func (r *Repo) LookupRef(remote, ref string) (ostree.Checksum, error) {
	if err := ostree.ValidateRef(ref); err != nil {
		return ostree.Checksum{}, err
	}
	if remote != "" {
		if err := ostree.ValidateRemoteName(remote); err != nil {
			return ostree.Checksum{}, err
		}
	}
	return r.readRef(refDir(remote) + "/" + ref)
}

// readRef reads a ref by its path below the repository.
func (r *Repo) readRef(name string) (ostree.Checksum, error) {
	d, err := r.dir.OpenDirBeneath(path.Dir(name), dirfd.NoSymlinks)
	if err != nil {
		if errors.Is(err, unix.ENOTDIR) {
			err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return ostree.Checksum{}, err
	}
	defer d.Close()
	sum, err := readRefFile(d, path.Base(name))
	if errors.Is(err, unix.EISDIR) {
		err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return sum, err
}

// SetRef makes a ref name a commit at once, without a transaction. A zero
// checksum deletes it.
func (r *Repo) SetRef(remote, ref string, c ostree.Checksum) error {
	return r.setRefNow(refUpdate{dir: refDir(remote), name: ref, sum: c})
}

func (r *Repo) setRefNow(u refUpdate) error {
	if err := r.setRef(u); err != nil {
		return err
	}
	return r.autoSummary(context.Background())
}

// SetAlias makes a local branch a symbolic link to another one.
func (r *Repo) SetAlias(ref, target string) error {
	if err := validateNewRef(ref); err != nil {
		return err
	}
	if err := ostree.ValidateRef(target); err != nil {
		return err
	}
	if _, err := r.LookupRef("", target); err != nil {
		return fmt.Errorf("Cannot create alias to non-existent ref: %s", target)
	}
	return r.setRefNow(refUpdate{dir: refDir(""), name: ref, alias: target})
}

// A refUpdate is one change of a ref.
type refUpdate struct {
	dir   string // below the repository
	name  string
	sum   ostree.Checksum // zero: delete, unless there is an alias
	alias string
	// noFsync leaves it to the kernel when the change reaches the disk, as the configuration may.
	noFsync bool
}

func validateNewRef(ref string) error {
	switch {
	case ref == "":
		return errors.New("Invalid empty ref name")
	case ostree.IsChecksum(ref):
		return fmt.Errorf("Rev name '%s' looks like a checksum", ref)
	}
	return ostree.ValidateRef(ref)
}

func (r *Repo) setRef(u refUpdate) error {
	if u.sum.IsZero() && u.alias == "" {
		return r.deleteRef(u)
	}
	if err := validateNewRef(u.name); err != nil {
		return err
	}
	d, err := r.refParent(u)
	if err != nil {
		return err
	}
	defer d.Close()
	base := path.Base(u.name)
	if err := removeEmptyRefDir(d, base, u.name); err != nil {
		return err
	}
	if err := failpoint.At("repo.ref.write"); err != nil {
		return err
	}
	if u.alias != "" {
		return replaceSymlink(d, base, strings.Repeat("../", strings.Count(u.name, "/"))+u.alias)
	}
	fsync := r.settings().fsync && !u.noFsync
	if err := d.WriteFileAtomic(base, []byte(u.sum.String()+"\n"), 0o644, fsync); err != nil {
		return err
	}
	if fsync {
		return d.Sync()
	}
	return nil
}

// refParent opens the directory that a ref is to be written to.
func (r *Repo) refParent(u refUpdate) (*dirfd.Dir, error) {
	full := path.Join(u.dir, path.Dir(u.name))
	d, err := r.dir.CreatePath(full, 0o777)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("Creating ref %s: a part of its name is a ref: %w", u.name, errnoText(err))
	}
	return d, err
}

// removeEmptyRefDir makes way for a ref where a directory without refs is.
func removeEmptyRefDir(d *dirfd.Dir, base, name string) error {
	sub, err := d.Open(base)
	if err != nil {
		return nil // nothing there, or a file that is to be replaced
	}
	defer sub.Close()
	var refs []Ref
	if err := collectRefs(sub, "", "", &refs, 0); err != nil {
		return err
	}
	if len(refs) > 0 {
		return fmt.Errorf("Conflict: %s exists under %s when attempting write", refs[0].Name, name)
	}
	return d.RemoveAll(base)
}

func replaceSymlink(d *dirfd.Dir, name, target string) error {
	tmp, err := d.MkdirTemp(".alias-", 0o700)
	if err != nil {
		return err
	}
	defer d.RemoveAll(tmp)
	sub, err := d.Open(tmp)
	if err != nil {
		return err
	}
	defer sub.Close()
	if err := sub.Symlink(target, "l"); err != nil {
		return err
	}
	return sub.Rename("l", d, name)
}

func (r *Repo) deleteRef(u refUpdate) error {
	if err := ostree.ValidateRef(u.name); err != nil {
		return err
	}
	if u.dir == refDir("") {
		refs, err := r.LocalRefs()
		if err != nil {
			return err
		}
		for _, ref := range refs {
			if ref.Alias == u.name {
				return fmt.Errorf("Ref '%s' has an active alias: '%s'", u.name, ref.Name)
			}
		}
	}
	d, err := r.dir.OpenDirBeneath(path.Join(u.dir, path.Dir(u.name)), dirfd.NoSymlinks)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Unlink(path.Base(u.name)); err != nil && !os.IsNotExist(err) {
		return err
	}
	if r.settings().fsync && !u.noFsync {
		return d.Sync()
	}
	return nil
}
