package ostree

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

func pruneCommand() *command {
	c := &command{name: "prune", about: "Search for unreachable objects", scope: repoScope}
	var o repo.PruneOptions
	depth := -2 // not given
	deletes := ""
	var younger *string
	var retain []string
	deltasOnly := false
	c.flag(&o.DryRun, "no-prune", 0, "Only display unreachable objects; don't delete")
	c.flag(&o.RefsOnly, "refs-only", 0, "Only compute reachability via refs")
	c.int(&depth, "depth", "DEPTH", "Only traverse DEPTH parents for each commit (default: -1=infinite)")
	c.str(&deletes, "delete-commit", 0, "COMMIT", "Specify a commit to delete")
	c.optional(&younger, "keep-younger-than", 0, "DATE", "Prune all commits older than the specified date")
	c.flag(&deltasOnly, "static-deltas-only", 0, "Change the behavior of delete-commit and keep-younger-than to prune only static deltas")
	c.list(&retain, "retain-branch-depth", 0, "BRANCH=DEPTH", "Additionally retain BRANCH=DEPTH commits")
	c.list(&o.OnlyBranches, "only-branch", 0, "BRANCH", "Only prune BRANCH (may be specified multiple times)")
	c.flag(&o.CommitOnly, "commit-only", 0, "Only traverse and delete commit objects.")
	c.run = func(e *env) error {
		if depth != -2 {
			o.Depth = &depth
		}
		switch {
		case deletes != "" && o.DryRun:
			return usagef("Cannot specify both --delete-commit and --no-prune")
		case deletes == "" && deltasOnly:
			return errors.New("--static-deltas-only requires --delete-commit; see https://github.com/ostreedev/ostree/issues/1479")
		case deletes != "":
			sum, err := ostree.ParseChecksum(deletes)
			if err != nil {
				return err
			}
			if !deltasOnly {
				o.DeleteCommits = []ostree.Checksum{sum}
			} else if err := e.repo.PruneDeltas(e.ctx, sum); err != nil {
				return err
			}
		}
		if younger != nil {
			t, err := parseDate(*younger)
			if err != nil {
				return err
			}
			o.KeepYoungerThan = t
		}
		for _, r := range retain {
			branch, n, ok := strings.Cut(r, "=")
			if !ok {
				return fmt.Errorf("Invalid value %s, must specify BRANCH=DEPTH", r)
			}
			depth, err := strconv.Atoi(n)
			switch {
			case errors.Is(err, strconv.ErrRange) || depth < -1:
				return fmt.Errorf("Out of range depth %s", n)
			case err != nil:
				return fmt.Errorf("Invalid depth %s", n)
			}
			if o.BranchDepth == nil {
				o.BranchDepth = map[string]int{}
			}
			o.BranchDepth[branch] = depth
		}
		return e.prune(o)
	}
	return c
}

func (e *env) prune(o repo.PruneOptions) error {
	stats, err := e.repo.Prune(e.ctx, o)
	if err != nil {
		return err
	}
	what := "objects"
	if o.CommitOnly {
		what = "(commit only) objects"
	}
	e.printf("Total %s: %d\n", what, stats.Total)
	switch {
	case stats.Pruned == 0:
		e.printf("No unreachable objects\n")
	case o.DryRun:
		e.printf("Would delete: %d objects, freeing %s\n", stats.Pruned, repo.FormatSize(stats.Freed))
	default:
		e.printf("Deleted %d objects, %s freed\n", stats.Pruned, repo.FormatSize(stats.Freed))
	}
	return nil
}
