package ostree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// checkouter is the checkout command with its options.
type checkouter struct {
	*env
	union, unionAdd, unionIdentical, allowNoent, fromStdin, noCache, ignored bool
	fromFile, skipList                                                       string
	noFsync, composefs                                                       bool
	policy, prefix                                                           string
	options                                                                  repo.CheckoutOptions
}

func checkoutCommand() *command {
	c := &command{name: "checkout", args: "COMMIT [DESTINATION]", about: "Check out a commit into a filesystem tree", scope: repoScope}
	var k checkouter
	o := &k.options
	c.flag(&o.UserMode, "user-mode", 'U', "Do not change file ownership or initialize extended attributes")
	c.flag(&k.noCache, "disable-cache", 0, "Do not update or use the internal repository uncompressed object cache")
	c.file(&o.Subpath, "subpath", 0, "PATH", "Checkout sub-directory PATH")
	c.flag(&k.union, "union", 0, "Keep existing directories, overwrite existing files")
	c.flag(&k.unionAdd, "union-add", 0, "Keep existing files/directories, only add new")
	c.flag(&k.unionIdentical, "union-identical", 0, "When layering checkouts, error out if a file would be replaced with a different version, but add new files and directories")
	c.flag(&o.Whiteouts, "whiteouts", 0, "Process 'whiteout' (Docker style) entries")
	c.flag(&o.PassthroughWhiteouts, "process-passthrough-whiteouts", 0, "Enable overlayfs whiteout extraction into character devices")
	c.flag(&k.allowNoent, "allow-noent", 0, "Do nothing if specified path does not exist")
	c.flag(&k.fromStdin, "from-stdin", 0, "Process many checkouts from standard input")
	c.str(&k.fromFile, "from-file", 0, "FILE", "Process many checkouts from input file")
	k.noFsync = true // upstream's checkout syncs nothing unless it is asked to
	c.fn(fsyncOption(&k.noFsync), "fsync", 0, "POLICY", "Specify how to invoke fsync()")
	c.flag(&o.RequireHardlinks, "require-hardlinks", 'H', "Do not fall back to full copies if hardlinking fails")
	c.flag(&k.ignored, "force-copy-zerosized", 'z', "Do not hardlink zero-sized files")
	c.hide()
	c.flag(&o.ForceCopy, "force-copy", 'C', "Never hardlink (but may reflink if available)")
	c.flag(&o.BareUserOnlyDirs, "bareuseronly-dirs", 'M', "Suppress mode bits outside of 0775 for directories (suid, world writable, etc.)")
	c.file(&k.skipList, "skip-list", 0, "FILE", "File containing list of files to skip")
	c.file(&k.policy, "selinux-policy", 0, "PATH", "Set SELinux labels based on policy in root filesystem PATH (may be /); implies --force-copy")
	c.str(&k.prefix, "selinux-prefix", 0, "PREFIX", "When setting SELinux labels, prefix all paths by PREFIX")
	c.flag(&k.composefs, "composefs", 0, "Only create a composefs blob")
	c.flag(&k.composefs, "composefs-noverity", 0, "Only create a composefs blob, and disable fsverity")
	c.run = func(e *env) error {
		k.env = e
		return k.run()
	}
	return c
}

// openError is the error for a file that cannot be opened, in the words of GIO.
func openError(name string, err error) error {
	var errno syscall.Errno
	path, absErr := filepath.Abs(name)
	if !errors.As(err, &errno) || absErr != nil {
		return err
	}
	text := errno.Error()
	return fmt.Errorf("Error opening file %s: %s%s", path, strings.ToUpper(text[:1]), text[1:])
}

func (k *checkouter) run() error {
	if err := k.check(); err != nil {
		return err
	}
	switch {
	case len(k.args) == 0:
		return usagef("COMMIT must be specified")
	case k.fromStdin:
		return k.many(k.in)
	case k.fromFile != "":
		f, err := os.Open(k.fromFile)
		if err != nil {
			return openError(k.fromFile, err)
		}
		defer f.Close()
		return k.many(f)
	}
	dest := k.args[0]
	if len(k.args) > 1 {
		dest = k.args[1]
	}
	commit, err := k.repo.ResolveRev(k.args[0])
	if err != nil {
		return err
	}
	return k.checkout(commit, dest)
}

