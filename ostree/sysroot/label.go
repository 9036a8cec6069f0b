package sysroot

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/journal"
	"rpmostree/internal/selinux"
)

// labelAttr is where the kernel keeps the SELinux label of a file.
const labelAttr = "security.selinux"

// policyOf reads the SELinux policy of a deployment: that of its /etc, or of its
// /usr/etc if that is all there is. Without one nothing has a label.
func policyOf(root *dirfd.Dir) (*selinux.Policy, error) {
	r, err := os.OpenRoot(root.ProcPath("."))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p, err := selinux.Open(r.FS())
	if err != nil {
		return nil, fmt.Errorf("reading SELinux policy: %w", err)
	}
	return p, nil
}

// labelled returns a copier which gives files the labels of a policy, by their
// place below at, in place of the ones that they have.
func (c copier) labelled(p *selinux.Policy, at string) copier {
	if p != nil && p.Name != "" && c.xattrs {
		c.policy, c.at = p, at
	}
	return c
}

// below is the copier for what is in the directory name.
func (c copier) below(name string) copier {
	if c.policy != nil {
		c.at = path.Join(c.at, name)
	}
	return c
}

// relabel returns the attributes of the file that c copies with its label by
// policy.
func (c copier) relabel(list []dirfd.Xattr, mode uint32) ([]dirfd.Xattr, error) {
	if c.policy == nil {
		return list, nil
	}
	label, err := c.policy.Label(c.at, mode)
	if err != nil || label == "" {
		return list, err
	}
	list = slices.DeleteFunc(list, func(x dirfd.Xattr) bool { return x.Name == labelAttr })
	return append(list, dirfd.Xattr{Name: labelAttr, Value: labelValue(label)}), nil
}

// setLabel gives the open file fd, whose place is name, its label.
func setLabel(p *selinux.Policy, fd int, name string, mode uint32) error {
	label, err := p.Label(name, mode)
	if err != nil || label == "" {
		return err
	}
	if err := unix.Fsetxattr(fd, labelAttr, labelValue(label), 0); err != nil {
		return fmt.Errorf("setting the label of %s: %w", name, err)
	}
	return nil
}

// labelValue is the attribute's value: the kernel ends it with a NUL.
func labelValue(label string) []byte { return append([]byte(label), 0) }

// refreshPolicy rebuilds the binary policy of a deployment after its /etc was
// merged: modules may come from either side. Policy tools that cannot do that are
// left alone.
func refreshPolicy(ctx context.Context, root *dirfd.Dir) error {
	if ok, err := exists(root, "etc/selinux/config"); !ok || err != nil {
		return err
	}
	help, err := runInside(ctx, root, "semodule", "--help")
	if err != nil || !strings.Contains(help, "--refresh") {
		return err
	}
	_, err = runInside(ctx, root, "semodule", "-N", "--refresh")
	return err
}

// insideArgs are the arguments of bwrap(1) that make a deployment, which is the
// working directory, the root.
var insideArgs = strings.Fields("--dev /dev --proc /proc --dir /run --dir /tmp --chdir / --die-with-parent" +
	" --unshare-pid --unshare-uts --unshare-ipc --unshare-cgroup-try --ro-bind /sys/block /sys/block --ro-bind /sys/bus /sys/bus" +
	" --ro-bind /sys/class /sys/class --ro-bind /sys/dev /sys/dev --ro-bind /sys/devices /sys/devices --bind usr /usr --bind etc /etc" +
	" --bind var /var --symlink /usr/lib /lib --symlink /usr/lib32 /lib32 --symlink /usr/lib64 /lib64 --symlink /usr/bin /bin --symlink /usr/sbin /sbin --")

// runInside runs a program of a deployment in it, and returns its output.
func runInside(ctx context.Context, root *dirfd.Dir, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "bwrap", append(slices.Clone(insideArgs), argv...)...)
	cmd.Dir = root.ProcPath(".")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("failed to run %s: %w: %s", argv[0], err, out)
	}
	return string(out), nil
}

