package sysroot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
	"rpmostree/ostree"
)

// Cleanup removes what the deployments of st do not need: links and entries of
// other bootversions, deployment directories, kernels in /boot, and objects of
// the repository that no ref and no deployment reaches. The lock must be held.
func (s *Sysroot) Cleanup(ctx context.Context, st *State) error {
	if err := s.PrepareCleanup(ctx, st); err != nil {
		return err
	}
	_, err := s.PruneRepo(ctx)
	return err
}

// PrepareCleanup is Cleanup without the objects of the repository. It is fast.
func (s *Sysroot) PrepareCleanup(ctx context.Context, st *State) error {
	for _, step := range []struct {
		what string
		do   func(*State) error
	}{
		{"Finishing bootloader", func(st *State) error { return s.finishLoader(ctx, st) }},
		{"Cleaning bootversions", s.cleanBootVersions},
		{"Cleaning deployments", s.cleanDeployments},
		{"Cleaning bootfs", s.cleanBoot},
		{"Generating deployment refs", func(st *State) error { return s.writeRefs(ctx, st) }},
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step.do(st); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
		if err := failpoint.At("sysroot.cleanup"); err != nil {
			return err
		}
	}
	return nil
}

// finishLoader does what was left to do when the last change of boot entries was
// interrupted. Until then the machine boots what was there before it: that must not be
// removed, nor must its links be written anew. Without entries nothing is left to do.
func (s *Sysroot) finishLoader(ctx context.Context, st *State) error {
	if s.boot == nil {
		return nil
	}
	entries, err := s.readEntries(st.BootVersion)
	if err != nil || len(entries) == 0 {
		return err
	}
	loader, target, err := s.findLoader(st.BootVersion, withoutStaged(st.Deployments), entries)
	if loader == nil || err != nil {
		return err
	}
	return loader.Finish(ctx, target)
}

// cleanBootVersions removes the entries and links that are not in use.
func (s *Sysroot) cleanBootVersions(st *State) error {
	other := 1 - st.BootVersion
	if s.boot != nil {
		for _, name := range []string{fmt.Sprintf("loader.%d", other), "loader.tmp"} {
			if err := s.boot.RemoveAll(name); err != nil {
				return err
			}
		}
	}
	for _, name := range []string{
		fmt.Sprintf("boot.%d", other),
		fmt.Sprintf("boot.%d.tmp", other),
		fmt.Sprintf("boot.%d.0", other),
		fmt.Sprintf("boot.%d.1", other),
		fmt.Sprintf("boot.%d.%d", st.BootVersion, 1-st.SubBootVersion),
	} {
		if err := s.ostree.RemoveAll(name); err != nil {
			return err
		}
	}
	return nil
}

// deployDirs calls visit for each directory of each stateroot that has the
// name of a deployment.
func (s *Sysroot) deployDirs(visit func(Deployment) error) error {
	deploy, err := openOptional(s.ostree, "deploy")
	if deploy == nil || err != nil {
		return err
	}
	defer deploy.Close()
	osnames, err := sortedNames(deploy)
	if err != nil {
		return err
	}
	for _, osname := range osnames {
		found, err := deploymentsIn(deploy, osname)
		if err != nil {
			return err
		}
		for _, d := range found {
			if err := visit(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// deploymentsIn lists the deployment directories of a stateroot.
func deploymentsIn(deploy *dirfd.Dir, osname string) ([]Deployment, error) {
	dir, err := deploy.OpenDirBeneath(osname+"/deploy", dirfd.NoSymlinks)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := sortedNames(dir)
	if err != nil {
		return nil, err
	}
	var found []Deployment
	for _, name := range names {
		st, err := dir.Stat(name)
		if err != nil {
			return nil, err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue
		}
		csum, serial, err := parseName(name)
		if err != nil {
			return nil, err
		}
		found = append(found, Deployment{OSName: osname, Checksum: csum, Serial: serial})
	}
	return found, nil
}

// cleanDeployments removes the deployment directories that are not in the
// state.
func (s *Sysroot) cleanDeployments(st *State) error {
	active := make(map[string]bool)
	for _, d := range st.Deployments {
		active[d.path()] = true
	}
	return s.deployDirs(func(d Deployment) error {
		if active[d.path()] {
			return nil
		}
		return s.removeDeployment(d)
	})
}

// removeDeployment removes a deployment directory and what belongs to it. The
// directory goes last: while it is there, the rest is found again.
func (s *Sysroot) removeDeployment(d Deployment) error {
	root, err := s.ostree.OpenDirBeneath(d.path(), dirfd.NoSymlinks)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	if running, err := s.isRootDir(root); running || err != nil {
		return err // never pull the floor from under the running system
	}
	if err := setImmutable(root.FD(), false); err != nil {
		return err
	}
	for _, p := range []string{d.backingPath(), d.originPath(), d.path()} {
		if err := s.removeBelow(p); err != nil {
			return err
		}
		if err := failpoint.At("sysroot.remove"); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sysroot) isRootDir(dir *dirfd.Dir) (bool, error) {
	var root, st unix.Stat_t
	if err := unix.Stat(s.host.root, &root); err != nil {
		return false, err
	}
	if err := unix.Fstat(dir.FD(), &st); err != nil {
		return false, err
	}
	return root.Dev == st.Dev && root.Ino == st.Ino, nil
}

// removeBelow removes a path relative to the ostree directory.
func (s *Sysroot) removeBelow(p string) error {
	dir, err := s.ostree.OpenDirBeneath(path.Dir(p), dirfd.NoSymlinks)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.RemoveAll(path.Base(p))
}

// cleanBoot removes kernels and additional initramfs images from /boot.
func (s *Sysroot) cleanBoot(st *State) error {
	if s.boot == nil {
		return nil
	}
	kernels, overlays := make(map[string]bool), make(map[string]bool)
	for _, d := range st.Deployments {
		kernels[d.BootChecksum] = true
		for _, o := range d.Overlays {
			overlays[o+".img"] = true
		}
	}
	dir, err := openOptional(s.boot, "ostree")
	if dir == nil || err != nil {
		return err
	}
	defer dir.Close()
	names, err := sortedNames(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		csum := name[strings.LastIndexByte(name, '-')+1:]
		if _, err := ostree.ParseChecksum(csum); err != nil || csum == name || kernels[csum] {
			continue
		}
		if st, err := dir.Stat(name); err != nil {
			return err
		} else if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue // not ours
		}
		if err := dir.RemoveAll(name); err != nil {
			return err
		}
		if err := failpoint.At("sysroot.remove.kernel"); err != nil {
			return err
		}
	}
	return cleanOverlays(dir, overlays)
}

func cleanOverlays(dir *dirfd.Dir, active map[string]bool) error {
	images, err := openOptional(dir, path.Base(overlaysDir))
	if images == nil || err != nil {
		return err
	}
	defer images.Close()
	names, err := sortedNames(images)
	if err != nil {
		return err
	}
	for _, name := range names {
		st, err := images.Stat(name)
		if err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFREG || active[name] {
			continue
		}
		if err := images.Unlink(name); err != nil {
			return err
		}
	}
	return nil
}
