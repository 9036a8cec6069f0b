package ostree

import (
	"errors"

	"rpmostree/ostree"
	"rpmostree/ostree/pull"
	"rpmostree/ostree/sign"
)

// remoteSummary fetches the summary of a remote.
func (e *env) remoteSummary(name, missing string) ([]byte, error) {
	data, _, err := pull.Summary(e.ctx, e.repo, name, pull.Options{Verify: sign.NewVerifier(e.repo)})
	if err == nil && data == nil {
		err = errors.New(missing)
	}
	return data, err
}

func remoteRefsCommand() *command {
	c := &command{name: "refs", args: "NAME", about: "List remote refs", scope: repoScope}
	revision := false
	c.flag(&revision, "revision", 'r', "Show revisions in listing")
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return usagef("NAME must be specified")
		}
		data, err := e.remoteSummary(e.args[0], "Remote refs not available; server has no summary file")
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
	raw, listKeys, key := false, false, ""
	c.flag(&listKeys, "list-metadata-keys", 0, "List the available metadata keys")
	c.str(&key, "print-metadata-key", 0, "KEY", "Print string value of metadata key")
	c.flag(&raw, "raw", 0, "Show raw variant data")
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return usagef("NAME must be specified")
		}
		data, err := e.remoteSummary(e.args[0], "Remote server has no summary file")
		if err != nil {
			return err
		}
		return e.showSummary(data, raw, listKeys, key)
	}
	return c
}
