package sysroot

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"
)

// bootFile is a file that goes from a deployment to /boot.
type bootFile struct{ src, dst string } // names in kernel.dir and in boot/ostree/OS-BOOTCSUM

// kernel is what a deployment boots with. Files that it has not are zero.
type kernel struct {
	dir      string // directory of the files, relative to the deployment
	checksum string // the bootchecksum, hexadecimal; "" until digest

	image      bootFile
	initramfs  bootFile
	devicetree bootFile // without dst it is a directory
	hmac       bootFile // of the image, for FIPS mode
	android    bootFile // image for Android boot loaders
}

// files returns the plain files to install.
func (k *kernel) files() []bootFile {
	var files []bootFile
	for _, f := range []bootFile{k.image, k.initramfs, k.devicetree, k.hmac, k.android} {
		if f.dst != "" {
			files = append(files, f)
		}
	}
	return files
}

var errNoKernel = errors.New("Failed to find kernel in /usr/lib/modules, /usr/lib/ostree-boot or /boot")

// findKernel finds the kernel of the deployment root. The files below
// usr/lib/modules win, unless only the older layout has an initramfs. Of those
// the checksum is left to digest, which has to read them.
func findKernel(root *dirfd.Dir, devicetrees bool) (*kernel, error) {
	modules, err := findModulesKernel(root)
	if err != nil {
		return nil, err
	}
	legacy, err := findLegacyKernel(root)
	if err != nil {
		return nil, err
	}
	switch {
	case modules == nil && legacy == nil:
		return nil, errNoKernel
	case modules == nil:
		return legacy, nil
	case legacy != nil && modules.initramfs.src == "" && legacy.initramfs.src != "":
		return legacy, nil
	}
	if !devicetrees {
		modules.devicetree = bootFile{}
	}
	return modules, nil
}

const modulesDir = "usr/lib/modules"

// findModulesKernel takes the first directory, by name, that has a vmlinuz.
func findModulesKernel(root *dirfd.Dir) (*kernel, error) {
	dir, err := openOptional(root, modulesDir)
	if dir == nil || err != nil {
		return nil, err
	}
	defer dir.Close()
	versions, err := sortedNames(dir)
	if err != nil {
		return nil, err
	}
	for _, version := range versions {
		at := path.Join(modulesDir, version)
		if st, err := dir.Stat(version); err != nil {
			return nil, err
		} else if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue // a link is another name of one
		}
		if ok, err := isRegular(root, path.Join(at, "vmlinuz")); err != nil {
			return nil, err
		} else if ok {
			return modulesKernel(root, at, version)
		}
	}
	return nil, nil
}

func modulesKernel(root *dirfd.Dir, at, version string) (*kernel, error) {
	k := &kernel{dir: at, image: bootFile{"vmlinuz", "vmlinuz-" + version}}
	for _, f := range []struct {
		file     *bootFile
		src, dst string
	}{
		{&k.initramfs, "initramfs.img", "initramfs-" + version + ".img"},
		{&k.initramfs, "initramfs", "initramfs-" + version + ".img"},
		{&k.android, "aboot.img", "aboot-" + version + ".img"},
		{&k.devicetree, "devicetree", "devicetree-" + version},
		{&k.hmac, ".vmlinuz.hmac", ".vmlinuz-" + version + ".hmac"},
	} {
		ok, err := exists(root, path.Join(at, f.src))
		if err != nil {
			return nil, err
		}
		if ok && f.file.src == "" {
			*f.file = bootFile{f.src, f.dst}
		}
	}
	if k.devicetree.src == "" {
		dir, err := openOptional(root, path.Join(at, "dtb"))
		if err != nil && !errors.Is(err, unix.ENOTDIR) {
			return nil, err
		}
		if dir != nil {
			dir.Close()
			k.devicetree.src = "dtb"
		}
	}
	return k, nil
}

// digest computes the bootchecksum if it is not known: SHA-256 over the kernel,
// the initramfs and the device trees, one after the other.
func (k *kernel) digest(root *dirfd.Dir) error {
	if k.checksum != "" {
		return nil
	}
	h := sha256.New()
	for _, f := range []bootFile{k.image, k.initramfs, k.devicetree} {
		var err error
		switch {
		case f.src == "":
		case f.dst == "":
			err = hashTree(root, path.Join(k.dir, f.src), h)
		default:
			err = hashFile(root, path.Join(k.dir, f.src), h)
		}
		if err != nil {
			return err
		}
	}
	k.checksum = hex.EncodeToString(h.Sum(nil))
	return nil
}

