package sysroot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// UpdatePostCopy restores what a copy of the files of a sysroot loses: fs-verity
// of objects and images, if the repository wants it. The lock must be held.
func (s *Sysroot) UpdatePostCopy() error {
	wanted, required, err := s.wantsVerity()
	if err != nil || !wanted {
		return err
	}
	objects, err := filepath.Glob(filepath.Join(s.path, "ostree/repo/objects/??/*"))
	if err != nil {
		return err
	}
	var images []string
	err = s.deployDirs(func(d Deployment) error {
		images = append(images, filepath.Join(s.DeploymentPath(d), ".ostree.cfs"))
		return nil
	})
	if err != nil {
		return err
	}
	for _, files := range [][]string{objects, images} {
		for _, name := range files {
			supported, err := enableVerity(name)
			if err != nil {
				return err
			}
			if !supported && required {
				return errors.New("fsverity required but filesystem does not support it")
			}
			if !supported {
				break
			}
		}
	}
	return nil
}

// wantsVerity reads the configuration of the repository, with its older key.
func (s *Sysroot) wantsVerity() (wanted, required bool, err error) {
	config := s.repo.Config()
	verity := config.Get("ex-integrity", "fsverity")
	if verity == "" {
		switch composefs := config.Get("ex-integrity", "composefs"); composefs {
		case "", "no", "false", "0":
		case "yes", "true", "1", "maybe":
			verity = "maybe"
		default:
			return false, false, fmt.Errorf("Invalid tri-state value: %s", composefs)
		}
	}
	switch verity {
	case "yes", "true", "1":
		return true, true, nil
	case "maybe":
		return true, false, nil
	case "", "no", "false", "0":
	default:
		return false, false, fmt.Errorf("Invalid tri-state value: %s", verity)
	}
	if required, err = config.Bool("ex-fsverity", "required", false); required || err != nil {
		return required, required, err
	}
	wanted, err = config.Bool("ex-fsverity", "opportunistic", false)
	return wanted, false, err
}

// verityArg is struct fsverity_enable_arg of linux/fsverity.h.
type verityArg struct {
	version, hashAlgorithm, blockSize, saltSize uint32
	salt                                        uint64
	sigSize, _                                  uint32
	sig                                         uint64
	_                                           [11]uint64
}

// enableVerity turns fs-verity on for a regular file, if it is not. It reports
// whether the file system can do that. A missing file is none.
func enableVerity(name string) (supported bool, err error) {
	st, err := os.Lstat(name)
	if errors.Is(err, os.ErrNotExist) || err == nil && !st.Mode().IsRegular() {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	arg := verityArg{version: 1, hashAlgorithm: unix.FS_VERITY_HASH_ALG_SHA256, blockSize: 4096}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.FS_IOC_ENABLE_VERITY, uintptr(unsafe.Pointer(&arg)))
	switch errno {
	case 0, unix.EEXIST:
		return true, nil
	case unix.ENOTTY, unix.EOPNOTSUPP:
		return false, nil
	}
	return false, fmt.Errorf("ioctl(FS_IOC_ENABLE_VERITY) of %s: %w", name, errno)
}
