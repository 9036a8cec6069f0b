package ostree

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"
	"rpmostree/ostree/pull"
	"rpmostree/ostree/repo"
)

// usbCmd is the create-usb command with its options.
type usbCmd struct {
	*env
	noFsync      bool
	dest, commit string
}

func createUSBCommand() *command {
	c := &command{name: "create-usb", args: "MOUNT-PATH COLLECTION-ID REF [COLLECTION-ID REF...]", about: "Copy the refs to a USB stick", scope: repoScope}
	u := usbCmd{dest: ".ostree/repo"}
	c.flag(&u.noFsync, "disable-fsync", 0, "Do not invoke fsync()")
	c.file(&u.dest, "destination-repo", 0, "DEST", "Use custom repository directory within the mount")
	c.str(&u.commit, "commit", 0, "COMMIT", "Pull a specific commit (only works when a single ref is specified)")
	c.run = func(e *env) error {
		u.env = e
		if len(e.args) == 0 {
			return usagef("A MOUNT-PATH must be specified")
		}
		names, err := collectionRefs(e.args[1:])
		if err != nil {
			return err
		}
		refs := make([]repo.MirrorRef, len(names))
		for i, name := range names {
			refs[i].CollectionRef = name
		}
		if u.commit != "" {
			if len(refs) > 1 {
				return usagef("The --commit option can only be used when a single COLLECTION-ID REF pair is specified")
			}
			if refs[0].Checksum, err = ostree.ParseChecksum(u.commit); err != nil {
				return err
			}
		}
		return u.run(e.args[0], refs)
	}
	return c
}

func (u *usbCmd) run(mount string, refs []repo.MirrorRef) error {
	root, err := dirfd.Open(mount)
	if err != nil {
		return err
	}
	defer root.Close()
	dir, err := makeBeneath(root, u.dest)
	if err != nil {
		return err
	}
	defer dir.Close()
	dest, err := u.openDest(dir)
	if err != nil {
		return err
	}
	defer dest.Close()
	src, err := filepath.Abs(u.repo.Path())
	if err != nil {
		return err
	}
	_, err = pull.Pull(u.ctx, dest, (&url.URL{Scheme: "file", Path: src}).String(), pull.Options{CollectionRefs: refs, Mirror: true, NoFsync: u.noFsync})
	if err != nil {
		return err
	}
	if err := dest.RegenerateSummary(u.ctx, repo.SummaryOptions{}); err != nil {
		return err
	}
	if u.dest != "ostree/repo" && u.dest != ".ostree/repo" {
		if err := linkRepo(root, dir, u.dest); err != nil {
			return err
		}
	}
	u.printf("Copied %d/%d refs successfully from ‘%s’ to ‘%s’ repository in ‘%s’.\n", len(refs), len(refs), src, u.dest, mount)
	return nil
}

// errNotBelow is about directories that links, "..", or mounts take out of the volume.
var errNotBelow = usageError{"--destination-repo must be a descendent of MOUNT-PATH"}

// makeBeneath opens a directory of the volume, and makes it if it is not there.
func makeBeneath(root *dirfd.Dir, p string) (*dirfd.Dir, error) {
	d, err := root.OpenDirBeneath(p, dirfd.Beneath)
	if errors.Is(err, fs.ErrNotExist) {
		d, err = root.CreatePath(path.Clean(p), 0o755)
	}
	if errors.Is(err, unix.EXDEV) || !filepath.IsLocal(p) {
		err = errors.Join(errNotBelow)
	}
	if err != nil {
		if d != nil {
			d.Close()
		}
		return nil, err
	}
	volume, err1 := root.Stat("")
	here, err2 := d.Stat("")
	if err := errors.Join(err1, err2); err != nil || here.Dev != volume.Dev {
		d.Close()
		return nil, errors.Join(err, errNotBelow)
	}
	return d, nil
}

// openDest opens the repository in a directory, and makes it if it is not there. It has the
// mode archive, which every file system can hold.
func (u *usbCmd) openDest(dir *dirfd.Dir) (*repo.Repo, error) {
	own, err1 := u.repo.Dir().Stat("")
	here, err2 := dir.Stat("")
	real, err3 := os.Readlink(dir.ProcPath(""))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	if own.Dev == here.Dev && own.Ino == here.Ino {
		return nil, usagef("--destination-repo must not be the source repository")
	}
	dest, err := repo.Init(real, repo.InitOptions{Mode: repo.Archive})
	if err != nil {
		return nil, err
	}
	if err := dest.CheckWritable(); err != nil {
		dest.Close()
		return nil, err
	}
	return dest, nil
}

// linkRepo lets finders see a repository that is not at a well-known place.
func linkRepo(root, dir *dirfd.Dir, dest string) error {
	links, err := makeBeneath(root, ".ostree/repos.d")
	if err != nil {
		return err
	}
	defer links.Close()
	entries, err := links.ReadDir()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if same(root, path.Join(".ostree/repos.d", e.Name), dir) {
			return nil
		}
	}
	const attempts = 100
	for i := range attempts {
		err := links.Symlink(path.Join("../..", dest), fmt.Sprintf("%02d-generated", i))
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return errors.New("Could not find an unused symlink name for the repository")
}

// same tells whether the path below root is the directory.
func same(root *dirfd.Dir, p string, dir *dirfd.Dir) bool {
	d, err := root.OpenDirBeneath(p, dirfd.Beneath)
	if err != nil {
		return false
	}
	defer d.Close()
	a, err1 := d.Stat("")
	b, err2 := dir.Stat("")
	return err1 == nil && err2 == nil && a.Dev == b.Dev && a.Ino == b.Ino
}
