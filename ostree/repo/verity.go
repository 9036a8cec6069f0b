package repo

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"rpmostree/internal/keyfile"

	"golang.org/x/sys/unix"
)

// Verity says whether files get fs-verity, by which the kernel refuses what has changed on the
// disk; see https://docs.kernel.org/filesystems/fsverity.html.
type Verity uint8

const (
	VerityNo    Verity = iota
	VerityMaybe        // where the file system can
	VerityYes          // always
)

// ErrNoVerity is what files fail with that must have fs-verity and cannot.
var ErrNoVerity = errors.New("fsverity required but filesystem does not support it")

// Verity returns what the configuration wants for objects.
func (r *Repo) Verity() Verity { return r.state.Load().verity }

// parseVerity reads ex-integrity.fsverity, the default of which depends on composefs, and
// then the older keys.
func parseVerity(k *keyfile.File) (Verity, error) {
	composefs, err := triState(k, "composefs", VerityNo)
	if err == nil && composefs == VerityYes {
		err = errors.New("composefs required, but libostree compiled without support")
	}
	if err != nil {
		return VerityNo, err
	}
	verity, err := triState(k, "fsverity", min(composefs, VerityMaybe))
	if err != nil {
		return VerityNo, err
	}
	if verity != VerityNo {
		return verity, nil
	}
	if required, err := k.Bool("ex-fsverity", "required", false); required || err != nil {
		return VerityYes, err
	}
	if wanted, err := k.Bool("ex-fsverity", "opportunistic", false); wanted || err != nil {
		return VerityMaybe, err
	}
	return VerityNo, nil
}

// triState reads a key of the group ex-integrity.
func triState(k *keyfile.File, key string, def Verity) (Verity, error) {
	text, err := k.Raw("ex-integrity", key)
	if err != nil {
		return def, nil
	}
	text = strings.TrimSpace(text)
	switch text {
	case "no", "false", "0":
		return VerityNo, nil
	case "maybe":
		return VerityMaybe, nil
	case "yes", "true", "1":
		return VerityYes, nil
	}
	return VerityNo, fmt.Errorf("Invalid tri-state value: %s", text)
}

// verityArg is struct fsverity_enable_arg of linux/fsverity.h.
type verityArg struct {
	version, hashAlgorithm, blockSize, saltSize uint32
	salt                                        uint64
	sigSize, _                                  uint32
	sig                                         uint64
	_                                           [11]uint64
}

// EnableVerity turns fs-verity on for a regular file, if it is not on, and reports whether the
// file system can do that. fd is open for reading, and nothing has the file open for writing.
func EnableVerity(fd int) (supported bool, err error) {
	arg := verityArg{version: 1, hashAlgorithm: unix.FS_VERITY_HASH_ALG_SHA256, blockSize: 4096}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.FS_IOC_ENABLE_VERITY, uintptr(unsafe.Pointer(&arg)))
	switch errno {
	case 0, unix.EEXIST:
		return true, nil
	case unix.ENOTTY, unix.EOPNOTSUPP:
		return false, nil
	}
	return false, os.NewSyscallError("ioctl(FS_IOC_ENABLE_VERITY)", errno)
}

// verity gives a complete object fs-verity, if the configuration wants it. The descriptor
// is one for reading afterwards.
func (tx *Transaction) verity(t tmpObject) error {
	wanted := tx.repo.Verity()
	if wanted == VerityNo || wanted == VerityMaybe && tx.noVerity.Load() {
		return nil
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", int(t.fdFile)), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return pathError("open", "object", err)
	}
	err = unix.Dup3(fd, int(t.fdFile), unix.O_CLOEXEC) // which closes the one for writing
	unix.Close(fd)
	if err != nil {
		return os.NewSyscallError("dup3", err)
	}
	supported, err := EnableVerity(int(t.fdFile))
	if err != nil {
		return err
	}
	if !supported && wanted == VerityYes {
		return ErrNoVerity
	}
	if !supported {
		tx.noVerity.Store(true)
	}
	return nil
}