// varLabelled, in /var of a stateroot, says that its files got their labels.
const varLabelled = ".ostree-selabeled"

// labelVar gives labels to the files of a stateroot's /var which have none, once.
func (s *Sysroot) labelVar(d Deployment, p *selinux.Policy) error {
	state, err := s.ostree.OpenDirBeneath("deploy/"+d.OSName+"/var", dirfd.NoSymlinks)
	if err != nil {
		return fmt.Errorf("Relabeling /var: %w", err)
	}
	defer state.Close()
	if ok, err := state.Exists(varLabelled); ok || err != nil {
		return err
	}
	s.record(journal.Entry{ID: varRelabelID, Message: fmt.Sprintf("Relabeling /var (no stamp file 'var/%s' found)", varLabelled)})
	if p != nil && p.Name != "" {
		if err := ensureLabelled(p, state.ProcPath("."), "/var", nil); err != nil {
			return fmt.Errorf("Relabeling /var: %w", err)
		}
	}
	return writeLabelled(state, varLabelled, nil, p, "/var/"+varLabelled, true)
}

// writeLabelled replaces a small file by one with the label of the place at.
func writeLabelled(dir *dirfd.Dir, name string, data []byte, p *selinux.Policy, at string, sync bool) error {
	tmp, err := dir.TmpFile(0o644)
	if err != nil {
		return err
	}
	defer tmp.Close()
	fd := int(tmp.Fd())
	if _, err := tmp.Write(data); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, 0o644); err != nil {
		return err
	}
	if err := setLabel(p, fd, at, unix.S_IFREG|0o644); err != nil {
		return err
	}
	if sync {
		if err := unix.Fdatasync(fd); err != nil {
			return err
		}
	}
	return tmp.Replace(dir, name)
}

// ensureLabelled gives labels to those files below dir which have none. prefix is
// where the policy sees dir; each is told to report, unless that is nil.
func ensureLabelled(p *selinux.Policy, dir, prefix string, report func(file, at, label string)) error {
	return filepath.WalkDir(dir, func(file string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n, err := unix.Lgetxattr(file, labelAttr, nil); err == nil && n > 0 {
			return nil
		} else if err != nil && err != unix.ENODATA && err != unix.EOPNOTSUPP {
			return &fs.PathError{Op: "lgetxattr", Path: file, Err: err}
		}
		var st unix.Stat_t
		if err := unix.Lstat(file, &st); err != nil {
			return &fs.PathError{Op: "lstat", Path: file, Err: err}
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		at := path.Join("/", prefix, rel)
		label, err := p.Label(at, st.Mode)
		if err != nil || label == "" {
			return err
		}
		if err := unix.Lsetxattr(file, labelAttr, labelValue(label), 0); err != nil {
			return &fs.PathError{Op: "lsetxattr", Path: file, Err: err}
		}
		if report != nil {
			report(file, at, label)
		}
		return nil
	})
}

// EnsureLabelled gives labels to those files below dir which have none, by the
// policy of the deployment d. prefix is where the policy sees dir. It first tells
// begin the name of the policy, and report each label. It returns the name, "" if
// there is no policy. The empty dir is the deployment's own.
func (s *Sysroot) EnsureLabelled(d Deployment, dir, prefix string, begin func(policy string), report func(file, at, label string)) (string, error) {
	root, err := s.ostree.OpenDirBeneath(d.path(), dirfd.NoSymlinks)
	if err != nil {
		return "", err
	}
	defer root.Close()
	p, err := policyOf(root)
	if err != nil || p.Name == "" {
		return "", err
	}
	begin(p.Name)
	if dir == "" {
		dir = s.DeploymentPath(d)
	}
	if err := ensureLabelled(p, dir, prefix, report); err != nil {
		return p.Name, fmt.Errorf("Relabeling /%s: %w", strings.TrimPrefix(prefix, "/"), err)
	}
	return p.Name, nil
}
