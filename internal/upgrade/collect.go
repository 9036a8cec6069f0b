package upgrade

import (
	"context"
	"fmt"
	"strings"

	"rpmostree/internal/core/pkgcache"
	"rpmostree/internal/origin"
	"rpmostree/internal/pkgdiff"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sysroot"
	"rpmostree/rpm/evr"
)

// collect makes the refs those that the deployments of now need, and removes
// objects that nothing needs any more. If no deployment went, there are none,
// and the repository is not searched.
func (h *Host) collect(ctx context.Context, before, now *sysroot.State) error {
	changed, err := h.keepRefs(ctx, now)
	if err != nil {
		return err
	}
	for _, d := range before.Deployments {
		changed = changed || !has(now, d)
	}
	if !changed {
		return nil
	}
	return h.Sysroot.Cleanup(ctx, now)
}

func has(st *sysroot.State, d sysroot.Deployment) bool {
	for _, x := range st.Deployments {
		if x.Same(d) {
			return true
		}
	}
	return false
}

// keepRefs writes the refs of base commits and drops those of packages that no
// deployment uses. It reports whether a ref went.
func (h *Host) keepRefs(ctx context.Context, st *sysroot.State) (dropped bool, err error) {
	r := h.Sysroot.Repo()
	want := map[string]ostree.Checksum{}
	packages := map[string]bool{}
	for i, d := range st.Deployments {
		c, err := r.Commit(d.Checksum)
		if err != nil {
			return false, err
		}
		if isLayered(c) {
			want[fmt.Sprintf("%s%d", baseRefPrefix, i)] = c.Parent
			if err := usedPackages(c, packages); err != nil {
				return false, err
			}
		}
		if d.Origin == nil {
			continue
		}
		o, err := origin.Parse(d.Origin.Bytes())
		if err != nil {
			return false, err
		}
		for _, l := range append(append(o.LocalPackages, o.LocalOverwrite...), o.ReplaceLocal...) {
			if n, err := evr.ParseNEVRA(l.NEVRA); err == nil {
				packages[pkgcache.Ref(n)] = true
			}
		}
	}
	refs, err := r.LocalRefs()
	if err != nil {
		return false, err
	}
	tx, err := r.Begin(ctx, repo.TransactionOptions{})
	if err != nil {
		return false, err
	}
	defer tx.Abort()
	changed := false
	for _, ref := range refs {
		base := strings.HasPrefix(ref.Name, baseRefPrefix)
		if sum, ok := want[ref.Name]; base && ok && sum == ref.Checksum {
			delete(want, ref.Name)
			continue
		}
		if base && want[ref.Name].IsZero() || strings.HasPrefix(ref.Name, pkgcache.RefPrefix) && !packages[ref.Name] {
			if err := tx.SetRef("", ref.Name, ostree.Checksum{}); err != nil {
				return false, err
			}
			changed = true
			dropped = dropped || ref.Name != baseTmpRef
		}
	}
	for name, sum := range want {
		if err := tx.SetRef("", name, sum); err != nil {
			return false, err
		}
		changed = true
	}
	if !changed {
		return false, nil
	}
	_, err = tx.Commit()
	return dropped, err
}

// usedPackages adds the refs of the packages of a layered commit to set.
func usedPackages(c *ostree.Commit, set map[string]bool) error {
	list, ok := c.Metadata.Lookup("rpmostree.rpmdb.pkglist")
	if !ok {
		return nil
	}
	pkgs, err := pkgdiff.FromPkglist(list)
	if err != nil {
		return err
	}
	for _, p := range pkgs {
		if n, err := evr.ParseNEVRA(p.NEVRA()); err == nil {
			set[pkgcache.Ref(n)] = true
		}
	}
	return nil
}
