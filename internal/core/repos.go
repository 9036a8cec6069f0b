package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rpmostree/internal/core/pkgcache"
	"rpmostree/internal/core/sack"
	"rpmostree/internal/dirfd"
	"rpmostree/internal/openpgp"
	"rpmostree/rpm"
	"rpmostree/rpm/evr"
	"rpmostree/rpmmd"
	"rpmostree/rpmmd/download"
	"rpmostree/solv"
)

// repos are the repositories of a plan: their metadata, and later their
// packages.
type repos struct {
	downloader *download.Downloader
	list       []*download.Snapshot
	byID       map[string]*download.Snapshot
	keys       map[string]*openpgp.Keyring
	first      map[string]solv.ID            // repository to ID of its first package
	ids        map[string]map[string]solv.ID // repository to package checksum to ID; made when needed
	modules    *rpmmd.ModuleFilter           // nil if no repository has modules
	cached     map[string]bool               // refs of the packages that can be had; nil if all can
}

func newRepos() *repos {
	return &repos{byID: map[string]*download.Snapshot{}, keys: map[string]*openpgp.Keyring{}, first: map[string]solv.ID{}, ids: map[string]map[string]solv.ID{}}
}

// loadRepos brings the metadata of the enabled repositories up to date, and
// their packages into the sack.
func (c *Core) loadRepos(ctx context.Context, spec Spec, s *sack.Sack) (*repos, error) {
	r := newRepos()
	if len(spec.Repos) == 0 {
		c.progress().Message("No enabled rpm-md repositories.")
		return r, c.loadCached(r, spec, s)
	}
	var names []string
	for _, config := range spec.Repos {
		names = append(names, config.ID)
	}
	c.progress().Message("Enabled rpm-md repositories: " + strings.Join(names, " "))
	mode := download.Default
	if c.CacheOnly {
		mode = download.CacheOnly
	}
	var err error
	r.downloader, err = download.New(download.Options{CacheDir: path.Join(c.CacheDir, "repomd"), Mode: mode, File: c.localFile})
	if err != nil {
		return nil, err
	}
	task := c.progress().Begin("Updating metadata")
	configs := make([]rpmmd.RepoConfig, len(spec.Repos))
	for i, config := range spec.Repos {
		for _, w := range config.Warnings {
			c.progress().Message("warning: " + w)
		}
		configs[i] = config
		configs[i].SkipIfUnavailable = config.SkipIfUnavailable || c.CacheOnly
	}
	list, skipped, err := r.downloader.RefreshAll(ctx, configs)
	if err != nil {
		return nil, err
	}
	task.End("")
	for _, err := range skipped {
		c.progress().Message("Skipping: " + err.Error())
	}
	r.list = list
	for _, snapshot := range list {
		if err := r.load(ctx, snapshot, s); err != nil {
			return nil, err
		}
		cached := " (cached)"
		if snapshot.Fresh {
			cached = ""
		}
		c.progress().Message(fmt.Sprintf("rpm-md repo '%s'%s; generated: %s solvables: %d", snapshot.ID(), cached,
			snapshot.Generated().UTC().Format(time.RFC3339), len(s.Repo(snapshot.ID()).IDs())))
	}
	if err := c.loadCached(r, spec, s); err != nil {
		return nil, err
	}
	return r, c.loadModules(ctx, r)
}

// loadCached does its work only when nothing may be downloaded. It notes which packages
// were imported before, and adds those of them that no metadata has: what is
// deployed can always be made again. A compose takes only packages of its
// repositories.
func (c *Core) loadCached(r *repos, spec Spec, s *sack.Sack) error {
	if !c.CacheOnly || c.Planning {
		return nil
	}
	r.cached = map[string]bool{}
	refs, err := c.Repo.LocalRefs()
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for id := range s.Pool.Len() {
		if src := s.Source(solv.ID(id)); src.Remote() {
			known[pkgcache.Ref(src.NEVRA())] = true
		}
	}
	for _, ref := range refs {
		if !strings.HasPrefix(ref.Name, pkgcache.RefPrefix) {
			continue
		}
		r.cached[ref.Name] = true
		if known[ref.Name] {
			continue
		}
		p, err := pkgcache.Load(c.Repo.Objects, ref.Checksum)
		if errors.Is(err, fs.ErrNotExist) {
			continue // of older import rules
		} else if err != nil {
			return err
		}
		enabled := slices.ContainsFunc(spec.Repos, func(c rpmmd.RepoConfig) bool { return c.ID == p.RepoID })
		if p.RepoID == "" || spec.Base == nil && !enabled {
			continue
		}
		if s.Repo(p.RepoID) == nil {
			s.AddRepo(p.RepoID, rpmmd.DefaultPriority, rpmmd.DefaultCost)
		}
		s.AddCached(p.RepoID, &sack.Local{Header: p.Header, SHA256: p.SHA256, Checksum: p.RepoChecksum})
	}
	return nil
}

