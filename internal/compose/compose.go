// Package compose makes an image from a treefile: it resolves the packages,
// assembles the tree, gives it its final shape, and commits it.
package compose

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rpmostree/gvariant"
	"rpmostree/internal/core"
	"rpmostree/internal/core/materialize"
	"rpmostree/internal/core/postprocess"
	"rpmostree/internal/failpoint"
	"rpmostree/internal/progress"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
	"rpmostree/rpmmd"
	"rpmostree/treefile"
)

// Options are those of `rpm-ostree compose tree`.
type Options struct {
	Repo     string // repository that gets the commit
	CacheDir string // keeps packages and metadata between runs; "" for none
	WorkDir  string // for temporary files; "" for a place beside the repository

	CacheOnly    bool // use what was downloaded before
	DownloadOnly bool
	DryRun       bool // resolve only
	Force        bool // make the commit even if the input has not changed
	Parent       string
	NoParent     bool
	NoSELinux    bool // do as if the treefile said selinux: false

	Metadata      []Entry                   // to be added to the commit, text
	MetadataValue map[string]gvariant.Value // and of other types

	WriteCommitTo string // file that gets the checksum; the ref is then not written

	Progress  progress.Sink
	Arch      string
	Epoch     uint64 // timestamp of the commit and of the installation
	NoOverlay bool
	Lua       string // program that runs <lua> scripts: see scripts.Runner
}

// An Entry is a key with a text.
type Entry struct{ Key, Value string }

// A Result is what a compose made.
type Result struct {
	Commit    ostree.Checksum
	Ref       string
	Version   string
	Plan      *core.Plan
	Unchanged bool // the input is that of the previous commit; nothing was made
	Stats     repo.Stats
}

// Tree composes the treefile at path.
func Tree(ctx context.Context, path string, o Options) (*Result, error) {
	t, err := treefile.Load(path, treefile.Options{Arch: o.Arch})
	if err != nil {
		return nil, err
	}
	if err := t.RefuseDerive(); err != nil {
		return nil, err
	}
	if err := supported(t); err != nil {
		return nil, err
	}
	c := &composer{opt: o, tf: t}
	for _, w := range t.Warnings() {
		c.progress().Message("warning: " + w)
	}
	defer c.close()
	if err := c.open(); err != nil {
		return nil, err
	}
	return c.run(ctx)
}

// supported returns an error for what a treefile asks that this program does
// not do, rather than making another image than was asked for.
func supported(t *treefile.Treefile) error {
	for _, k := range []struct {
		key string
		set bool
	}{
		{"gpg-key", t.GPGKey != ""},
		{"ostree-layers", len(t.OSTreeLayers) > 0},
		{"ostree-override-layers", len(t.OSTreeOverrideLayers) > 0},
		{"cliwrap", t.Cliwrap.Enabled()},
		{"check-passwd", t.CheckPasswd != nil && t.CheckPasswd.Type != treefile.CheckNone},
		{"check-groups", t.CheckGroups != nil && t.CheckGroups.Type != treefile.CheckNone},
		{"container", t.Container.Enabled()},
		{"readonly-executables", t.ReadonlyExecutables.Enabled()},
		{"finalize.d", len(t.Finalizers) > 0},
		{"rpmdb: " + string(t.RPMDB), t.RPMDB == treefile.RPMDBBDB || t.RPMDB == treefile.RPMDBNDB},
		{"opt-usrlocal: " + string(t.OptUsrLocal), t.OptUsrLocal != "" && t.OptUsrLocal != treefile.OptVar},
	} {
		if k.set {
			return fmt.Errorf("treefile: '%s' is not supported by this version", k.key)
		}
	}
	return nil
}

// A composer is the state of Tree.
type composer struct {
	opt      Options
	tf       *treefile.Treefile
	dest     *repo.Repo // gets the commit
	work     *repo.Repo // packages and trees; bare, since programs must see the files
	temp     string     // to be removed at the end
	tempLock *os.File
	core     *core.Core
}

func (c *composer) progress() progress.Sink {
	if c.opt.Progress == nil {
		return progress.Discard
	}
	return c.opt.Progress
}

// scratchDir is where trees are put on disk for a while, below the cache.
const scratchDir = "pkgcache-repo/extensions/rpmostree/private"

