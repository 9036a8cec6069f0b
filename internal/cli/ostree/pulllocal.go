package ostree

import (
	"path/filepath"

	"rpmostree/ostree/repo"
)

func pullLocalCommand() *command {
	c := &command{name: "pull-local", args: "SRC_REPO [REFS...]", about: "Copy data from SRC_REPO", scope: repoScope}
	var o repo.PullLocalOptions
	c.flag(&o.CommitOnly, "commit-metadata-only", 0, "Fetch only the commit metadata")
	c.str(&o.Remote, "remote", 0, "REMOTE", "Add REMOTE to refspec")
	c.flag(&o.NoFsync, "disable-fsync", 0, "Do not invoke fsync()")
	c.flag(&o.Untrusted, "untrusted", 0, "Verify checksums of local sources (always enabled for HTTP pulls)")
	c.flag(&o.BareUserOnlyFiles, "bareuseronly-files", 0, "Reject regular files with mode outside of 0775 (world writable, suid, etc.)")
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
		src, err := repo.Open(path)
		if err != nil {
			return err
		}
		defer src.Close()
		o.Refs = e.args[1:]
		stats, err := e.repo.PullLocal(e.ctx, src, o)
		if err != nil {
			return err
		}
		e.printf("%d metadata, %d content objects imported; %s content written\n",
			stats.Metadata, stats.Content, repo.FormatSize(stats.ContentBytes))
		return nil
	}
	return c
}