// isCached reports whether a package of a repository can be had.
func (r *repos) isCached(n evr.NEVRA) bool { return r.cached == nil || r.cached[pkgcache.Ref(n)] }

// loadModules finds out which packages belong to module streams that are not
// active.
func (c *Core) loadModules(ctx context.Context, r *repos) error {
	var all []*rpmmd.Modules
	for _, s := range r.list {
		m, err := s.Modules(ctx)
		if err != nil {
			return err
		}
		if m == nil {
			continue
		}
		all = append(all, m)
		for _, w := range m.Warnings {
			c.progress().Message(fmt.Sprintf("warning: repository '%s': %s", s.ID(), w))
		}
	}
	if len(all) == 0 {
		return nil
	}
	var state rpmmd.ModuleState
	if c.Root != "" { // else there is no system yet, and only default streams are active
		var err error
		if state, err = rpmmd.LoadModuleState(os.DirFS(c.Root)); err != nil {
			return err
		}
	}
	r.modules = rpmmd.NewModuleFilter(all, state)
	return nil
}

// needsRepos reports whether a spec cannot be resolved from what it holds: only
// removals can. Package files may need more packages.
func needsRepos(spec Spec) bool {
	return len(spec.Install)+len(spec.Local)+len(spec.Overwrite)+len(spec.FromRepo)+
		len(spec.Replace)+len(spec.ReplaceRemote) > 0
}

// localFile finds the file that a repository's configuration names, a key or a
// certificate, in the system below c.Root: also symbolic links do not lead out of it.
// What a deployment does not have before it is booted, such as /run, is not there.
func (c *Core) localFile(name string) (string, error) {
	if c.Root == "" || c.Root == "/" {
		return name, nil
	}
	name, top := path.Clean("/"+name), c.Root
	if below, ok := strings.CutPrefix(name, "/var/"); ok && c.Var != "" {
		name, top = below, c.Var
	}
	root, err := dirfd.Open(top)
	if err != nil {
		return "", err
	}
	defer root.Close()
	f, err := root.OpenBeneath(name, unix.O_PATH, 0, dirfd.InRoot)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return os.Readlink(dirfd.ProcPath(int(f.Fd()), ""))
}

// load adds the packages of a repository to the sack.
func (r *repos) load(ctx context.Context, snapshot *download.Snapshot, s *sack.Sack) error {
	config, id := snapshot.Config, snapshot.ID()
	r.byID[id] = snapshot
	s.AddRepo(id, config.Priority, config.Cost)
	x, err := snapshot.Index(ctx)
	if err == nil {
		r.first[id] = s.AddIndex(id, x)
	}
	return err
}

// byPkgID returns the packages of a repository by the checksums that name them in
// its other metadata.
func (r *repos) byPkgID(ctx context.Context, snapshot *download.Snapshot) (map[string]solv.ID, error) {
	id := snapshot.ID()
	if r.ids[id] != nil {
		return r.ids[id], nil
	}
	x, err := snapshot.Index(ctx)
	if err != nil {
		return nil, err
	}
	ids := make(map[string]solv.ID, x.Len())
	for i := range x.Len() {
		ids[x.PkgID(i)] = r.first[id] + solv.ID(i)
	}
	r.ids[id] = ids
	return ids, nil
}

// excludes reports whether a repository's configuration, or modularity, hides
// a package.
func (r *repos) excludes(src sack.Source) exclusion {
	config, n := &r.byID[src.Repo].Config, src.NEVRA()
	if r.modules != nil && !config.ModuleHotfixes && r.modules.Hides(n, src.Provided()) {
		return byModule
	}
	if sack.Matches(config.ExcludePkgs, n) || len(config.IncludePkgs) > 0 && !sack.Matches(config.IncludePkgs, n) {
		return byExclude
	}
	return ""
}

