// Package postprocess gives a tree that was made of packages the shape of an
// OSTree operating system: the links of the top level, /var and /run empty,
// and the few files that tie it together.
package postprocess

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"rpmostree/ostree"
	"rpmostree/ostree/tree"
)

// A Writer stores files: a *repo.Transaction.
type Writer interface {
	WriteFile(h ostree.FileHeader, size int64, content io.Reader) (ostree.Checksum, error)
}

// An Editor changes a tree. Its first error sticks: later calls do nothing, and
// Tree returns it.
type Editor struct {
	b   *tree.Builder
	w   Writer
	err error
}

// Edit starts with the tree t.
func Edit(t tree.Tree, w Writer) *Editor { return &Editor{b: tree.NewBuilder(t), w: w} }

// Tree returns the result.
func (e *Editor) Tree() (tree.Tree, error) {
	if e.err != nil {
		return tree.Tree{}, e.err
	}
	return e.b.Tree(), nil
}

// Exists reports whether there is something at p.
func (e *Editor) Exists(p string) bool {
	_, err := e.b.Lookup(p)
	return err == nil
}

func (e *Editor) fail(p string, err error) {
	if e.err == nil && err != nil {
		e.err = fmt.Errorf("%s: %w", p, err)
	}
}

// File puts a regular file of root with the permission bits mode at p, in place
// of what is there.
func (e *Editor) File(p string, mode uint32, content string) {
	e.put(p, ostree.FileHeader{Mode: ostree.ModeRegular | mode}, content)
}

// Link puts a symbolic link at p, in place of a file that is there.
func (e *Editor) Link(p, target string) {
	e.put(p, ostree.FileHeader{Mode: ostree.ModeSymlink | 0o777, Target: target}, "")
}

func (e *Editor) put(p string, h ostree.FileHeader, content string) {
	if e.err != nil {
		return
	}
	var r io.Reader
	if content != "" {
		r = strings.NewReader(content)
	}
	sum, err := e.w.WriteFile(h, int64(len(content)), r)
	if err == nil {
		err = e.b.SetFile(p, sum)
	}
	e.fail(p, err)
}

// Dir makes a directory of root, or changes the mode of the one that is there.
func (e *Editor) Dir(p string, mode uint32) {
	if e.err == nil {
		e.fail(p, e.b.SetDir(p, ostree.DirMeta{Mode: ostree.ModeDir | mode}))
	}
}

// Remove takes away what is at p, if there is something.
func (e *Editor) Remove(p string) {
	if e.err != nil {
		return
	}
	err := e.b.Remove(p)
	var below *tree.NotDirError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &below) {
		return
	}
	e.fail(p, err)
}

// topLinks are the links at the top of an image.
var topLinks = [...][2]string{
	{"bin", "usr/bin"}, {"sbin", "usr/sbin"}, {"lib", "usr/lib"}, {"lib64", "usr/lib64"},
	{"home", "var/home"}, {"root", "var/roothome"}, {"srv", "var/srv"}, {"mnt", "var/mnt"},
	{"opt", "var/opt"}, {"media", "run/media"}, {"ostree", "sysroot/ostree"},
}

// Options say what shape an image gets. The zero value is rpm-ostree's default.
type Options struct {
	TmpIsDir bool // /tmp is a directory rather than a link to sysroot/tmp
}

// Skeleton returns a tree with the top level of an image and nothing in it.
func Skeleton(w Writer, opt Options) (tree.Tree, error) {
	e := Edit(tree.Tree{}, w)
	for _, d := range []string{"boot", "dev", "proc", "run", "sys", "sysroot", "usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "usr/etc", "var"} {
		e.Dir(d, 0o755)
	}
	for _, l := range topLinks {
		e.Link(l[0], l[1])
	}
	if opt.TmpIsDir {
		e.Dir("tmp", 0o1777)
	} else {
		e.Link("tmp", "sysroot/tmp")
	}
	return e.Tree()
}

// Where the rpm database is in an image, and the links to it.
const (
	DatabaseDir     = "usr/share/rpm"
	baseDatabaseDir = "usr/lib/sysimage/rpm-ostree-base-db"
	macrosFile      = "usr/lib/rpm/macros.d/macros.rpm-ostree"
)

// integration is made at boot; it holds what an image cannot carry in /var.
const integration = `d /var/home 0755 root root -
d /var/opt 0755 root root -
d /var/srv 0755 root root -
d /var/roothome 0700 root root -
d /var/usrlocal 0755 root root -
d /var/usrlocal/bin 0755 root root -
d /var/usrlocal/etc 0755 root root -
d /var/usrlocal/games 0755 root root -
d /var/usrlocal/include 0755 root root -
d /var/usrlocal/lib 0755 root root -
d /var/usrlocal/man 0755 root root -
d /var/usrlocal/sbin 0755 root root -
d /var/usrlocal/share 0755 root root -
d /var/usrlocal/src 0755 root root -
d /var/mnt 0755 root root -
d /run/media 0755 root root -
L /var/lib/rpm - - - - ../../usr/share/rpm
`

