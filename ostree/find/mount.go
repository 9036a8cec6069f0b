package find

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// maxRepos bounds the repositories that are looked for on one volume.
const maxRepos = 1000

// A volume names its repositories in this directory, or has them at one of these places.
const repoLinks = ".ostree/repos.d"

var wellKnown = []string{".ostree/repo", "ostree/repo", "var/lib/flatpak/repo"}

// Mount finds repositories on removable volumes.
type Mount struct {
	// Roots are the directories where volumes are mounted; nil for those that are mounted
	// now.
	Roots []string
	// Debugf, if not nil, is told what is left out.
	Debugf func(format string, args ...any)
}

func (m Mount) debugf(format string, args ...any) {
	if m.Debugf != nil {
		m.Debugf(format, args...)
	}
}

func (m Mount) Find(r *repo.Repo, refs []ostree.CollectionRef) ([]Result, error) {
	roots := m.Roots
	if roots == nil {
		var err error
		if roots, err = Volumes(); err != nil {
			return nil, err
		}
	}
	keys, err := keyrings(r)
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, root := range roots {
		list, err := m.volume(r, root, refs, keys)
		if err != nil {
			m.debugf("Ignoring mount ‘%s’: %v", root, err)
		}
		results = append(results, list...)
	}
	slices.SortStableFunc(results, compare)
	return results, nil
}

// keyrings returns the name of the first remote of each collection.
func keyrings(r *repo.Repo) (map[string]string, error) {
	names, err := r.Remotes()
	keys := map[string]string{}
	for _, name := range names {
		if m, err := r.Remote(name); err == nil && m.CollectionID != "" && keys[m.CollectionID] == "" {
			keys[m.CollectionID] = name
		}
	}
	return keys, err
}

// volume returns a result for each repository of a volume and keyring, with the refs that the
// repository is the first one to have.
func (m Mount) volume(r *repo.Repo, rootPath string, refs []ostree.CollectionRef, keys map[string]string) ([]Result, error) {
	root, err := dirfd.Open(rootPath)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	repos := m.scan(r, root)
	var results []Result
	for _, ref := range refs {
		key := keys[ref.Collection]
		if key == "" {
			m.debugf("No keyring found configured locally for collection ‘%s’", ref.Collection)
			continue
		}
		for _, found := range repos {
			sum, ok := found.refs[ref]
			if !ok {
				continue
			}
			res := mountResult(found.path, key)
			i := slices.IndexFunc(results, func(x Result) bool { return x.Name == res.Name })
			if i < 0 {
				i = len(results)
				results = append(results, res)
			}
			results[i].Refs = append(results[i].Refs, repo.MirrorRef{CollectionRef: ref, Checksum: sum})
			break
		}
	}
	return results, nil
}

func mountResult(path, key string) Result {
	url := "file://" + strings.ReplaceAll(path, "%", "%25")
	return Result{
		Name: remoteName(url) + "_" + remoteName(key+".trustedkeys.gpg"), URL: url, Remote: key,
		Class: "OstreeRepoFinderMount", Priority: 50,
	}
}

// remoteName makes text a name of a remote.
func remoteName(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "_%02X", c)
		}
	}
	return b.String()
}

// A found repository on a volume.
type found struct {
	path string // without links
	refs map[ostree.CollectionRef]ostree.Checksum
}

// scan opens the repositories of a volume: those that it names, by name, then those at
// well-known places.
func (m Mount) scan(r *repo.Repo, root *dirfd.Dir) []found {
	var paths []string
	if d, err := root.OpenDirBeneath(repoLinks, dirfd.Beneath); err == nil {
		entries, err := d.ReadDir()
		d.Close()
		if err != nil {
			m.debugf("Error iterating over ‘%s/%s’: %v", root.Name(), repoLinks, err)
		}
		for _, e := range entries {
			paths = append(paths, path.Join(repoLinks, e.Name))
		}
	}
	slices.Sort(paths)
	var repos []found
	for _, p := range append(paths[:min(len(paths), maxRepos)], wellKnown...) {
		f, err := openOn(r, root, p)
		if err != nil {
			m.debugf("Ignoring repository ‘%s’ on mount ‘%s’: %v", p, root.Name(), err)
			continue
		}
		repos = append(repos, f)
	}
	return repos
}

// openOn lists the refs of a repository of a volume. Links may lead to it, but not out of the
// volume.
func openOn(r *repo.Repo, root *dirfd.Dir, p string) (found, error) {
	d, err := root.OpenDirBeneath(p, dirfd.Beneath)
	if err != nil {
		return found{}, err
	}
	defer d.Close()
	volume, err1 := root.Stat("")
	here, err2 := d.Stat("")
	own, err3 := r.Dir().Stat("")
	switch {
	case err1 != nil || err2 != nil || err3 != nil:
		return found{}, fmt.Errorf("querying its info failed: %v %v %v", err1, err2, err3)
	case here.Dev != volume.Dev:
		return found{}, fmt.Errorf("Repository is on a different file system from the mount")
	case here.Dev == own.Dev && here.Ino == own.Ino:
		return found{}, fmt.Errorf("Repository is the same as the one we are resolving")
	}
	real, err := os.Readlink(d.ProcPath(""))
	if err != nil {
		return found{}, err
	}
	src, err := repo.Open(real)
	if err != nil {
		return found{}, err
	}
	defer src.Close()
	refs, err := collectionRefs(src)
	return found{real, refs}, err
}

// collectionRefs returns the refs of a repository that belong to collections, but not those of
// its remotes.
func collectionRefs(r *repo.Repo) (map[ostree.CollectionRef]ostree.Checksum, error) {
	refs := map[ostree.CollectionRef]ostree.Checksum{}
	mirrors, err := r.MirrorRefs()
	if err != nil {
		return nil, err
	}
	for _, m := range mirrors {
		refs[m.CollectionRef] = m.Checksum
	}
	if r.CollectionID() == "" {
		return refs, nil
	}
	local, err := r.LocalRefs()
	for _, l := range local {
		refs[ostree.CollectionRef{Collection: r.CollectionID(), Ref: l.Name}] = l.Checksum
	}
	return refs, err
}
