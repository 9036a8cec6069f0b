package bootloader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
)

// maxConfig bounds the size of a boot loader's configuration that is read.
const maxConfig = 4 << 20

// Target is what a boot loader is configured for: a new directory
// boot/loader.VERSION that holds the boot entries but is not in use yet.
type Target struct {
	// Root is the path of the sysroot, absolute.
	Root string
	// Boot is its directory boot, Ostree its directory ostree.
	Boot, Ostree *dirfd.Dir
	// Version is the number of the directory, 0 or 1.
	Version int
	// Entries are in boot order.
	Entries []*Entry
	// BootPrefix is set if the paths in Entries begin with /boot already.
	BootPrefix bool
	// Chroot is the path of a deployment to run programs in, if the sysroot is
	// not that of the running system; else empty.
	Chroot string
	// Env is where OSTREE_GRUB2_EXEC, OSTREE_DEBUG_GRUB2 and INVOCATION_ID are looked up; nil is
	// nowhere.
	Env func(string) string
}

func (t Target) env(name string) string {
	if t.Env == nil {
		return ""
	}
	return t.Env(name)
}

func (t Target) dir() string { return fmt.Sprintf("loader.%d", t.Version) }

// path returns the path that a boot loader which sees the whole root uses.
func (t Target) path(p string) string {
	if t.BootPrefix {
		return p
	}
	return "/boot" + p
}

// Loader is a boot loader that does not read boot entries itself.
type Loader interface {
	// Name is what libostree calls it.
	Name() string
	// Active reports whether the sysroot uses the boot loader.
	Active(Target) (bool, error)
	// Write writes the configuration for the target.
	Write(context.Context, Target) error
	// Finish is called when boot/loader points to the target. What was finished before is
	// left alone: after an interruption Finish is called once more.
	Finish(context.Context, Target) error
	// Atomic reports whether the configuration takes effect with that link.
	Atomic() bool
}

// Find returns the boot loader for a value of the configuration key
// sysroot.bootloader. For "auto", and the empty string, it is the one in use.
// nil means that the entries are enough.
func Find(name string, t Target) (Loader, error) {
	loaders := []struct {
		key string
		Loader
	}{{"syslinux", new(syslinux)}, {"grub2", new(grub2)}, {"uboot", new(uboot)}}
	switch name {
	case "none":
		return nil, nil
	case "zipl":
		return new(zipl), nil
	case "aboot":
		return new(aboot), nil
	case "", "auto":
		for _, l := range loaders {
			if ok, err := l.Active(t); err != nil {
				return nil, err
			} else if ok {
				return l.Loader, nil
			}
		}
		return nil, nil
	}
	for _, l := range loaders {
		if l.key == name {
			_, err := l.Active(t) // it looks for its files
			return l.Loader, err
		}
	}
	return nil, fmt.Errorf("Invalid bootloader configuration: '%s'", name)
}

// required returns the value of a key that an entry must have.
func required(e *Entry, key string) (string, error) {
	v, ok := e.Get(key)
	if !ok {
		return "", fmt.Errorf("No \"%s\" key in bootloader config", key)
	}
	return v, nil
}

func title(e *Entry) string {
	if v, ok := e.Get("title"); ok {
		return v
	}
	return "(Untitled)"
}

// joinLines ends each line and drops empty ones but for the first, which must
// not be at the start.
func joinLines(lines []string) []byte {
	var b strings.Builder
	empty := false
	for i, l := range lines {
		if l == "" {
			if empty || i == 0 {
				continue
			}
			empty = true
		}
		b.WriteString(l + "\n")
	}
	return []byte(b.String())
}

// readBeneath reads a file below dir; links may lead about in dir.
func readBeneath(dir *dirfd.Dir, name string) ([]byte, error) {
	f, err := dir.OpenBeneath(name, unix.O_RDONLY|unix.O_NONBLOCK, 0, dirfd.InRoot)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(b) > maxConfig {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxConfig)
	}
	return b, err
}

// existsBeneath reports whether the link or file name is there. Only its
// directory may be reached by links.
func existsBeneath(dir *dirfd.Dir, parent, name string) (bool, error) {
	d, err := dir.OpenDirBeneath(parent, dirfd.InRoot)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer d.Close()
	return d.Exists(name)
}

func (t Target) write(name string, data []byte) error {
	d, err := t.Boot.OpenDirBeneath(t.dir(), dirfd.NoSymlinks)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.WriteFileAtomic(name, data, 0o644, true)
}
