package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// bigCases are those of the image system on a tree of the size of a desktop's.
var bigCases = []benchCase{
	{name: "big-commit-bare", what: "a directory into an empty repository", rounds: 5, prepare: bigCommit("bare")},
	{name: "big-commit-bare-user", what: "the same", rounds: 5, prepare: bigCommit("bare-user")},
	{name: "big-commit-archive", what: "the same", rounds: 3, prepare: bigCommit("archive")},
	{name: "big-commit-again", what: "an unchanged hard link checkout, --link-checkout-speedup", rounds: 5, prepare: bigCommitAgain},
	{name: "big-checkout-hardlink", what: "checkout -H of a bare repository", rounds: 5, prepare: bigCheckout("-H")},
	{name: "big-checkout-copy", what: "checkout -U --force-copy of a bare repository", rounds: 5, prepare: bigCheckout("-U", "--force-copy")},
	{name: "big-pull-bare", what: "from an archive repository by HTTP into an empty one", rounds: 5, prepare: bigPull("bare")},
	{name: "big-pull-archive", what: "the same", rounds: 5, prepare: bigPull("archive")},
	{name: "big-pull-local", what: "from a bare repository into an empty bare one", rounds: 5, prepare: bigPullLocal},
	{name: "big-fsck", what: "of a bare repository with two commits", rounds: 5, prepare: bigFsck},
	{name: "big-prune", what: fmt.Sprintf("of %d commits of a smaller tree, all but the last", historySize), rounds: 5, prepare: bigPrune},
	{name: "big-delta-generate", what: "static delta between two commits of an archive repository", rounds: 3, prepare: bigDelta, note: deltaSize},
	{name: "big-delta-apply", what: "the peer's delta to a bare repository", rounds: 5, prepare: bigApply},
}

func bigCommit(mode string) func(context.Context, *input, side, string) (command, error) {
	return func(ctx context.Context, in *input, s side, dir string) (command, error) {
		if err := in.big.trees(); err != nil {
			return nil, err
		}
		repo := filepath.Join(dir, "repo")
		err := do(ctx, peerOSTree, "--repo="+repo, "init", "--mode="+mode)
		return command{in.program(s, "ostree"), "--repo=" + repo, "commit", "-b", "bench", "--tree=dir=" + in.big.tree}, err
	}
}

func bigCommitAgain(ctx context.Context, in *input, s side, dir string) (command, error) {
	if err := in.big.repos(ctx); err != nil {
		return nil, err
	}
	repo, err := linked(ctx, in.big.repo, dir)
	if err != nil {
		return nil, err
	}
	out := filepath.Join(dir, "out")
	err = do(ctx, peerOSTree, "--repo="+repo, "checkout", "-H", "old", out)
	return command{in.program(s, "ostree"), "--repo=" + repo, "commit", "-b", "bench", "--link-checkout-speedup", "--tree=dir=" + out}, err
}

func bigCheckout(options ...string) func(context.Context, *input, side, string) (command, error) {
	return func(ctx context.Context, in *input, s side, dir string) (command, error) {
		err := in.big.repos(ctx)
		c := append(command{in.program(s, "ostree"), "--repo=" + in.big.repo, "checkout"}, options...)
		return append(c, "old", filepath.Join(dir, "out")), err
	}
}

func bigPull(mode string) func(context.Context, *input, side, string) (command, error) {
	return func(ctx context.Context, in *input, s side, dir string) (command, error) {
		url, err := in.big.url(ctx)
		if err != nil {
			return nil, err
		}
		repo := filepath.Join(dir, "repo")
		err = all(ctx, command{peerOSTree, "--repo=" + repo, "init", "--mode=" + mode},
			command{peerOSTree, "--repo=" + repo, "remote", "add", "--no-gpg-verify", "origin", url})
		return command{in.program(s, "ostree"), "--repo=" + repo, "pull", "origin", "old"}, err
	}
}

func bigPullLocal(ctx context.Context, in *input, s side, dir string) (command, error) {
	if err := in.big.repos(ctx); err != nil {
		return nil, err
	}
	repo, err := newRepo(ctx, dir)
	return command{in.program(s, "ostree"), "--repo=" + repo, "pull-local", in.big.repo, "old"}, err
}

func bigFsck(ctx context.Context, in *input, s side, _ string) (command, error) {
	err := in.big.repos(ctx)
	return command{in.program(s, "ostree"), "--repo=" + in.big.repo, "fsck", "--quiet"}, err
}

func bigPrune(ctx context.Context, in *input, s side, dir string) (command, error) {
	history, err := in.big.commits(ctx)
	if err != nil {
		return nil, err
	}
	repo := filepath.Join(dir, "repo")
	err = do(ctx, "cp", "-a", history, repo)
	return command{in.program(s, "ostree"), "--repo=" + repo, "prune", "--refs-only", "--depth=0"}, err
}

func bigDelta(ctx context.Context, in *input, s side, dir string) (command, error) {
	if err := in.big.repos(ctx); err != nil {
		return nil, err
	}
	repo, err := linked(ctx, in.big.archive, dir)
	return command{in.program(s, "ostree"), "--repo=" + repo, "static-delta", "generate", "--from=old", "--to=new"}, err
}

// deltaSize says how large the delta has become that a run made in dir.
func deltaSize(dir string) (string, error) {
	size, err := sizeOf(filepath.Join(dir, "repo", "deltas"))
	return "the delta: " + size, err
}

func bigApply(ctx context.Context, in *input, s side, dir string) (command, error) {
	delta, err := in.big.peerDelta(ctx)
	if err != nil {
		return nil, err
	}
	repo, err := newRepo(ctx, dir)
	if err != nil {
		return nil, err
	}
	err = do(ctx, peerOSTree, "--repo="+repo, "pull-local", in.big.repo, "old")
	return command{in.program(s, "ostree"), "--repo=" + repo, "static-delta", "apply-offline", delta}, err
}