// provideFiles looks paths up in the file lists of all repositories. It reports
// whether a package was found to have one that is not in its primary metadata.
func (r *repos) provideFiles(ctx context.Context, s *sack.Sack, paths []string) (bool, error) {
	paths = slices.DeleteFunc(slices.Clone(paths), rpmmd.IsPrimaryPath)
	if len(paths) == 0 {
		return false, nil
	}
	found := false
	for _, snapshot := range r.list {
		if !snapshot.Has("filelists") {
			continue
		}
		ids, err := r.byPkgID(ctx, snapshot)
		if err != nil {
			return false, err
		}
		err = snapshot.FindPaths(ctx, paths, func(o rpmmd.Owner) error {
			if id, ok := ids[o.PkgID]; ok {
				s.Pool.AddFileProvide(id, o.File.Path)
				found = true
			}
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	return found, nil
}

// states returns the repositories as they are recorded in commits.
func (r *repos) states() []RepoState {
	var out []RepoState
	for _, s := range r.list {
		out = append(out, RepoState{s.ID(), r.timestamp(s.ID())})
	}
	return out
}

func (r *repos) timestamp(id string) uint64 {
	if s, ok := r.byID[id]; ok {
		return uint64(max(s.Generated().Unix(), 0))
	}
	return 0
}

// open opens a package of a repository, and says how it must be verified.
func (r *repos) open(ctx context.Context, src sack.Source) (io.ReadCloser, rpm.Options, error) {
	s := r.byID[src.Repo]
	opt := rpm.Options{}
	if s.Config.GPGCheck {
		opt.Level = rpm.LevelSignature
		opt.Keyring = r.keys[src.Repo]
	}
	in, err := s.OpenPackage(ctx, src.Package())
	return in, opt, err
}

// retry reports whether a package that could not be read should be asked of
// another mirror.
func (r *repos) retry(src sack.Source, err error, tries int) bool {
	s, ok := r.byID[src.Repo]
	return ok && s.Retry(src.Package(), err, tries)
}

// keyDir is where a system has the keys of its vendor.
const keyDir = "etc/pki/rpm-gpg"

// loadKeys fetches the keys of the repositories that packages come from, where packages must be
// signed. A repository that names no keys has those of the system below root.
func (r *repos) loadKeys(ctx context.Context, root string, steps []Step) error {
	for _, step := range steps {
		id := step.Source.Repo
		s, ok := r.byID[id]
		if !ok || !s.Config.GPGCheck || r.keys[id] != nil {
			continue
		}
		var data [][]byte
		var err error
		if len(s.Config.GPGKey) > 0 {
			data, err = r.downloader.Keys(ctx, s.Config)
		} else {
			data, err = systemKeys(cmp.Or(root, "/"))
		}
		if err != nil {
			return err
		}
		if len(data) == 0 {
			return fmt.Errorf("repo '%s': packages must be signed (gpgcheck=1), but no gpgkey= is configured, and there are no keys in /%s", id, keyDir)
		}
		if r.keys[id], err = openpgp.NewKeyring(data...); err != nil {
			return fmt.Errorf("repo '%s': %w", id, err)
		}
	}
	return nil
}

// systemKeys returns the files of the system below root that hold keys.
func systemKeys(root string) (keys [][]byte, err error) {
	top, err := dirfd.Open(root)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	dir, err := top.OpenDirBeneath(keyDir, dirfd.InRoot)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer dir.Close()
	list, err := dir.ReadDir()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b dirfd.Entry) int { return strings.Compare(a.Name, b.Name) })
	for _, e := range list {
		b, err := systemKey(top, path.Join(keyDir, e.Name))
		if err != nil {
			return nil, err
		}
		if _, err := openpgp.NewKeyring(b); err == nil {
			keys = append(keys, b)
		}
	}
	return keys, nil
}

// systemKey returns the content of a file that may hold keys. Links that lead nowhere, and
// what is no file, are what programs leave there beside keys: they are empty.
func systemKey(root *dirfd.Dir, name string) ([]byte, error) {
	f, err := root.OpenBeneath(name, unix.O_RDONLY|unix.O_NONBLOCK, 0, dirfd.InRoot)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() || st.Size() > download.MaxKey {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, download.MaxKey))
}