// sameKernel takes the bootchecksum over from another deployment, if the files
// that it stands for are links to the same objects. Most changes to a system
// leave its kernel alone.
func (s *Sysroot) sameKernel(k *kernel, root *dirfd.Dir, d Deployment) error {
	if k.devicetree.src != "" && k.devicetree.dst == "" {
		return nil // a directory
	}
	other, err := s.ostree.OpenDirBeneath(d.path(), dirfd.NoSymlinks)
	if err != nil {
		return err
	}
	defer other.Close()
	o, err := findKernel(other, !s.opts.NoDeviceTree)
	if err != nil {
		return nil // it does not matter for the new deployment
	}
	if o.dir != k.dir || !slices.Equal(o.files(), k.files()) || o.devicetree != k.devicetree {
		return nil
	}
	for _, f := range k.files() {
		a, err := statBeneath(root, path.Join(k.dir, f.src))
		if err != nil {
			return err
		}
		b, err := statBeneath(other, path.Join(k.dir, f.src))
		if err != nil {
			return err
		}
		if a.Dev != b.Dev || a.Ino != b.Ino {
			return nil
		}
	}
	k.checksum = d.BootChecksum
	return nil
}

func hashFile(root *dirfd.Dir, name string, h hash.Hash) error {
	f, err := root.OpenBeneath(name, unix.O_RDONLY, 0, dirfd.InRoot)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(h, f)
	return err
}

// hashTree adds the content of all files below a directory, in the order of
// their names. Links that lead nowhere count as nothing.
func hashTree(root *dirfd.Dir, at string, h hash.Hash) error {
	dir, err := root.OpenDirBeneath(at, dirfd.InRoot)
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := sortedNames(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		st, err := dir.Stat(name)
		if err != nil {
			return err
		}
		sub := path.Join(at, name)
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			err = hashTree(root, sub, h)
		} else if err = hashFile(root, sub, h); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// findLegacyKernel looks for files whose names end in "-BOOTCSUM".
func findLegacyKernel(root *dirfd.Dir) (*kernel, error) {
	for _, at := range []string{"usr/lib/ostree-boot", "boot"} {
		dir, err := openOptional(root, at)
		if err != nil {
			return nil, err
		}
		if dir == nil {
			continue
		}
		defer dir.Close()
		names, err := sortedNames(dir)
		if err != nil {
			return nil, err
		}
		return legacyKernel(at, names)
	}
	return nil, nil
}

func legacyKernel(at string, names []string) (*kernel, error) {
	k := &kernel{dir: at}
	sums := make(map[*bootFile]string)
	for _, name := range names {
		dash := strings.LastIndexByte(name, '-')
		if dash < 0 {
			continue
		}
		if _, err := ostree.ParseChecksum(name[dash+1:]); err != nil {
			continue
		}
		for prefix, f := range map[string]*bootFile{"vmlinuz-": &k.image, "initramfs-": &k.initramfs, "devicetree-": &k.devicetree} {
			if strings.HasPrefix(name, prefix) && f.src == "" {
				*f, sums[f] = bootFile{name, name[:dash]}, name[dash+1:]
			}
		}
	}
	if k.image.src == "" {
		return nil, nil
	}
	k.checksum = sums[&k.image]
	if s, ok := sums[&k.initramfs]; ok && s != k.checksum {
		return nil, errors.New("Mismatched kernel checksum vs initrd")
	}
	if s, ok := sums[&k.devicetree]; ok && s != k.checksum {
		return nil, errors.New("Mismatched kernel checksum vs device tree in tree")
	}
	return k, nil
}

// openOptional opens a directory below root; nil if it does not exist. Links
// are followed as if root were the root of the file system.
func openOptional(root *dirfd.Dir, path string) (*dirfd.Dir, error) {
	dir, err := root.OpenDirBeneath(path, dirfd.InRoot)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return dir, err
}

// sortedNames returns the names in dir in the order of their bytes.
func sortedNames(dir *dirfd.Dir) ([]string, error) {
	entries, err := dir.ReadDir()
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	slices.Sort(names)
	return names, nil
}

// statBeneath follows links as if root were the root of the file system.
func statBeneath(root *dirfd.Dir, path string) (unix.Stat_t, error) {
	var st unix.Stat_t
	f, err := root.OpenBeneath(path, unix.O_PATH, 0, dirfd.InRoot)
	if err != nil {
		return st, err
	}
	defer f.Close()
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return st, fmt.Errorf("stat %s: %w", path, err)
	}
	return st, nil
}

func exists(root *dirfd.Dir, path string) (bool, error) {
	_, err := statBeneath(root, path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, nil
	}
	return err == nil, err
}

func isRegular(root *dirfd.Dir, path string) (bool, error) {
	st, err := statBeneath(root, path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, nil
	}
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG, err
}
