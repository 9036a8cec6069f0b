package sysroot

import (
	"errors"
	"io"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/keyfile"
)

// checkComposefs refuses a tree that would not boot because its
// prepare-root.conf asks for a composefs image, which is not made.
func checkComposefs(root *dirfd.Dir) error {
	enabled := ""
	for _, dir := range []string{"usr/lib", "usr/etc", "etc"} {
		f, err := root.OpenBeneath(path.Join(dir, "ostree/prepare-root.conf"), unix.O_RDONLY, 0, dirfd.InRoot)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
			continue
		}
		if err != nil {
			return err
		}
		b, err := io.ReadAll(io.LimitReader(f, keyfile.MaxBytes+1))
		f.Close()
		if err != nil {
			return err
		}
		config, err := keyfile.Parse(b)
		if err != nil {
			return errors.Join(errors.New("Parsing prepare-root config"), err)
		}
		if v := config.Get("composefs", "enabled"); v != "" {
			enabled = v
		}
	}
	switch enabled {
	case "yes", "true", "1", "verity", "signed":
		return errors.New("composefs: enabled at runtime, but support is not compiled in")
	}
	return nil
}
