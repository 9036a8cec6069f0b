package sysroot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/journal"
)

// pruneMargin is free space in /boot beyond what kernels need, in bytes.
const pruneMargin = 1 << 20

// pruneEarly makes room in a small /boot of the running system. If the kernels
// of list do not fit beside those that are there, but would without those that
// list does not need, the deployments of the latter go first, by a write of
// their own. It returns the state after that.
func (s *Sysroot) pruneEarly(ctx context.Context, st *State, list []Deployment, o WriteOptions) (*State, error) {
	if s.opts.NoEarlyPrune || o.noEarlyPrune || !s.booted {
		return st, nil
	}
	separate, err := s.bootIsSeparate()
	if err != nil || !separate {
		return st, err
	}
	if err := s.cleanBoot(st); err != nil {
		return nil, err
	}
	need, gain, wanted, err := s.bootSpace(st, list)
	if err != nil {
		return nil, err
	}
	if fits, err := s.bootFits(need); fits || err != nil {
		return st, err
	}
	if need > gain {
		fits, err := s.bootFits(need - gain)
		if err != nil {
			return st, err
		}
		if !fits { // it would not help: let the write fail for want of space
			s.journal(journal.Entry{Message: "Disabling auto-prune optimization; insufficient space left in bootfs"})
			return st, nil
		}
	}
	var keep []Deployment
	for _, d := range st.Deployments {
		if wanted[d.BootChecksum] || d.Booted {
			keep = append(keep, d)
		}
	}
	s.record(journal.Entry{Message: "Insufficient space left in bootfs; updating bootloader in two steps"})
	next, err := s.Write(ctx, st, keep, WriteOptions{NoClean: true, noEarlyPrune: true})
	if err != nil {
		return nil, err
	}
	return next, s.cleanBoot(next)
}

func (s *Sysroot) bootIsSeparate() (bool, error) {
	var a, b unix.Stat_t
	if err := unix.Fstat(s.ostree.FD(), &a); err != nil {
		return false, err
	}
	if err := unix.Fstat(s.boot.FD(), &b); err != nil {
		return false, err
	}
	return a.Dev != b.Dev, nil
}

// bootSpace returns the bytes that the kernels of list need in addition to
// those in /boot, the bytes of kernels there that list does not need, and the
// bootchecksums of list.
func (s *Sysroot) bootSpace(st *State, list []Deployment) (need, gain int64, wanted map[string]bool, err error) {
	wanted = make(map[string]bool)
	present := make(map[string]bool)
	for _, d := range list {
		wanted[d.BootChecksum] = true
	}
	for _, d := range st.Deployments {
		if d.Staged || present[d.BootChecksum] {
			continue
		}
		size, err := s.treeSize(s.boot, bootDir(d))
		if errors.Is(err, fs.ErrNotExist) {
			continue // somebody has removed it: it is installed anew
		}
		if err != nil {
			return 0, 0, nil, err
		}
		present[d.BootChecksum] = true
		if !wanted[d.BootChecksum] {
			gain += size
		}
	}
	for _, d := range list {
		if present[d.BootChecksum] {
			continue
		}
		present[d.BootChecksum] = true
		size, err := s.kernelSize(d)
		if err != nil {
			return 0, 0, nil, err
		}
		need += size
	}
	return need, gain, wanted, nil
}

// kernelSize returns the bytes that the kernel of d takes in /boot.
func (s *Sysroot) kernelSize(d Deployment) (int64, error) {
	root, err := s.ostree.OpenDirBeneath(d.path(), dirfd.NoSymlinks)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	k, err := findKernel(root, !s.opts.NoDeviceTree)
	if err != nil {
		return 0, err
	}
	var size int64
	for _, f := range k.files() {
		st, err := statBeneath(root, path.Join(k.dir, f.src))
		if err != nil {
			return 0, err
		}
		size += s.inBlocks(st.Size)
	}
	if k.devicetree.src != "" && k.devicetree.dst == "" {
		n, err := s.treeSize(root, path.Join(k.dir, k.devicetree.src))
		if err != nil {
			return 0, err
		}
		size += n
	}
	return size, nil
}

func (s *Sysroot) treeSize(root *dirfd.Dir, at string) (int64, error) {
	dir, err := root.OpenDirBeneath(at, dirfd.InRoot)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	var size int64
	err = filepath.WalkDir(dir.ProcPath("."), func(_ string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			size += s.inBlocks(info.Size())
		}
		return err
	})
	return size, err
}

// inBlocks rounds up to whole blocks of /boot.
func (s *Sysroot) inBlocks(n int64) int64 {
	st, err := s.boot.Statfs()
	if err != nil || st.Bsize <= 0 {
		return n
	}
	return (n + st.Bsize - 1) / st.Bsize * st.Bsize
}

// bootFits tries whether n bytes can be had in /boot: file systems differ in
// what their statistics mean.
func (s *Sysroot) bootFits(n int64) (bool, error) {
	if n == 0 {
		return true, nil
	}
	f, err := s.boot.TmpFile(0o600)
	if err != nil {
		return false, err
	}
	defer f.Close()
	switch err := unix.Fallocate(int(f.Fd()), 0, 0, n+pruneMargin); err {
	case nil, unix.ENOSYS, unix.EOPNOTSUPP:
		return true, nil
	case unix.ENOSPC:
		return false, nil
	default:
		return false, fmt.Errorf("fallocate: %w", err)
	}
}