// open opens the repositories.
func (c *composer) open() (err error) {
	if c.opt.Repo == "" {
		return errors.New("--repo must be specified")
	}
	if c.dest, err = repo.Open(c.opt.Repo); err != nil {
		return err
	}
	cache := c.opt.CacheDir
	if cache == "" {
		parent := c.opt.WorkDir
		if parent == "" {
			parent = filepath.Join(c.opt.Repo, "tmp")
		}
		if err := c.tempDir(parent); err != nil {
			return err
		}
		cache = c.temp
	}
	if cache, err = filepath.Abs(cache); err != nil {
		return err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	work := filepath.Join(cache, "pkgcache-repo")
	if c.work, err = repo.Init(work, repo.InitOptions{Mode: repo.Bare}); err != nil {
		return err
	}
	scratch := filepath.Join(cache, scratchDir)
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return err
	}
	if err := materialize.Clean(scratch); err != nil {
		return err
	}
	c.core = &core.Core{
		Repo: c.work, Work: scratch, CacheDir: cache, CacheOnly: c.opt.CacheOnly,
		Progress: c.opt.Progress, Arch: c.opt.Arch, Epoch: c.opt.Epoch, NoOverlay: c.opt.NoOverlay,
		Lua: c.opt.Lua,
	}
	return nil
}

// tempPrefix begins the names of directories that last as long as one compose.
const tempPrefix = "rpm-ostree-compose-"

