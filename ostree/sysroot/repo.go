package sysroot

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/journal"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// deploymentRef names the ref that keeps the commit of a deployment.
func deploymentRef(st *State, index int) string {
	return fmt.Sprintf("ostree/%d/%d/%d", st.BootVersion, st.SubBootVersion, index)
}

// writeRefs makes refs that keep the deployed commits when the repository is
// pruned, and removes those of other bootversions.
func (s *Sysroot) writeRefs(ctx context.Context, st *State) error {
	want := make(map[string]ostree.Checksum)
	for i, d := range st.Deployments {
		want[deploymentRef(st, i)] = d.Checksum
	}
	refs, err := s.repo.LocalRefs()
	if err != nil {
		return err
	}
	have := make(map[string]ostree.Checksum)
	for _, r := range refs {
		if isDeploymentRef(r.Name) {
			have[r.Name] = r.Checksum
		}
	}
	if maps.Equal(have, want) {
		return nil
	}
	// One transaction is one update of the summary, where there is one. It also removes what
	// earlier ones left when the machine crashed.
	tx, err := s.repo.Begin(ctx, repo.TransactionOptions{})
	if err != nil {
		return err
	}
	defer tx.Abort()
	for name := range have {
		if _, ok := want[name]; !ok {
			if err := tx.SetRef("", name, ostree.Checksum{}); err != nil {
				return err
			}
		}
	}
	for name, csum := range want {
		if err := tx.SetRef("", name, csum); err != nil {
			return err
		}
	}
	_, err = tx.Commit()
	return err
}

// isDeploymentRef recognises ostree/V/S/N, with V and S 0 or 1.
func isDeploymentRef(name string) bool {
	p := strings.Split(name, "/")
	bit := func(s string) bool { return s == "0" || s == "1" }
	if len(p) != 4 || p[0] != "ostree" || !bit(p[1]) || !bit(p[2]) {
		return false
	}
	_, err := parseSerial(p[3])
	return err == nil
}

// PruneRepo removes the objects that neither a ref nor a deployment needs, and
// says how much that was. History is not kept. It is the second half of
// Cleanup; PrepareCleanup, the first, has made the refs that keep the
// deployments' commits.
func (s *Sysroot) PruneRepo(ctx context.Context) (repo.PruneStats, error) {
	depth := 0
	stats, err := s.repo.Prune(ctx, repo.PruneOptions{RefsOnly: true, Depth: &depth})
	if err != nil {
		return stats, fmt.Errorf("Pruning system repository: %w", err)
	}
	if stats.Freed > 0 {
		s.journal(journal.Entry{Message: "Freed objects: " + repo.FormatSize(stats.Freed)})
	}
	return stats, nil
}

// checkoutTree makes the deployment directory: hard links to the objects of a
// bare repository.
func (s *Sysroot) checkoutTree(ctx context.Context, deploy *dirfd.Dir, d Deployment) error {
	t, err := s.repo.Tree(d.Checksum)
	if err != nil {
		return err
	}
	return s.repo.CheckoutAt(ctx, t, deploy, d.Name(), repo.CheckoutOptions{PassthroughWhiteouts: true})
}
