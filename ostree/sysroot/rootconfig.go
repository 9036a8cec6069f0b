package sysroot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/keyfile"
	"rpmostree/ostree/sysroot/prepareroot"
)

// checkRootConfig refuses a tree that would not boot because its
// prepare-root.conf is wrong, or asks for a composefs image, which is not made.
func checkRootConfig(root *dirfd.Dir) error {
	read := func(name string) ([]byte, error) {
		f, err := root.OpenBeneath(name, unix.O_RDONLY, 0, dirfd.InRoot)
		if errors.Is(err, fs.ErrNotExist) {
			f, err = root.OpenBeneath("usr/"+name, unix.O_RDONLY, 0, dirfd.InRoot) // there is no /etc yet
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, keyfile.MaxBytes+1))
	}
	config, err := prepareroot.ReadConfig(read, "")
	if err != nil {
		return fmt.Errorf("Reading rootfs config: %w", err)
	}
	if config.Composefs >= prepareroot.ComposefsYes {
		return errors.New("composefs: enabled at runtime, but support is not compiled in")
	}
	return nil
}
