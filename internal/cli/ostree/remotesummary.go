package ostree

import (
	"errors"
	"fmt"

	"rpmostree/ostree"
	"rpmostree/ostree/pull"
	"rpmostree/ostree/sign"
)

// remoteSummary fetches the summary of a remote.
func (e *env) remoteSummary(name, cacheDir, missing string) (summary, sig []byte, err error) {
	summary, sig, err = pull.Summary(e.ctx, e.repo, name, pull.Options{Verify: sign.NewVerifier(e.repo), CacheDir: cacheDir})
	if err == nil && summary == nil {
		err = errors.New(missing)
	}
	return summary, sig, err
}

func remoteRefsCommand() *command {
	c := &command{name: "refs", args: "NAME", about: "List remote refs", scope: repoScope}
	revision, cacheDir := false, ""
	c.flag(&revision, "revision", 'r', "Show revisions in listing")
	c.file(&cacheDir, "cache-dir", 0, "PATH", "Use custom cache dir")
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return usagef("NAME must be specified")
		}
		data, _, err := e.remoteSummary(e.args[0], cacheDir, "Remote refs not available; server has no summary file")
		if err != nil {
			return err
		}
		s, err := ostree.ParseSummary(data)
		if err != nil {
			return err
		}
		ostree.SortSummaryRefs(s.Refs)
		for _, r := range s.Refs {
			e.printf("%s", ostree.Refspec(e.args[0], r.Name))
			if revision {
				e.printf("\t%s", r.Checksum)
			}
			e.printf("\n")
		}
		return nil
	}
	return c
}

func remoteSummaryCommand() *command {
	c := &command{name: "summary", args: "NAME", about: "Show remote summary", scope: repoScope}
	raw, listKeys, key, cacheDir := false, false, "", ""
	c.flag(&listKeys, "list-metadata-keys", 0, "List the available metadata keys")
	c.str(&key, "print-metadata-key", 0, "KEY", "Print string value of metadata key")
	c.file(&cacheDir, "cache-dir", 0, "PATH", "Use custom cache dir")
	c.flag(&raw, "raw", 0, "Show raw variant data")
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return usagef("NAME must be specified")
		}
		data, sig, err := e.remoteSummary(e.args[0], cacheDir, "Remote server has no summary file")
		if err != nil {
			return err
		}
		if err := e.showSummary(data, raw, listKeys, key); err != nil || raw || listKeys || key != "" {
			return err
		}
		return e.showSummarySignatures(e.args[0], data, sig)
	}
	return c
}

// showSummarySignatures prints the OpenPGP signatures of a summary, which were
// verified, if the remote demands them.
func (e *env) showSummarySignatures(remote string, data, sig []byte) error {
	m, err := e.repo.Remote(remote)
	if err != nil || !m.GPGVerifySummary || sig == nil {
		return err
	}
	res, err := sign.CheckSummary(e.repo, data, sig, sign.GPGOptions{Remote: m})
	return e.printSignatures(res, err, func(n int, plural string) string {
		return fmt.Sprintf("\nGPG: Verification enabled, found %d signature%s:\n", n, plural)
	})
}
