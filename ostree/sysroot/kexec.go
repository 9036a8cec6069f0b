package sysroot

import (
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
)

// LoadKexec loads the kernel of a deployment into memory, with the arguments of
// its boot entry, so that the next reboot starts it without the firmware.
// Additional initramfs images are left out.
func (s *Sysroot) LoadKexec(d Deployment) error {
	root, err := s.ostree.OpenDirBeneath(d.path(), dirfd.NoSymlinks)
	if err != nil {
		return err
	}
	defer root.Close()
	k, err := findKernel(root, !s.opts.NoDeviceTree)
	if err != nil {
		return err
	}
	open := func(f bootFile) (*os.File, error) {
		return root.OpenBeneath(path.Join(k.dir, f.src), unix.O_RDONLY, 0, dirfd.InRoot)
	}
	image, err := open(k.image)
	if err != nil {
		return err
	}
	defer image.Close()
	initramfs, flags := -1, unix.KEXEC_FILE_NO_INITRAMFS
	if k.initramfs.src != "" {
		f, err := open(k.initramfs)
		if err != nil {
			return err
		}
		defer f.Close()
		initramfs, flags = int(f.Fd()), 0
	}
	if err := unix.KexecFileLoad(int(image.Fd()), initramfs, d.Kargs().String(), flags); err != nil {
		return fmt.Errorf("kexec_file_load: %w", err)
	}
	return nil
}