// Integrate adds the files that every image of this kind has.
func Integrate(t tree.Tree, w Writer) (tree.Tree, error) {
	e := Edit(t, w)
	e.File("usr/lib/tmpfiles.d/rpm-ostree-0-integration.conf", 0o644, integration)
	e.File(macrosFile, 0o644, "%_dbpath /usr/share/rpm\n")
	e.Dir(DatabaseDir, 0o755)
	if !e.Exists("usr/lib/sysimage/rpm") {
		e.Link("usr/lib/sysimage/rpm", "../../share/rpm")
	}
	if !e.Exists("usr/local/bin") {
		e.Remove("usr/local")
		e.Link("usr/local", "../var/usrlocal")
	}
	e.Remove("var")
	e.Dir("var", 0o755)
	e.Remove("run")
	e.Dir("run", 0o755)
	return e.Tree()
}

// databaseLeftovers are patterns of what other databases, and programs that had one
// open, leave in its directory. A log would be applied to a database that is not its
// own. What else is there is somebody's.
var databaseLeftovers = []string{
	"rpmdb.sqlite-wal", "rpmdb.sqlite-shm", "rpmdb.sqlite-journal", "Packages", "Packages.db", "Index.db", "__db.*", ".rpm.lock", ".dbenv.lock",
}

// Database puts a package database into the directory dir, and takes away what
// others have left there.
func Database(t tree.Tree, w Writer, dir, name, content string) (tree.Tree, error) {
	e := Edit(t, w)
	list, err := t.ReadDir(dir)
	var below *tree.NotDirError
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.As(err, &below) {
		return t, err
	}
	for _, f := range list {
		for _, pattern := range databaseLeftovers {
			if ok, _ := path.Match(pattern, f.Name); ok && !f.IsDir {
				e.Remove(path.Join(dir, f.Name))
			}
		}
	}
	e.File(path.Join(dir, name), 0o644, content)
	return e.Tree()
}

// BaseDatabase returns the tree with its package database kept as that of the
// base, by which layering finds out later what came with the image.
func BaseDatabase(t tree.Tree) (tree.Tree, error) {
	names, err := t.ReadDir(DatabaseDir)
	if err != nil {
		return t, err
	}
	b := tree.NewBuilder(t)
	for _, e := range names {
		if e.IsDir {
			continue
		}
		if err := b.SetFile(path.Join(baseDatabaseDir, e.Name), e.Checksum); err != nil {
			return t, err
		}
	}
	return b.Tree(), nil
}

// Units enables systemd units, as a link in multi-user.target.wants.
func Units(t tree.Tree, w Writer, units []string) (tree.Tree, error) {
	e := Edit(t, w)
	for _, u := range units {
		if strings.Contains(u, "/") {
			return t, fmt.Errorf("Invalid unit name '%s'", u)
		}
		e.Link("usr/etc/systemd/system/multi-user.target.wants/"+u, "/usr/lib/systemd/system/"+u)
	}
	return e.Tree()
}

// DefaultTarget sets the target that systemd starts.
func DefaultTarget(t tree.Tree, w Writer, target string) (tree.Tree, error) {
	e := Edit(t, w)
	e.Link("usr/etc/systemd/system/default.target", "/usr/lib/systemd/system/"+target)
	return e.Tree()
}

// MachineID sets what systemd makes of the first boot: with compat an empty
// file, which is filled in at boot; otherwise none, which makes the first boot
// a "first boot".
func MachineID(t tree.Tree, w Writer, compat bool) (tree.Tree, error) {
	e := Edit(t, w)
	e.Remove("usr/etc/machine-id")
	if compat {
		e.File("usr/etc/machine-id", 0o444, "")
	}
	return e.Tree()
}

// scratch are files that programs leave in /etc while they edit users.
var scratch = [...]string{
	"usr/etc/.pwd.lock", "usr/etc/passwd-", "usr/etc/group-", "usr/etc/shadow-", "usr/etc/gshadow-",
	"usr/etc/subuid-", "usr/etc/subgid-",
	"usr/etc/passwd.lock", "usr/etc/group.lock", "usr/etc/.updated",
}

// DropScratch removes what programs leave behind that has no place in an image.
func DropScratch(t tree.Tree) (tree.Tree, error) {
	e := Edit(t, nil)
	for _, p := range scratch {
		e.Remove(p)
	}
	return e.Tree()
}
