package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"rpmostree/internal/dirfd"

	"golang.org/x/sys/unix"
)

// A staging directory, tmp/staging-<boot id>-<letters>, takes the objects of a
// transaction until it commits. It belongs to who holds the lock of the file
// that has its name with "-lock" added. What a killed process left there is
// complete as long as the same kernel runs, because every object gets its name
// after its content; the next transaction takes it over. After a reboot it is
// thrown away.
type staging struct {
	dir  *dirfd.Dir
	name string
	lock int
}

const stagingPrefix = "staging-"

func bootID() (string, error) {
	if id := os.Getenv("OSTREE_BOOTID"); id != "" {
		return id, nil
	}
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("reading the boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

func openStaging(tmp *dirfd.Dir) (*staging, error) {
	id, err := bootID()
	if err != nil {
		return nil, err
	}
	prefix := stagingPrefix + id + "-"
	entries, err := tmp.ReadDir()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name, prefix) && e.Type != unix.DT_REG {
			if s, err := takeStaging(tmp, e.Name); s != nil || err != nil {
				return s, err
			}
		}
	}
	for range 100 {
		name, err := tmp.MkdirTemp(prefix, 0o755)
		if err != nil {
			return nil, err
		}
		if s, err := takeStaging(tmp, name); s != nil || err != nil {
			return s, err
		}
	}
	return nil, errors.New("could not lock a staging directory")
}

// takeStaging locks and opens a staging directory. It returns nil if another
// process has it, or has just removed it.
func takeStaging(tmp *dirfd.Dir, name string) (*staging, error) {
	fd, err := lockStaging(tmp, name)
	if fd < 0 || err != nil {
		return nil, err
	}
	dir, err := tmp.Open(name)
	if err != nil {
		tmp.Unlink(name + "-lock")
		unix.Close(fd)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
			return nil, nil
		}
		return nil, err
	}
	return &staging{dir, name, fd}, nil
}

// lockStaging returns -1 when the lock is taken.
func lockStaging(tmp *dirfd.Dir, name string) (int, error) {
	fd, err := dirfd.Openat(tmp.FD(), name+"-lock", unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return -1, pathError("open", name+"-lock", err)
	}
	err = lockFD(fd, Exclusive)
	if err == nil {
		return fd, nil
	}
	unix.Close(fd)
	if err == unix.EAGAIN || err == unix.EACCES {
		err = nil
	}
	return -1, err
}

// remove deletes the directory, then the lock file, then gives up the lock:
// who gets the lock in between finds no directory.
func (s *staging) remove(tmp *dirfd.Dir) error {
	s.dir.Close()
	err := tmp.RemoveAll(s.name)
	if err2 := tmp.Unlink(s.name + "-lock"); err == nil && !os.IsNotExist(err2) {
		err = err2
	}
	unix.Close(s.lock)
	return err
}

// cleanTmp removes what crashed programs left in tmp: staging directories of
// other boots that nobody locks, and anything else after a time.
func cleanTmp(tmp *dirfd.Dir, expiry time.Duration) error {
	id, err := bootID()
	if err != nil {
		return err
	}
	entries, err := tmp.ReadDir()
	if err != nil {
		return err
	}
	for _, e := range entries {
		base, isLock := strings.CutSuffix(e.Name, "-lock")
		switch {
		case e.Name == "cache":
		case isLock && strings.HasPrefix(e.Name, stagingPrefix):
			if err := cleanLock(tmp, base); err != nil {
				return err
			}
		case strings.HasPrefix(e.Name, stagingPrefix+id+"-"):
		case strings.HasPrefix(e.Name, stagingPrefix):
			s, err := takeStaging(tmp, e.Name)
			if err != nil {
				return err
			}
			if s != nil {
				if err := s.remove(tmp); err != nil {
					return err
				}
			}
		default:
			st, err := tmp.Stat(e.Name)
			if err != nil || time.Since(time.Unix(st.Mtim.Unix())) < expiry {
				continue
			}
			if err := tmp.RemoveAll(e.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// cleanLock removes the lock file of a staging directory that is gone.
func cleanLock(tmp *dirfd.Dir, name string) error {
	if ok, err := tmp.Exists(name); ok || err != nil {
		return err
	}
	s, err := takeStaging(tmp, name) // finds no directory and removes the file
	if s != nil {
		unix.Close(s.lock)
		s.dir.Close()
	}
	return err
}
