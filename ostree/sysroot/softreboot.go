package sysroot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"rpmostree/ostree/bootloader"
	"rpmostree/ostree/sysroot/prepareroot"
)

// systemMounts is the mount namespace of the system.
const systemMounts = "/proc/1/ns/mnt"

// nextRootPath is the state of a prepared soft reboot, an a{sv} that becomes
// ostree-booted when it is over.
func (s *Sysroot) nextRootPath() string { return filepath.Join(s.host.run, "ostree/nextroot-booted") }

// markSoftReboot marks the deployment that a soft reboot is prepared for.
func (s *Sysroot) markSoftReboot(st *State) error {
	if !s.booted {
		return nil
	}
	v, err := readVariantFile(s.nextRootPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("Loading nextroot: failed to read %s: %w", s.nextRootPath(), err)
	}
	root, ok := v.Lookup("backing-root-device-inode")
	if !ok || root.Type() != "(tt)" {
		return fmt.Errorf("Loading nextroot: Missing backing-root-device-inode key in %s", s.nextRootPath())
	}
	for i, d := range st.Deployments {
		var dir unix.Stat_t
		if err := unix.Stat(s.DeploymentPath(d), &dir); err != nil {
			return &fs.PathError{Op: "stat", Path: s.DeploymentPath(d), Err: err}
		}
		if uint64(dir.Dev) == root.Index(0).Uint64() && dir.Ino == root.Index(1).Uint64() {
			st.Deployments[i].SoftReboot = true
		}
	}
	return nil
}

// CanSoftReboot reports whether the running system can go over to a deployment
// without a new kernel: the kernel and its arguments are the same.
func (st *State) CanSoftReboot(d Deployment) bool {
	booted, ok := st.Booted()
	if !ok || booted.BootChecksum != d.BootChecksum {
		return false
	}
	if !d.hasKargs() {
		return true // it will be given those of the booted one
	}
	a, b := booted.Kargs(), d.Kargs()
	for _, k := range []*bootloader.Kargs{&a, &b} {
		if k.DeleteIfPresent("ostree") != nil {
			return false
		}
	}
	return a.String() == b.String()
}

// PrepareSoftReboot makes the next soft reboot (systemctl soft-reboot) lead to
// a deployment. If another one is staged, that is dropped. It returns the new
// state. The lock must be held.
func (s *Sysroot) PrepareSoftReboot(ctx context.Context, st *State, d Deployment) (*State, error) {
	next, err := s.prepareSoftReboot(ctx, st, d)
	if err != nil {
		return nil, fmt.Errorf("Preparing /run/nextroot for a soft-reboot: %w", err)
	}
	return next, nil
}

func (s *Sysroot) prepareSoftReboot(ctx context.Context, st *State, d Deployment) (*State, error) {
	if !st.CanSoftReboot(d) {
		return nil, errors.New("Cannot soft-reboot to deployment with different kernel state")
	}
	if err := s.startFinalizeService(ctx); err != nil {
		return nil, err
	}
	if staged, ok := st.Staged(); ok && !staged.Same(d) {
		if _, err := s.Write(ctx, st, withoutStaged(st.Deployments), WriteOptions{}); err != nil {
			return nil, err
		}
	}
	if err := s.clearNextRoot(); err != nil { // of an earlier call
		return nil, err
	}
	if err := s.host.prepareNext(s.DeploymentPath(d)); err != nil {
		return nil, errors.Join(err, s.clearNextRoot())
	}
	if err := s.touch(); err != nil {
		return nil, err
	}
	return s.Load()
}

// ClearSoftReboot undoes PrepareSoftReboot, if there is anything to undo. The
// lock must be held.
func (s *Sysroot) ClearSoftReboot(st *State) error {
	if _, ok := st.find(func(d Deployment) bool { return d.SoftReboot }); !ok {
		return nil
	}
	if err := s.clearNextRoot(); err != nil {
		return err
	}
	return s.touch()
}

// dropSoftReboot clears what was prepared for a deployment that is not in list.
func (s *Sysroot) dropSoftReboot(st *State, list []Deployment) error {
	d, ok := st.find(func(d Deployment) bool { return d.SoftReboot })
	if !ok {
		return nil
	}
	for _, o := range list {
		if o.Same(d) {
			return nil
		}
	}
	return s.clearNextRoot()
}

func (s *Sysroot) clearNextRoot() error {
	if os.Getenv("OSTREE_SKIP_NEXTROOT_CLEANUP") == "" {
		if err := s.host.clearNext(); err != nil {
			return err
		}
	}
	return removeFile(s.nextRootPath())
}

// prepareNext prepares a soft reboot to the deployment at path, as its own
// configuration wants it.
func prepareNext(path string) error {
	return inSystemMounts(func() error { return PrepareNextRoot(path) })
}

// PrepareNextRoot puts the root of the deployment at path together at
// /run/nextroot, in the mount namespace of the caller. It is the inner part of
// PrepareSoftReboot.
func PrepareNextRoot(path string) error {
	cmdline, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	config, err := prepareroot.LoadConfig(path, string(cmdline))
	if err != nil {
		return err
	}
	return prepareroot.PrepareNext(path, config)
}

func clearNext() error { return inSystemMounts(prepareroot.ClearNext) }

// inSystemMounts calls do in the mount namespace of the system, which is not
// that of this process if EnsureWritable made it another one.
func inSystemMounts(do func() error) error {
	private, err := hasPrivateMounts()
	if err != nil {
		return err
	}
	if !private {
		return do()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := enterMounts(systemMounts)
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

// enterMounts moves the calling thread to another mount namespace.
func enterMounts(path string) error {
	ns, err := os.Open(path)
	if err != nil {
		return err
	}
	defer ns.Close()
	// A thread that shares its root and working directory must not leave.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare(CLONE_FS): %w", err)
	}
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("setns(%s): %w", path, err)
	}
	return nil
}
