package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"rpmostree/internal/compress"
	"rpmostree/internal/core"
	"rpmostree/internal/core/sack"
	"rpmostree/rpmmd"
	"rpmostree/rpmmd/download"
	"rpmostree/solv"
	"rpmostree/test/universe"
)

// metadataCases compare with libsolv's programs, on the repository in a directory: from
// primary.xml to the cache, from the cache to where packages can be asked for, from there to a
// pool that is ready to solve, and to the plan of a request. Without a directory the universe
// of packages is used. Times are of the CPU.
func metadataCases(dir string) []benchCase {
	base := func(ctx context.Context) (string, error) {
		if dir != "" {
			return filepath.Abs(dir)
		}
		u, err := universe.Make(ctx, os.Stderr)
		if err != nil {
			return "", err
		}
		return u.Base, nil
	}
	solvFile := func(dir string) string { return filepath.Join(dir, "base.solv") }
	self := func(args ...string) (command, error) {
		exe, err := os.Executable()
		return append(command{exe, "-metadata"}, args...), err
	}
	load := func(step, jobs string) func(context.Context, *input, side, string) (command, error) {
		return func(ctx context.Context, in *input, s side, dir string) (command, error) {
			repo, err := base(ctx)
			if err != nil {
				return nil, err
			}
			cache := filepath.Join(in.dir, "metadata")
			if s == ours {
				if err := loadRepo(ctx, repo, cache, download.IfMissing, false); err != nil {
					return nil, err
				}
				return self(step, repo, cache)
			}
			if _, err := plainPrimary(repo, in.dir); err != nil {
				return nil, err
			}
			testcase := "repo base 0 solv base.solv\nsystem x86_64 rpm\n" + jobs // relative to the file
			if err := os.WriteFile(filepath.Join(dir, "load.t"), []byte(testcase), 0o644); err != nil {
				return nil, err
			}
			err = do(ctx, "sh", "-c", "rpmmd2solv < $0 > $1", filepath.Join(in.dir, "primary.xml"), solvFile(dir))
			return command{"testsolv", "-r", filepath.Join(dir, "load.t")}, err
		}
	}
	return []benchCase{
		{name: "metadata-xml", what: "primary.xml, not compressed, to the cache", rounds: 5, cpu: true,
			prepare: func(ctx context.Context, in *input, s side, dir string) (command, error) {
				repo, err := base(ctx)
				if err != nil {
					return nil, err
				}
				xml, err := plainPrimary(repo, in.dir)
				if err != nil {
					return nil, err
				}
				if s == theirs {
					return command{"sh", "-c", "exec rpmmd2solv < $0 > $1", xml, solvFile(dir)}, nil
				}
				return self("xml", xml, filepath.Join(dir, "index"))
			}},
		{name: "metadata-cache", what: "the cache of the same, mapped and verified, but no pool; the peer reads its cache into a pool", rounds: 7, cpu: true,
			prepare: load("cache", "")},
		{name: "metadata-pool", what: "the cache to a pool that has answered an empty request, on both sides, whole processes; our pool reads the lists of a package when they are asked for",
			rounds: 7, cpu: true, prepare: load("pool", "")},
		{name: "plan-warm", what: "the cache to the plan for a desktop into an empty root: check of the cache's age, load, solve, and ours puts the packages in order; whole processes",
			rounds: 7, cpu: true, prepare: load("plan", solverHeader+"job install name "+desktop+"\nresult transaction,problems /dev/null\n")},
	}
}

// plainPrimary decompresses the repository's primary.xml into dir.
func plainPrimary(repo, dir string) (string, error) {
	name := filepath.Join(dir, "primary.xml")
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	list, err := filepath.Glob(filepath.Join(repo, "repodata", "*primary.xml*"))
	if err != nil || len(list) != 1 {
		return "", errors.Join(err, fmt.Errorf("%s: no repository", repo))
	}
	in, err := os.Open(list[0])
	if err != nil {
		return "", err
	}
	defer in.Close()
	z, _, err := compress.NewDetectingReader(in, 0)
	if err != nil {
		return "", err
	}
	defer z.Close()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	out, err := os.Create(name)
	if err != nil {
		return "", err
	}
	_, err = out.ReadFrom(z)
	return name, errors.Join(err, out.Close())
}

func metadataStep(ctx context.Context, step string, args []string) error {
	if len(args) != 2 {
		return errors.New("two arguments wanted")
	}
	switch step {
	case "xml":
		return indexPrimary(args[0], args[1])
	case "cache", "pool":
		return loadRepo(ctx, args[0], args[1], download.CacheOnly, step == "pool")
	case "plan":
		return planDesktop(ctx, args[0], args[1])
	}
	return fmt.Errorf("unknown step %q", step)
}

// indexPrimary writes the index of a primary.xml, as a refresh does.
func indexPrimary(primary, out string) error {
	in, err := os.Open(primary)
	if err != nil {
		return err
	}
	defer in.Close()
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	return errors.Join(rpmmd.IndexPrimary(in, f, "bench"), f.Close())
}

// desktop is the package whose installation is planned.
const desktop = "task-gnome-desktop"

func baseConfig(repo string) rpmmd.RepoConfig {
	config := rpmmd.NewRepoConfig("base")
	config.BaseURL = []string{"file://" + repo}
	return config
}

// planDesktop does all that comes before packages are fetched.
func planDesktop(ctx context.Context, repo, cache string) error {
	c := core.Core{CacheDir: cache, Arch: "x86_64", Planning: true}
	plan, err := c.Prepare(ctx, core.Spec{Install: []string{desktop}, Repos: []rpmmd.RepoConfig{baseConfig(repo)}})
	if err == nil && len(plan.Install) < 1000 {
		err = fmt.Errorf("a desktop of %d packages", len(plan.Install))
	}
	return err
}

// loadRepo opens the metadata of a repository and, if wanted, makes a pool of it and solves nothing.
func loadRepo(ctx context.Context, repo, cache string, mode download.Mode, pool bool) error {
	d, err := download.New(download.Options{CacheDir: filepath.Join(cache, "repomd"), Mode: mode})
	if err != nil {
		return err
	}
	config := baseConfig(repo)
	snapshot, err := d.Refresh(ctx, config)
	if err != nil {
		return err
	}
	x, err := snapshot.Index(ctx)
	if err != nil || !pool {
		return err
	}
	s := sack.New("x86_64")
	s.AddRepo(config.ID, config.Priority, config.Cost)
	s.AddIndex(config.ID, x)
	dep, err := s.Pool.ParseDep("bash")
	if err == nil && len(s.Pool.Selected(solv.SelectProvides(dep))) == 0 {
		err = errors.New("no package was loaded")
	}
	if _, problems := solv.Solve(s.Pool, nil, solv.LibdnfOptions()); err == nil && len(problems) > 0 {
		err = errors.New("problems with nothing")
	}
	return err
}