// check turns the options into those of the library.
func (k *checkouter) check() error {
	if k.policy != "" {
		k.options.ForceCopy = true
	}
	switch {
	case k.composefs:
		return errComposefs
	case k.prefix != "" && k.policy == "":
		return errors.New("Cannot specify --selinux-prefix without --selinux-policy")
	case k.union && k.unionAdd:
		return errors.New("Cannot specify both --union and --union-add")
	case k.union && k.unionIdentical:
		return errors.New("Cannot specify both --union and --union-identical")
	case k.unionAdd && k.unionIdentical:
		return errors.New("Cannot specify both --union-add and --union-identical")
	case k.union:
		k.options.Overwrite = repo.UnionFiles
	case k.unionAdd:
		k.options.Overwrite = repo.AddFiles
	case k.unionIdentical:
		if !k.options.RequireHardlinks {
			return errors.New("--union-identical requires --require-hardlinks")
		}
		k.options.Overwrite = repo.UnionIdentical
	}
	if k.options.RequireHardlinks && k.options.ForceCopy {
		return errors.New("Cannot specify both --require-hardlinks and --force-copy")
	}
	o := &k.options
	// As upstream, only plain checkouts use the cache.
	o.Cache = !(k.noCache || k.unionAdd || o.Whiteouts || o.PassthroughWhiteouts || o.RequireHardlinks || o.BareUserOnlyDirs ||
		k.skipList != "" || k.ignored)
	o.Fsync = !k.noFsync
	if on, err := k.repo.Config().Bool("core", "fsync", true); err == nil && !on {
		k.options.Fsync = false
	}
	if k.policy != "" {
		p, err := openPolicy(k.policy)
		if err != nil {
			return err
		}
		k.options.Label = labels(p, k.labelPath)
	}
	if k.skipList != "" {
		b, err := readText(k.skipList)
		if err != nil {
			return err
		}
		k.options.Skip = repo.ParseSkipList(string(b))
	}
	return nil
}

// labelPath returns the path whose label a file gets: the prefix takes the place of what is
// checked out.
func (k *checkouter) labelPath(p string) string {
	if k.prefix == "" {
		return p
	}
	return k.prefix + "/" + strings.TrimPrefix(p, path.Clean("/"+k.options.Subpath))
}

func (k *checkouter) checkout(commit ostree.Checksum, dest string) error {
	err := k.repo.Checkout(k.ctx, commit, dest, k.options)
	if errors.Is(err, fs.ErrNotExist) && k.options.Subpath != "" {
		t, treeErr := k.repo.Tree(commit)
		if treeErr != nil {
			return err
		}
		if _, missing := lookup(t, path.Clean("/"+k.options.Subpath)); missing != nil {
			if k.allowNoent {
				return nil
			}
			return missing
		}
	}
	return err
}

// maxBatch is the size of the longest list of checkouts, in bytes.
const maxBatch = 64 << 20

// many checks out pairs of a revision and a path, each ended by a NUL, into one destination.
// Without its path, the last revision is checked out as a whole.
func (k *checkouter) many(r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, maxBatch+1))
	if err != nil {
		return err
	}
	if len(data) > maxBatch {
		return fmt.Errorf("List of checkouts is larger than %d bytes", maxBatch)
	}
	for pair := range slices.Chunk(strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00"), 2) {
		rev := pair[0]
		if rev == "" {
			break
		}
		commit, err := k.repo.ResolveRev(rev)
		if err != nil {
			return err
		}
		k.options.Subpath = strings.Join(pair[1:], "")
		if err := k.checkout(commit, k.args[0]); err != nil {
			return fmt.Errorf("Processing tree %s: %w", commit, err)
		}
	}
	return nil
}
