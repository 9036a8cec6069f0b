package sysroot

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"
)

const (
	// stateOverlays has a directory with upper and work for each overlay.
	stateOverlays = "var/ostree/state-overlays"
	// overlayOwner is an attribute of upper: the checksum of the deployment that
	// the overlay was last mounted for.
	overlayOwner = "user.ostree.deploymentcsum"
)

// MountStateOverlay mounts an overlay on the directory mountpath of the running
// system, which then is writable. What programs add there stays. What they
// change is theirs until the system is updated: then the new content of the
// deployment wins over what was made in its place.
func (s *Sysroot) MountStateOverlay(st *State, name, mountpath string) error {
	booted, ok := st.Booted()
	if !ok {
		return errors.New("Must be booted into an OSTree deployment")
	}
	if !validElement(name) {
		return fmt.Errorf("invalid name of a state overlay: %q", name)
	}
	root, err := dirfd.Open(s.host.root)
	if err != nil {
		return err
	}
	defer root.Close()
	dir, err := root.CreatePath(filepath.Join(stateOverlays, name), 0o700)
	if err != nil {
		return err
	}
	defer dir.Close()
	work, err := dir.Create("work", 0o700)
	if err != nil {
		return err
	}
	work.Close()
	upper, err := dir.Create("upper", 0o700)
	if err != nil {
		return err
	}
	defer upper.Close()
	if err := updateStateOverlay(upper, mountpath, booted.Checksum); err != nil {
		return fmt.Errorf("Pruning upperdir for %s: %w", name, err)
	}
	// The paths, and not descriptors: they are shown by mount(8).
	at := filepath.Join(s.host.root, stateOverlays, name)
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", overlayPath(mountpath), overlayPath(at+"/upper"), overlayPath(at+"/work"))
	if err := unix.Mount("overlay", mountpath, "overlay", unix.MS_SILENT, options); err != nil {
		return fmt.Errorf("mount(%s): %w", mountpath, err)
	}
	return nil
}

// overlayPath escapes a path for the options of an overlay mount.
func overlayPath(path string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `:`, `\:`).Replace(path)
}

// updateStateOverlay removes from upper what hides something of lower, if that
// is not the deployment that the overlay was mounted on before.
func updateStateOverlay(upper *dirfd.Dir, lower string, csum ostree.Checksum) error {
	last, err := xattrOf(upper, "", overlayOwner)
	if err != nil || last == csum.String() {
		return err
	}
	dir, err := dirfd.Open(lower)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := pruneUpper(dir, upper, 0); err != nil {
		return err
	}
	return unix.Fsetxattr(upper.FD(), overlayOwner, []byte(csum.String()), 0)
}

// xattrOf returns "" for an attribute that is not there.
func xattrOf(dir *dirfd.Dir, name, attr string) (string, error) {
	list, err := dir.Xattrs(name)
	for _, x := range list {
		if x.Name == attr {
			return string(x.Value), nil
		}
	}
	return "", err
}

// maxOverlayDepth bounds how deep the directories of an overlay may nest.
const maxOverlayDepth = 1024

func pruneUpper(lower, upper *dirfd.Dir, depth int) error {
	if depth > maxOverlayDepth {
		return errors.New("directories nest too deeply")
	}
	entries, err := upper.ReadDir()
	if err != nil {
		return err
	}
	for _, e := range entries {
		below, err := lower.Stat(e.Name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // state
		}
		if err != nil {
			return err
		}
		above, err := upper.Stat(e.Name)
		if err != nil {
			return err
		}
		merged := above.Mode&unix.S_IFMT == unix.S_IFDIR && below.Mode&unix.S_IFMT == unix.S_IFDIR
		if merged {
			opaque, err := xattrOf(upper, e.Name, "trusted.overlay.opaque")
			if err != nil {
				return err
			}
			merged = opaque != "y"
		}
		if merged {
			err = inDirs(lower, upper, e.Name, func(l, u *dirfd.Dir) error { return pruneUpper(l, u, depth+1) })
		} else {
			err = upper.RemoveAll(e.Name) // whiteouts as well
		}
		if err != nil {
			return fmt.Errorf("in %s: %w", e.Name, err)
		}
	}
	return nil
}
