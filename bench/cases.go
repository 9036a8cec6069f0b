package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"rpmostree/test/distro/peer"
	"rpmostree/test/distro/world"
)

var cases = []benchCase{
	{name: "commit", what: "a directory into an empty bare repository", rounds: 7, prepare: commit},
	{name: "checkout", what: "checkout -H of a bare repository", rounds: 9, prepare: checkout},
	{name: "fsck", what: "of a bare repository with one commit", rounds: 7, prepare: fsck},
	{name: "pull", what: "from an archive repository by HTTP into an empty bare one", rounds: 5, prepare: pull},
	{name: "compose", what: "from local RPMs, nothing cached, no initramfs", rounds: 3, prepare: compose},
	{name: "install-noscript", what: "one small package without a script, from a sysroot with the tree deployed", rounds: 5, prepare: install("lab-plain")},
	{name: "install-script", what: "the same with a package that has a %post", rounds: 5, prepare: install("lab-hello")},
}

// newRepo makes an empty bare repository in dir.
func newRepo(ctx context.Context, dir string) (string, error) {
	repo := filepath.Join(dir, "repo")
	return repo, do(ctx, peerOSTree, "--repo="+repo, "init", "--mode=bare")
}

func commit(ctx context.Context, in *input, s side, dir string) (command, error) {
	tree, err := in.checkout(ctx)
	if err != nil {
		return nil, err
	}
	repo, err := newRepo(ctx, dir)
	return command{in.program(s, "ostree"), "--repo=" + repo, "commit", "-b", "bench", "--tree=dir=" + tree}, err
}

func checkout(ctx context.Context, in *input, s side, dir string) (command, error) {
	if _, err := in.checkout(ctx); err != nil { // to know the size
		return nil, err
	}
	repo, ref, err := in.composed(ctx)
	return command{in.program(s, "ostree"), "--repo=" + repo, "checkout", "-H", ref, filepath.Join(dir, "out")}, err
}

func fsck(ctx context.Context, in *input, s side, _ string) (command, error) {
	if _, err := in.checkout(ctx); err != nil {
		return nil, err
	}
	repo, _, err := in.composed(ctx)
	return command{in.program(s, "ostree"), "--repo=" + repo, "fsck", "--quiet"}, err
}

func pull(ctx context.Context, in *input, s side, dir string) (command, error) {
	if _, err := in.checkout(ctx); err != nil {
		return nil, err
	}
	url, err := in.url(ctx)
	if err != nil {
		return nil, err
	}
	repo, err := newRepo(ctx, dir)
	if err != nil {
		return nil, err
	}
	err = do(ctx, peerOSTree, "--repo="+repo, "remote", "add", "--no-gpg-verify", "origin", url)
	return command{in.program(s, "ostree"), "--repo=" + repo, "pull", "origin", in.world.Ref}, err
}

// compose makes a commit of the distribution from its packages. The peer's part is that of
// peerCompose.
func compose(ctx context.Context, in *input, s side, dir string) (command, error) {
	if _, err := in.checkout(ctx); err != nil { // to know the size
		return nil, err
	}
	treefile, err := in.treefile(ctx)
	if err != nil {
		return nil, err
	}
	w := in.world
	repo, err := newRepo(ctx, dir)
	if err != nil {
		return nil, err
	}
	if s == ours {
		return command{in.program(ours, "rpm-ostree"), "compose", "tree", "--repo=" + repo, "--cachedir=" + dir + "/cache", treefile}, nil
	}
	self, err := os.Executable()
	return append(command{self, "-peer-compose", dir, w.Base, w.Ref}, w.Packages...), err
}

// peerCompose makes a root directory from the packages of a repository with dnf and depmod,
// shapes it, and commits it to the repository in dir with the C ostree.
func peerCompose(ctx context.Context, dir, base, ref string, packages []string) error {
	root := filepath.Join(dir, "root")
	none := func(_, _ string) error { return nil }
	w := &world.World{Packages: packages}
	if err := peer.Compose(ctx, w, root, filepath.Join(dir, "dnf"), []string{base}, none); err != nil {
		return err
	}
	_, err := peer.Commit(ctx, filepath.Join(dir, "repo"), ref, root, "12")
	return err
}

// peerInstall layers the package $2 on the ref $3 of the sysroot $1 as one would without
// rpm-ostree. rpm writes its database in place, so that it must not be a hard link. The
// checkout stays, so that its removal does not count.
const peerInstall = `set -eu
cd "$1"
repo=ostree/repo root=$PWD/ostree/repo/tmp/root
ostree --repo=$repo checkout -H "$3" $root
cp -a $root/usr/share/rpm $root/usr/share/rpm.own
rm -r $root/usr/share/rpm
mv $root/usr/share/rpm.own $root/usr/share/rpm
mv $root/usr/etc $root/etc
rpm --root $root --dbpath /usr/share/rpm -i "$2"
mv $root/etc $root/usr/etc
ostree --repo=$repo commit -b "$3" --link-checkout-speedup --tree=dir=$root
ostree admin deploy --sysroot=. --os=` + stateroot + ` "$3"
`

// install adds one package to a deployed system.
func install(name string) func(context.Context, *input, side, string) (command, error) {
	return func(ctx context.Context, in *input, s side, dir string) (command, error) {
		if _, err := in.checkout(ctx); err != nil {
			return nil, err
		}
		sysroot, err := in.deployed(ctx, dir)
		if err != nil {
			return nil, err
		}
		if s == ours {
			return command{in.program(ours, "rpm-ostree"), "install", "--sysroot=" + sysroot, name}, nil
		}
		files, err := filepath.Glob(filepath.Join(in.world.Base, name+"-*.rpm"))
		if err != nil || len(files) != 1 {
			return nil, fmt.Errorf("%d packages %s in %s: %w", len(files), name, in.world.Base, err)
		}
		return command{"/bin/sh", "-c", peerInstall, "sh", sysroot, files[0], in.world.Ref}, nil
	}
}
