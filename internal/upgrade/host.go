// Package upgrade changes what a machine boots: it upgrades, rebases, layers
// packages, rolls back. Every operation reads the state of the sysroot, computes
// a new commit if one is needed, and deploys it; nothing that exists is changed
// before that last step.
package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"rpmostree/internal/core"
	"rpmostree/internal/core/materialize"
	"rpmostree/internal/core/passwd"
	"rpmostree/internal/origin"
	"rpmostree/internal/progress"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sysroot"
	"rpmostree/ostree/tree"
	"rpmostree/rpmmd"
)

// A Host is the machine, or the sysroot directory, to work on.
type Host struct {
	Sysroot   *sysroot.Sysroot
	Stateroot string        // "" for the booted one, or the first
	Progress  progress.Sink // nil means nobody is told
	Arch      string        // architecture of packages, by rpm's name
	Epoch     uint64        // time to record, in seconds since 1970
	NoOverlay bool          // copy trees where overlayfs would do
	Lua       string        // program that runs <lua> scripts: see scripts.Runner
}

func (h *Host) progress() progress.Sink {
	if h.Progress == nil {
		return progress.Discard
	}
	return h.Progress
}

// repoWork is where trees are put on disk for a while, in the repository: it
// must be on its file system.
const repoWork = "extensions/rpmostree/private/commit"

// A target is what an operation starts from.
type target struct {
	state  *sysroot.State
	os     string
	merge  sysroot.Deployment // whose /etc and configuration are used
	newest sysroot.Deployment // whose origin is changed: the first of the stateroot
	origin *origin.Origin
}

// target reads the state of the sysroot.
func (h *Host) target() (*target, error) {
	st, err := h.Sysroot.Load()
	if err != nil {
		return nil, err
	}
	t := &target{state: st, os: h.Stateroot}
	if t.os == "" {
		if b, ok := st.Booted(); ok {
			t.os = b.OSName
		} else if len(st.Deployments) > 0 {
			t.os = st.Deployments[0].OSName
		}
	}
	var ok bool
	if t.merge, ok = st.MergeDeployment(t.os); !ok {
		if t.os == "" {
			return nil, errors.New("No deployments found; deploy an image first, with: ostree admin deploy")
		}
		return nil, fmt.Errorf("No deployments found for os %s", t.os)
	}
	t.newest = t.merge
	if p, ok := st.Pending(t.os); ok {
		t.newest = p
	}
	if t.newest.Origin == nil {
		return nil, fmt.Errorf("No origin known for deployment %s.%d", t.newest.Checksum, t.newest.Serial)
	}
	t.origin, err = origin.Parse(t.newest.Origin.Bytes())
	return t, err
}

// core returns the means to make trees for the target.
func (h *Host) core(t *target, base tree.Tree, cacheOnly bool) (*core.Core, error) {
	r := h.Sysroot.Repo()
	work := filepath.Join(r.Path(), repoWork)
	if err := os.MkdirAll(work, 0o700); err != nil {
		return nil, err
	}
	if err := materialize.Clean(work); err != nil {
		return nil, err
	}
	root, state := h.files(t)
	return &core.Core{
		Repo: r, Work: work, CacheDir: h.cacheDir(t.os), CacheOnly: cacheOnly, Progress: h.Progress,
		Arch: h.Arch, Epoch: h.Epoch, Vars: h.vars(t, base),
		Root: root, Var: state, NoOverlay: h.NoOverlay,
		Lua: h.Lua,
	}, nil
}

// files returns where the files are that repository configurations name: the root of the
// merge deployment, and its /var, "" if that is in the root. The booted deployment has the
// running system's, since certificates may be in /run, and keys on a medium in /mnt.
func (h *Host) files(t *target) (root, state string) {
	if t.merge.Booted {
		return "/", ""
	}
	return h.Sysroot.DeploymentPath(t.merge), h.stateVar(t.merge.OSName)
}

func (h *Host) cacheDir(os string) string {
	if h.Sysroot.IsBooted() {
		return "/var/cache/rpm-ostree"
	}
	return filepath.Join(h.stateVar(os), "cache/rpm-ostree")
}

