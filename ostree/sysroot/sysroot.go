package sysroot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/journal"
	"rpmostree/internal/progress"
	"rpmostree/ostree/repo"
)

// Options changes how a sysroot is worked on. The zero value is right for
// everyday use.
type Options struct {
	// Progress receives messages. nil discards them.
	Progress progress.Sink
	// MutableDeployments leaves the immutable flag of deployments alone.
	MutableDeployments bool
	// SkipSync leaves out the flushing of file systems, for tests and images
	// that are flushed otherwise.
	SkipSync bool
	// NoEarlyPrune keeps old deployments even if their kernels leave no space
	// for the new ones in /boot.
	NoEarlyPrune bool
	// OldEntryNames puts the stateroot into the names of boot entries.
	OldEntryNames bool
	// NoXattrs leaves the extended attributes of /etc and /var behind.
	NoXattrs bool
	// TestFreeze fails when /boot would be frozen; see syncBoot.
	TestFreeze bool
	// NoDeviceTree ignores device trees.
	NoDeviceTree bool

	// host says where the running system is. Tests change it.
	host host
}

// host is what is known of the running system.
type host struct {
	root, run, cmdline string // "/", "/run", "/proc/cmdline"
	systemctl          string // program that starts units; empty in tests
	journal            string // socket of the journal; "" for none
	// prepareNext and clearNext make and remove the root of a soft reboot.
	prepareNext func(deployment string) error
	clearNext   func() error
}

func (h host) orDefault() host {
	if h.root == "" {
		return host{"/", "/run", "/proc/cmdline", "systemctl", journal.Socket, prepareNext, clearNext}
	}
	return h
}

// OptionsFromEnv returns the options that the environment variables
// OSTREE_SYSROOT_OPTS and OSTREE_SYSROOT_DEBUG ask for.
func OptionsFromEnv() Options {
	has := func(variable, word string) bool {
		for w := range strings.FieldsFuncSeq(os.Getenv(variable), func(r rune) bool { return strings.ContainsRune(",:; \t", r) }) {
			if strings.EqualFold(w, word) {
				return true
			}
		}
		return false
	}
	return Options{
		MutableDeployments: has("OSTREE_SYSROOT_DEBUG", "mutable-deployments"),
		NoDeviceTree:       has("OSTREE_SYSROOT_DEBUG", "no-dtb"),
		NoXattrs:           has("OSTREE_SYSROOT_DEBUG", "no-xattrs"),
		TestFreeze:         has("OSTREE_SYSROOT_DEBUG", "test-fifreeze"),
		SkipSync:           has("OSTREE_SYSROOT_OPTS", "skip-sync"),
		NoEarlyPrune:       has("OSTREE_SYSROOT_OPTS", "no-early-prune"),
		OldEntryNames:      has("OSTREE_SYSROOT_OPTS", "bootloader-naming-1"),
	}
}

// A Sysroot is an open sysroot. Methods that read may be used by several
// goroutines at once. Methods that write need the lock; see Lock.
type Sysroot struct {
	path   string
	opts   Options
	host   host
	ostree *dirfd.Dir // the ostree directory
	boot   *dirfd.Dir // the boot directory, or nil
	repo   *repo.Repo
	booted bool // this is the sysroot of the running system
}

// Open opens the sysroot at path, "/" for that of the running system. It
// writes nothing.
func Open(path string, o Options) (*Sysroot, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dir, err := dirfd.Open(abs)
	if err != nil {
		return nil, fmt.Errorf("opendir(%s): %w", abs, cause(err))
	}
	defer dir.Close()
	s, err := open(dir, abs, o)
	if err != nil {
		return nil, fmt.Errorf("loading sysroot: %w", err)
	}
	return s, nil
}

// cause is the error of a system call without what it was called for.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

