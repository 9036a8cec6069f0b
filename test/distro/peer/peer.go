// Package peer does with the established tools, dnf, rpm and the C ostree, what the
// project does itself: the result to compare with, and the time to beat.
package peer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"rpmostree/test/distro/world"
)

// tools are the programs that must be installed.
var tools = []string{"dnf", "rpm", "ostree", "depmod"}

// Missing returns why the peers cannot be had here, or nil. They need root.
func Missing() error {
	for _, t := range tools {
		if _, err := exec.LookPath(t); err != nil {
			return fmt.Errorf("%s is not installed", t)
		}
	}
	if os.Getuid() != 0 {
		return errors.New("dnf --installroot needs root")
	}
	return nil
}

func run(ctx context.Context, env []string, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// Install makes a root directory with dnf from repositories, which are directories. Scratch
// takes dnf's cache and configuration; used again, the metadata need not be read again.
func Install(ctx context.Context, root, scratch string, repos, packages []string) error {
	home := filepath.Join(scratch, "home")
	if err := errors.Join(os.MkdirAll(home, 0o755), os.MkdirAll(root, 0o755)); err != nil {
		return err
	}
	conf := filepath.Join(scratch, "dnf.conf")
	text := "[main]\ngpgcheck=0\nplugins=0\ninstall_weak_deps=0\ntsflags=nodocs\ncachedir=" + scratch + "/cache\nlogdir=" + scratch + "\n"
	if err := errors.Join(
		os.WriteFile(conf, []byte(text), 0o644),
		// Debian's rpm looks for its database in the home directory
		os.WriteFile(filepath.Join(home, ".rpmmacros"), []byte("%_dbpath /usr/share/rpm\n"), 0o644),
	); err != nil {
		return err
	}
	args := []string{"-y", "-q", "-c", conf, "--installroot=" + root, "--releasever=12", "--forcearch=x86_64", "--setopt=reposdir=/dev/null"}
	for i, dir := range repos {
		id := fmt.Sprintf("lab%d", i)
		args = append(args, "--repofrompath="+id+",file://"+dir, "--repo="+id)
	}
	_, err := run(ctx, []string{"HOME=" + home}, "dnf", append(append(args, "install"), packages...)...)
	return err
}

// ModuleDir returns the one directory below usr/lib/modules of a root.
func ModuleDir(root string) (string, error) {
	dirs, err := filepath.Glob(filepath.Join(root, "usr/lib/modules/*"))
	if err != nil {
		return "", err
	}
	if len(dirs) != 1 {
		return "", fmt.Errorf("%s has %d kernels, not one", root, len(dirs))
	}
	return dirs[0], nil
}

// Compose installs the distribution's system into root, makes what the kernel needs, and
// gives it the shape that libostree wants. Initramfs writes the file it is given for the
// modules in the directory it is given.
func Compose(ctx context.Context, w *world.World, root, scratch string, repos []string, initramfs func(moduleDir, out string) error) error {
	if err := Install(ctx, root, scratch, repos, w.Packages); err != nil {
		return err
	}
	modules, err := ModuleDir(root)
	if err != nil {
		return err
	}
	if _, err := run(ctx, nil, "depmod", "-b", root, filepath.Base(modules)); err != nil {
		return err
	}
	if err := initramfs(modules, filepath.Join(modules, "initramfs.img")); err != nil {
		return err
	}
	return shape(root)
}

// shape turns a root directory into a tree that can be deployed.
func shape(root string) error {
	lines, err := tmpfiles(root)
	if err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(root, name) }
	if err := errors.Join(
		os.WriteFile(in("usr/lib/tmpfiles.d/lab-var.conf"), []byte(lines), 0o644),
		os.WriteFile(in("etc/machine-id"), nil, 0o644),
	); err != nil {
		return err
	}
	for _, d := range strings.Fields("var home srv mnt media opt root tmp boot run sys proc dev usr/local") {
		if err := os.RemoveAll(in(d)); err != nil {
			return err
		}
	}
	for _, d := range strings.Fields("boot var run sys proc dev sysroot tmp") {
		if err := os.Mkdir(in(d), 0o755); err != nil {
			return err
		}
	}
	for link, target := range map[string]string{
		"home": "var/home", "srv": "var/srv", "mnt": "var/mnt", "media": "run/media", "opt": "var/opt",
		"root": "var/roothome", "usr/local": "../var/usrlocal", "ostree": "sysroot/ostree",
	} {
		if err := os.Symlink(target, in(link)); err != nil {
			return err
		}
	}
	return errors.Join(os.Chmod(in("tmp"), 0o777|fs.ModeSticky), os.Rename(in("etc"), in("usr/etc")))
}

// tmpfiles returns lines of tmpfiles.d(5) for the directories and links below var, and for
// those that the top-level links lead to.
func tmpfiles(root string) (string, error) {
	var b strings.Builder
	err := filepath.WalkDir(filepath.Join(root, "var"), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(name, root)
		st, err := d.Info()
		if err != nil || rel == "/var" {
			return err
		}
		switch {
		case d.IsDir():
			uid, gid := owner(st)
			fmt.Fprintf(&b, "d %s %04o %d %d - -\n", rel, permissions(st.Mode()), uid, gid)
		case st.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "L %s - - - - %s\n", rel, target)
		}
		return nil
	})
	for _, d := range []string{"home 0755", "srv 0755", "opt 0755", "mnt 0755", "roothome 0700", "usrlocal 0755"} {
		fmt.Fprintf(&b, "d /var/%s root root - -\n", d)
	}
	b.WriteString("d /run/media 0755 root root - -\n")
	return b.String(), err
}
