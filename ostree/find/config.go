package find

import (
	"slices"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// Config finds the configured remotes of the collections.
type Config struct{}

func (Config) Find(r *repo.Repo, refs []ostree.CollectionRef) ([]Result, error) {
	names, err := r.Remotes()
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, name := range names {
		m, err := r.Remote(name)
		if err != nil || ostree.ValidateCollectionID(m.CollectionID) != nil {
			continue
		}
		asked := slices.ContainsFunc(refs, func(ref ostree.CollectionRef) bool { return ref.Collection == m.CollectionID })
		if asked {
			results = append(results, Result{Name: name, URL: m.Get("url"), Remote: name, Class: "OstreeRepoFinderConfig", Priority: 100})
		}
	}
	return results, nil
}