func open(dir *dirfd.Dir, abs string, o Options) (_ *Sysroot, err error) {
	s := &Sysroot{path: abs, opts: o, host: o.host.orDefault()}
	if s.opts.Progress == nil {
		s.opts.Progress = progress.Discard
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.booted, err = s.isRunning(dir); err != nil {
		return nil, err
	}
	// In a booted deployment ostree is a link to sysroot/ostree.
	if s.ostree, err = dir.OpenDirBeneath("ostree", dirfd.InRoot); err != nil {
		return nil, err
	}
	s.boot, err = dir.OpenDirBeneath("boot", dirfd.InRoot)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if s.repo, err = repo.Open(filepath.Join(abs, "ostree/repo")); err != nil {
		return nil, fmt.Errorf("Opening sysroot repo: %w", err)
	}
	return s, s.checkDevice()
}

// isRunning reports whether dir is the root of the running system and that
// system was booted by OSTree.
func (s *Sysroot) isRunning(dir *dirfd.Dir) (bool, error) {
	if _, err := os.Lstat(filepath.Join(s.host.run, "ostree-booted")); err != nil {
		return false, nil
	}
	var root, this unix.Stat_t
	if err := unix.Stat(s.host.root, &root); err != nil {
		return false, &fs.PathError{Op: "stat", Path: s.host.root, Err: err}
	}
	if err := unix.Fstat(dir.FD(), &this); err != nil {
		return false, &fs.PathError{Op: "stat", Path: s.path, Err: err}
	}
	return root.Dev == this.Dev && root.Ino == this.Ino, nil
}

// checkDevice refuses a repository that deployments cannot be hardlinked to.
func (s *Sysroot) checkDevice() error {
	var o unix.Stat_t
	if err := unix.Fstat(s.ostree.FD(), &o); err != nil {
		return err
	}
	r, err := s.ostree.Stat("repo")
	if err != nil {
		return err
	}
	if o.Dev != r.Dev {
		return fmt.Errorf("Unexpected state: ostree/ on device %d but ostree/repo on device %d", o.Dev, r.Dev)
	}
	return nil
}

// Close closes the sysroot and its repository.
func (s *Sysroot) Close() error {
	for _, d := range []*dirfd.Dir{s.ostree, s.boot} {
		if d != nil {
			d.Close()
		}
	}
	if s.repo != nil {
		return s.repo.Close()
	}
	return nil
}

// Path returns the absolute path of the sysroot.
func (s *Sysroot) Path() string { return s.path }

// Repo returns the sysroot's repository.
func (s *Sysroot) Repo() *repo.Repo { return s.repo }

// IsBooted reports whether this is the sysroot of the running system.
func (s *Sysroot) IsBooted() bool { return s.booted }

// DeploymentPath returns the absolute path of a deployment directory.
func (s *Sysroot) DeploymentPath(d Deployment) string { return filepath.Join(s.path, d.Path()) }

// lockWaitNotice is how often the wait for the lock is reported.
const lockWaitNotice = 3 * time.Second

// Lock takes the lock that everything which writes must hold, and returns the
// function that releases it. While another process holds it, Lock waits and
// reports this now and then.
func (s *Sysroot) Lock(ctx context.Context) (unlock func(), err error) {
	for notice := time.Now(); ; {
		unlock, err := s.TryLock()
		if unlock != nil || err != nil {
			return unlock, err
		}
		if time.Since(notice) >= 0 {
			s.message("Waiting for sysroot lock...")
			notice = time.Now().Add(lockWaitNotice)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// TryLock is Lock without waiting: if the lock is taken, the function is nil.
//
// As in libglnx the lock is an open file description lock of a file that is
// removed with the lock held, so whoever gets it must see whether the file is
// still there.
func (s *Sysroot) TryLock() (unlock func(), err error) {
	for {
		f, err := s.ostree.OpenFile("lock", unix.O_RDWR|unix.O_CREAT, 0o600)
		if err != nil {
			return nil, err
		}
		fl := unix.Flock_t{Type: unix.F_WRLCK, Whence: unix.SEEK_SET}
		var st unix.Stat_t
		err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &fl)
		if err == nil {
			err = unix.Fstat(int(f.Fd()), &st)
		}
		switch {
		case err == nil && st.Nlink > 0:
			return func() {
				_ = s.ostree.Unlink("lock") // the next one makes it again
				f.Close()
			}, nil
		case err == nil: // removed by the last holder after we opened it
			f.Close()
		default:
			f.Close()
			if err == unix.EAGAIN || err == unix.EACCES {
				return nil, nil
			}
			return nil, fmt.Errorf("locking sysroot: %w", err)
		}
	}
}
