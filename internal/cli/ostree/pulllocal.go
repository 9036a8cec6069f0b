package ostree

import (
	"net/url"
	"path/filepath"

	"rpmostree/ostree"
	"rpmostree/ostree/pull"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sign"
)

func pullLocalCommand() *command {
	c := &command{name: "pull-local", args: "SRC_REPO [REFS...]", about: "Copy data from SRC_REPO", scope: repoScope}
	var o pull.Options
	c.flag(&o.CommitMetadataOnly, "commit-metadata-only", 0, "Fetch only the commit metadata")
	c.str(&o.As, "remote", 0, "REMOTE", "Add REMOTE to refspec")
	c.flag(&o.NoFsync, "disable-fsync", 0, "Do not invoke fsync()")
	c.flag(&o.PerObjectFsync, "per-object-fsync", 0, "Perform writes in such a way that avoids stalling concurrent processes")
	c.flag(&o.Untrusted, "untrusted", 0, "Verify checksums of local sources (always enabled for HTTP pulls)")
	c.flag(&o.BareUserOnlyFiles, "bareuseronly-files", 0, "Reject regular files with mode outside of 0775 (world writable, suid, etc.)")
	c.flag(&o.RequireDeltas, "require-static-deltas", 0, "Require static deltas")
	c.flag(&o.DisableDeltas, "disable-static-deltas", 0, "Do not use static deltas")
	c.flag(&o.GPGVerify, "gpg-verify", 0, "GPG verify commits (must specify --remote)")
	c.flag(&o.GPGVerifySummary, "gpg-verify-summary", 0, "GPG verify summary (must specify --remote)")
	c.flag(&o.NoVerifyBindings, "disable-verify-bindings", 0, "Do not verify commit bindings")
	c.int(&o.Depth, "depth", "DEPTH", "Traverse DEPTH parents (-1=infinite) (default: 0)")
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return usagef("DESTINATION must be specified")
		}
		if err := e.writable(); err != nil {
			return err
		}
		path, err := filepath.Abs(e.args[0])
		if err != nil {
			return err
		}
		o.Verify = sign.NewVerifier(e.repo) // upstream does not show signatures here
		o.Refs = e.args[1:]
		if len(o.Refs) == 0 {
			if o.Refs, err = allRefs(path); err != nil || len(o.Refs) == 0 {
				return err
			}
		}
		return e.pull((&url.URL{Scheme: "file", Path: path}).String(), o, nil, 0)
	}
	return c
}

// allRefs lists the refs of another repository, those of its remotes too, which
// cannot be pulled.
func allRefs(path string) ([]string, error) {
	src, err := repo.Open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	refs, err := src.Refs()
	var names []string
	for _, r := range refs {
		names = append(names, ostree.Refspec(r.Remote, r.Name))
	}
	return names, err
}