// tempDir makes such a directory, and removes those of composes that were
// killed: nobody holds the lock of theirs.
func (c *composer) tempDir(parent string) error {
	old, err := filepath.Glob(filepath.Join(parent, tempPrefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range old {
		lock, err := lockDir(dir)
		if err != nil {
			continue // in use
		}
		if err = materialize.Clean(filepath.Join(dir, scratchDir)); err == nil {
			err = os.RemoveAll(dir)
		}
		lock.Close()
		if err != nil {
			return err
		}
	}
	if c.temp, err = os.MkdirTemp(parent, tempPrefix); err != nil {
		return err
	}
	c.tempLock, err = lockDir(c.temp)
	return err
}

// lockDir locks a directory for as long as it is held open.
func lockDir(path string) (*os.File, error) {
	d, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (c *composer) close() {
	for _, r := range []*repo.Repo{c.work, c.dest} {
		if r != nil {
			r.Close()
		}
	}
	if c.temp != "" {
		os.RemoveAll(c.temp)
		c.tempLock.Close()
	}
}

func (c *composer) run(ctx context.Context) (*Result, error) {
	spec, err := c.spec()
	if err != nil {
		return nil, err
	}
	plan, err := c.core.Prepare(ctx, spec)
	if err != nil {
		return nil, err
	}
	result := &Result{Ref: c.tf.Ref, Plan: plan}
	if c.opt.DryRun {
		return result, nil
	}
	previous, parent, err := c.previous()
	if err != nil {
		return nil, err
	}
	hash, err := c.inputHash(plan)
	if err != nil {
		return nil, err
	}
	if previous != nil && !c.opt.Force && previous.MetadataString("rpmostree.inputhash") == hash {
		result.Unchanged = true
		return result, nil
	}
	if result.Version, err = c.version(previous); err != nil {
		return nil, err
	}
	tx, err := c.work.Begin(ctx, repo.TransactionOptions{})
	if err != nil {
		return nil, err
	}
	defer tx.Abort()
	fetched, err := c.core.Fetch(ctx, tx, plan)
	if err != nil {
		return nil, err
	}
	if c.opt.DownloadOnly {
		_, err := tx.Commit()
		return result, err
	}
	built, err := c.core.Assemble(ctx, tx, fetched)
	if err != nil {
		return nil, err
	}
	defer built.Close()
	s := shaper{composer: c, tx: tx, built: built, tree: built.Tree, version: result.Version}
	if err := s.shape(ctx); err != nil {
		return nil, err
	}
	meta, err := c.metadata(built, result.Version, hash, s.kernel)
	if err != nil {
		return nil, err
	}
	result.Commit, err = c.commit(tx, s.tree, meta, parent)
	if err != nil {
		return nil, err
	}
	result.Stats = tx.Stats()
	return result, c.publish(ctx, result)
}

// spec turns the treefile into a spec.
func (c *composer) spec() (core.Spec, error) {
	t := c.tf
	vars := rpmmd.NewVars(t.ReleaseVer.String(), c.opt.Arch)
	// Those of the machine that composes; most have none.
	_ = vars.Load(os.DirFS("/"), "etc/yum/vars", "etc/dnf/vars")
	vars.Environ(os.Environ())
	for k, v := range t.RepoVars {
		vars[k] = v
	}
	all, err := rpmmd.LoadRepos(os.DirFS(t.Dir), vars, ".")
	if err != nil {
		return core.Spec{}, err
	}
	spec := core.Spec{
		Install: t.Packages, Exclude: t.ExcludePackages,
		NoRecommends: !t.Recommends.Enabled(), NoDocs: !t.Documentation.Enabled(), IMA: t.IMA.Enabled(),
		Shape: postprocess.Options{TmpIsDir: t.TmpIsDir.Enabled() || t.Edition == treefile.Edition2024},
	}
	for _, p := range t.RepoPackages {
		spec.FromRepo = append(spec.FromRepo, core.FromRepo{Repo: p.Repo, Packages: p.Packages})
	}
	if len(t.Repos) == 0 {
		for _, r := range all {
			if r.Enabled {
				spec.Repos = append(spec.Repos, r)
			}
		}
		return spec, nil
	}
	for _, id := range t.Repos {
		found := false
		for _, r := range all {
			if r.ID == id {
				spec.Repos = append(spec.Repos, r)
				found = true
			}
		}
		if !found {
			return spec, fmt.Errorf("Unknown rpm-md repository: %s (no .repo file in %s defines it)", id, t.Dir)
		}
	}
	return spec, nil
}

// previous returns the commit that the new one follows, nil if there is none,
// and the parent to record.
func (c *composer) previous() (*ostree.Commit, ostree.Checksum, error) {
	rev := c.tf.Ref
	if c.opt.Parent != "" {
		rev = c.opt.Parent
	}
	if rev == "" {
		return nil, ostree.Checksum{}, nil
	}
	sum, err := c.dest.ResolveRev(rev)
	if errors.Is(err, fs.ErrNotExist) && c.opt.Parent == "" {
		return nil, ostree.Checksum{}, nil
	} else if err != nil {
		return nil, sum, err
	}
	commit, err := c.dest.Commit(sum)
	if c.opt.NoParent {
		sum = ostree.Checksum{}
	}
	return commit, sum, err
}

// inputHash identifies everything that the image is made of.
func (c *composer) inputHash(plan *core.Plan) (string, error) {
	hash, err := c.tf.Hash()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(hash + "\n" + plan.StateHash()))
	return hex.EncodeToString(sum[:]), nil
}

func (c *composer) commit(tx *repo.Transaction, t tree.Tree, meta core.Metadata, parent ostree.Checksum) (ostree.Checksum, error) {
	task := c.progress().Begin("Writing OSTree commit")
	root, rootMeta, err := t.Write(tx)
	if err != nil {
		return ostree.Checksum{}, err
	}
	sum, err := tx.WriteCommit(&ostree.Commit{
		Metadata: meta.Value(), Parent: parent, Timestamp: c.opt.Epoch, Tree: root, Meta: rootMeta,
	})
	if err != nil {
		return sum, err
	}
	if err := failpoint.At("compose.commit"); err != nil {
		return sum, err
	}
	if _, err := tx.Commit(); err != nil {
		return sum, err
	}
	task.End("")
	return sum, nil
}

// publish brings the commit from the working repository to that of the user,
// and then makes the ref name it.
func (c *composer) publish(ctx context.Context, r *Result) error {
	o := repo.PullLocalOptions{Refs: []string{r.Commit.String()}, NoVerifyBindings: true}
	if _, err := c.dest.PullLocal(ctx, c.work, o); err != nil {
		return err
	}
	if c.opt.WriteCommitTo != "" {
		return os.WriteFile(c.opt.WriteCommitTo, []byte(r.Commit.String()+"\n"), 0o644)
	}
	if r.Ref == "" {
		return nil
	}
	return c.dest.SetRef("", r.Ref, r.Commit)
}

// Print returns the treefile at path with everything merged, as JSON.
func Print(path string, o Options) ([]byte, error) {
	t, err := treefile.Load(path, treefile.Options{Arch: o.Arch})
	if err != nil {
		return nil, err
	}
	return t.JSON()
}