// stateVar returns the directory that is /var in the deployments of a stateroot.
func (h *Host) stateVar(os string) string {
	return filepath.Join(h.Sysroot.Path(), "ostree/deploy", os, "var")
}

// vars returns the variables of repository files: the release is that of the
// base tree, not that of what runs.
func (h *Host) vars(t *target, base tree.Tree) rpmmd.Vars {
	release := ""
	if text, err := core.ReadFile(h.Sysroot.Repo().Objects, base, "usr/lib/os-release"); err == nil {
		release = osRelease(string(text), "VERSION_ID")
	}
	v := rpmmd.NewVars(release, h.Arch)
	// A machine without variables of its own is the usual case.
	_ = v.Load(os.DirFS(h.Sysroot.DeploymentPath(t.merge)), "etc/yum/vars", "etc/dnf/vars")
	v.Environ(os.Environ())
	return v
}

// osRelease returns the value of a key of os-release(5).
func osRelease(text, key string) string {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			return strings.Trim(v, `"'`)
		}
	}
	return ""
}

// repos reads the enabled repositories of the merge deployment.
func (h *Host) repos(t *target, vars rpmmd.Vars) ([]rpmmd.RepoConfig, error) {
	all, err := h.allRepos(t, vars)
	return enabled(all), err
}

func (h *Host) allRepos(t *target, vars rpmmd.Vars) ([]rpmmd.RepoConfig, error) {
	return rpmmd.LoadSystem(os.DirFS(h.Sysroot.DeploymentPath(t.merge)), vars)
}

func enabled(all []rpmmd.RepoConfig) (out []rpmmd.RepoConfig) {
	for _, r := range all {
		if r.Enabled {
			out = append(out, r)
		}
	}
	return out
}

// baseOf returns the base commit of a deployment: its own, unless it is a
// layered one.
func baseOf(r *repo.Repo, d sysroot.Deployment) (ostree.Checksum, error) {
	c, err := r.Commit(d.Checksum)
	if err != nil {
		return ostree.Checksum{}, err
	}
	if isLayered(c) {
		return c.Parent, nil
	}
	return d.Checksum, nil
}

func isLayered(c *ostree.Commit) bool {
	v, ok := c.Metadata.Lookup("rpmostree.clientlayer")
	return ok && v.Bool()
}

// base gathers what layering needs of a base commit.
func (h *Host) base(t *target, commit ostree.Checksum) (*core.Base, error) {
	r := h.Sysroot.Repo()
	tr, err := r.Tree(commit)
	if err != nil {
		return nil, err
	}
	db, err := core.Database(r.Objects, tr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", commit, err)
	}
	b := &core.Base{Commit: commit, Tree: tr, Database: db.Entries(), Packages: db.Packages()}
	merged, err := r.Tree(t.merge.Checksum)
	if err != nil {
		return nil, err
	}
	if t.merge.Unlocked == sysroot.UnlockedNone {
		b.OnDisk = &materialize.Base{Dir: h.Sysroot.DeploymentPath(t.merge), Tree: merged, Only: []string{"usr"}}
	}
	b.Users, err = machineUsers(h.Sysroot.DeploymentPath(t.merge))
	return b, err
}

// machineUsers returns the users of a deployment: files in /var belong to their
// numbers, which a new tree has to keep.
func machineUsers(deployment string) (passwd.Database, error) {
	var text [2][]byte
	for i, p := range []string{"etc/passwd", "etc/group"} {
		var err error
		text[i], err = os.ReadFile(filepath.Join(deployment, p))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return passwd.Database{}, err
		}
	}
	return passwd.Parse(text[0], text[1])
}

// begin takes the lock of the sysroot for a change, and reads its state.
func (h *Host) begin(ctx context.Context) (t *target, unlock func(), err error) {
	if unlock, err = h.Sysroot.Lock(ctx); err != nil {
		return nil, nil, err
	}
	if t, err = h.target(); err != nil {
		unlock()
		return nil, nil, err
	}
	return t, unlock, nil
}
