package peer

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

func owner(st fs.FileInfo) (uid, gid uint32) {
	s, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	return s.Uid, s.Gid
}

// permissions returns the twelve bits of a mode as chmod(1) takes them.
func permissions(m fs.FileMode) uint32 {
	p := uint32(m.Perm())
	for flag, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&flag != 0 {
			p |= bit
		}
	}
	return p
}

// Commit commits a composed root to a bare repository, which it makes if need be, and
// returns the commit's checksum.
func Commit(ctx context.Context, repo, ref, root, version string) (string, error) {
	if _, err := os.Stat(filepath.Join(repo, "objects")); errors.Is(err, fs.ErrNotExist) {
		if _, err := run(ctx, nil, "ostree", "--repo="+repo, "init", "--mode=bare"); err != nil {
			return "", err
		}
	}
	return run(ctx, nil, "ostree", "--repo="+repo, "commit", "-b", ref, "--tree=dir="+root, "--bootable",
		"--add-metadata-string=version="+version, "-s", "lab "+version)
}

// kernelArgs are what a deployment that qemu or nspawn boots needs.
var kernelArgs = []string{"root=LABEL=root", "rw", "console=ttyS0,115200", "selinux=0", "quiet"}

// Deploy deploys a ref of a repository into a sysroot directory with the C ostree. A sysroot
// that is empty is made first, with the stateroot "lab" and the remote "lab".
func Deploy(ctx context.Context, sysroot, repo, ref string) error {
	fresh := false
	if _, err := os.Stat(filepath.Join(sysroot, "ostree")); errors.Is(err, fs.ErrNotExist) {
		fresh = true
		for _, args := range [][]string{
			{"admin", "init-fs", "--modern", sysroot},
			{"admin", "os-init", "--sysroot=" + sysroot, "lab"},
			{"--repo=" + sysroot + "/ostree/repo", "remote", "add", "--no-gpg-verify", "lab", "http://127.0.0.1/"},
		} {
			if err := os.MkdirAll(sysroot, 0o755); err != nil {
				return err
			}
			if _, err := run(ctx, nil, "ostree", args...); err != nil {
				return err
			}
		}
	}
	rev, err := run(ctx, nil, "ostree", "--repo="+repo, "rev-parse", ref)
	if err != nil {
		return err
	}
	target := "--repo=" + sysroot + "/ostree/repo"
	if _, err := run(ctx, nil, "ostree", target, "pull-local", "--remote=lab", repo, rev); err != nil {
		return err
	}
	if _, err := run(ctx, nil, "ostree", target, "refs", "--force", "--create=lab:"+ref, rev); err != nil {
		return err
	}
	args := []string{"admin", "deploy", "--sysroot=" + sysroot, "--os=lab"}
	if fresh {
		for _, a := range kernelArgs {
			args = append(args, "--karg="+a)
		}
	}
	_, err = run(ctx, nil, "ostree", append(args, "lab:"+ref)...)
	return err
}
