package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"rpmostree/test/distro/world"
)

// The peers: their names are those of the project's own programs.
const (
	peerOSTree = "/usr/bin/ostree"
	stateroot  = "lab"
)

// An input holds what the cases work on. Each part is made when it is first wanted.
type input struct {
	dir   string
	build string // the project's programs
	size  string // of the tree
	big   bigInput

	world    *world.World
	repo     string // bare repository with the composed distribution
	tree     string // checkout of it, without hard links
	archive  string // archive repository with the same
	sysroot  string // sysroot with the same deployed
	listener net.Listener
}

func (in *input) close() {
	if in.listener != nil {
		in.listener.Close()
	}
	in.big.close()
}

// program returns the path of a program of a side that both have by that name.
func (in *input) program(s side, name string) string {
	if s == theirs {
		return filepath.Join("/usr/bin", name)
	}
	return filepath.Join(in.build, name)
}

// do runs a program that is not measured.
func do(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// all runs commands one after the other, up to the first that fails.
func all(ctx context.Context, list ...command) error {
	for _, c := range list {
		if err := do(ctx, c...); err != nil {
			return err
		}
	}
	return nil
}

// distribution returns the test distribution.
func (in *input) distribution(ctx context.Context) (*world.World, error) {
	if in.world != nil {
		return in.world, nil
	}
	if err := os.MkdirAll(in.dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	in.world, err = world.Make(ctx, "", world.Options{Log: os.Stderr})
	return in.world, err
}

// treefile writes a treefile for the distribution, without an initramfs: making that is
// dracut's work.
func (in *input) treefile(ctx context.Context) (string, error) {
	w, err := in.distribution(ctx)
	if err != nil {
		return "", err
	}
	repos, err := os.ReadFile(w.RepoFile)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(in.dir, "lab.repo"), repos, 0o644); err != nil {
		return "", err
	}
	path := filepath.Join(in.dir, "bench.yaml")
	return path, os.WriteFile(path, []byte("include: "+w.Treefile+"\nno-initramfs: true\n"), 0o644)
}

// composed returns a bare repository with the distribution's tree, and the tree's ref.
func (in *input) composed(ctx context.Context) (repo, ref string, err error) {
	treefile, err := in.treefile(ctx)
	if err != nil || in.repo != "" {
		return in.repo, in.world.Ref, err
	}
	repo = filepath.Join(in.dir, "repo")
	err = all(ctx,
		command{peerOSTree, "--repo=" + repo, "init", "--mode=bare"},
		command{in.program(ours, "rpm-ostree"), "compose", "tree", "--repo=" + repo, treefile})
	if err == nil {
		in.repo = repo
	}
	return repo, in.world.Ref, err
}

// checkout returns a directory with the distribution's tree, which shares no inodes with a
// repository.
func (in *input) checkout(ctx context.Context) (string, error) {
	repo, ref, err := in.composed(ctx)
	if err != nil || in.tree != "" {
		return in.tree, err
	}
	dir := filepath.Join(in.dir, "tree")
	if err := do(ctx, peerOSTree, "--repo="+repo, "checkout", "--force-copy", ref, dir); err != nil {
		return "", err
	}
	in.tree = dir
	in.size, err = sizeOf(dir)
	return dir, err
}

// url returns the URL of an archive repository with the tree, served by this process.
func (in *input) url(ctx context.Context) (string, error) {
	repo, ref, err := in.composed(ctx)
	if err != nil {
		return "", err
	}
	if in.archive == "" {
		archive := filepath.Join(in.dir, "archive")
		err := all(ctx,
			command{peerOSTree, "--repo=" + archive, "init", "--mode=archive"},
			command{peerOSTree, "--repo=" + archive, "pull-local", repo, ref},
			command{peerOSTree, "--repo=" + archive, "summary", "-u"})
		if err != nil {
			return "", err
		}
		in.archive = archive
		if in.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return "", err
		}
		go http.Serve(in.listener, http.FileServer(http.Dir(archive)))
	}
	return "http://" + in.listener.Addr().String(), nil
}

// deployed returns a copy in dir of a sysroot where the distribution is deployed.
func (in *input) deployed(ctx context.Context, dir string) (string, error) {
	repo, ref, err := in.composed(ctx)
	if err != nil {
		return "", err
	}
	if in.sysroot == "" {
		s := filepath.Join(in.dir, "sysroot")
		if err := os.Mkdir(s, 0o755); err != nil {
			return "", err
		}
		err := all(ctx,
			command{peerOSTree, "admin", "init-fs", "--modern", s},
			command{peerOSTree, "admin", "os-init", "--sysroot=" + s, stateroot},
			command{peerOSTree, "--repo=" + s + "/ostree/repo", "pull-local", repo, ref},
			command{peerOSTree, "admin", "deploy", "--sysroot=" + s, "--os=" + stateroot, "--karg=root=LABEL=root", ref})
		if err != nil {
			return "", err
		}
		in.sysroot = s
	}
	to := filepath.Join(dir, "sysroot")
	return to, do(ctx, "cp", "-a", in.sysroot, to)
}
