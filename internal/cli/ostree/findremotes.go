package ostree

import (
	"slices"
	"strings"
	"time"

	"rpmostree/ostree"
	"rpmostree/ostree/find"
	"rpmostree/ostree/pull"
	"rpmostree/ostree/sign"
)

// findCmd is the find-remotes command with its options.
type findCmd struct {
	*env
	options pull.Options
	finders string
	given   bool // finders is
	pull    bool
}

func findRemotesCommand() *command {
	c := &command{name: "find-remotes", args: "COLLECTION-ID REF [COLLECTION-ID REF...]", about: "Find remotes to serve the given refs", scope: repoScope}
	var f findCmd
	c.file(&f.options.CacheDir, "cache-dir", 0, "PATH", "Use custom cache dir")
	c.flag(&f.options.NoFsync, "disable-fsync", 0, "Do not invoke fsync()")
	c.fn(func(s string) error { f.finders, f.given = s, true; return nil }, "finders", 0, "FINDERS",
		"Use the specified comma separated list of finders (e.g. config,lan,mount)")
	c.flag(&f.pull, "pull", 0, "Pull the updates after finding them")
	c.flag(&f.options.Mirror, "mirror", 0, "Do a mirror pull (see ostree pull --mirror)")
	c.run = func(e *env) error {
		f.env = e
		refs, err := collectionRefs(e.args)
		if err != nil {
			return err
		}
		if f.options.Mirror && !f.pull {
			return usagef("When --mirror is specified, --pull must also be")
		}
		return f.run(refs)
	}
	return c
}

// collectionRefs reads arguments that come in pairs.
func collectionRefs(args []string) ([]ostree.CollectionRef, error) {
	if len(args) < 2 {
		return nil, usagef("At least one COLLECTION-ID REF pair must be specified")
	}
	if len(args)%2 != 0 {
		return nil, usagef("Only complete COLLECTION-ID REF pairs may be specified")
	}
	var refs []ostree.CollectionRef
	for pair := range slices.Chunk(args, 2) {
		if err := ostree.ValidateCollectionID(pair[0]); err != nil {
			return nil, err
		}
		if err := ostree.ValidateRef(pair[1]); err != nil {
			return nil, err
		}
		refs = append(refs, ostree.CollectionRef{Collection: pair[0], Ref: pair[1]})
	}
	return refs, nil
}

func (f *findCmd) run(refs []ostree.CollectionRef) error {
	finders, err := f.chosen()
	if err != nil {
		return err
	}
	f.options.Verify = sign.NewVerifier(f.repo)
	o := find.Options{Pull: f.options, Debugf: f.debugf}
	results, err := find.Find(f.ctx, f.repo, refs, finders, o)
	if err != nil {
		return err
	}
	if len(results) == 0 {
		f.printf("No results.\n")
		return nil
	}
	f.print(results, refs)
	if !f.pull {
		return nil
	}
	if err := f.writable(); err != nil {
		return err
	}
	if err := find.Pull(f.ctx, f.repo, results, o); err != nil {
		return err
	}
	f.printf("Pulled %d/%d refs successfully.\n", len(refs), len(refs))
	return nil
}

// chosen returns the finders of --finders, or of the repository's configuration.
func (f *findCmd) chosen() ([]find.Finder, error) {
	names := f.repo.Finders()
	if f.given {
		if f.finders == "" {
			return nil, usagef("List of finders in --finders option must not be empty")
		}
		names = strings.Split(f.finders, ",")
	}
	var finders []find.Finder
	for i, name := range names {
		duplicate := slices.Contains(names[:i], name)
		switch {
		case name == "config" && !duplicate:
			finders = append(finders, find.Config{})
		case name == "mount" && !duplicate:
			finders = append(finders, find.Mount{Debugf: f.debugf})
		case name == "lan" && !duplicate:
			if f.given {
				return nil, usagef("LAN repo finder requested but ostree was compiled without Avahi support")
			}
		default:
			return nil, usagef("Unknown or duplicate finder type given in --finders option: ‘%s’", name)
		}
	}
	return finders, nil
}

func (f *findCmd) print(results []find.Result, refs []ostree.CollectionRef) {
	found := map[ostree.CollectionRef]bool{}
	for i, r := range results {
		modified := "unknown"
		if r.LastModified > 0 {
			modified = utcTime(r.LastModified)
		}
		f.printf("Result %d: %s\n - Finder: %s\n - Keyring: %s\n - Priority: %d\n - Summary last modified: %s\n - Refs:\n",
			i, r.URL, r.Class, r.Keyring(), r.Priority, modified)
		for _, ref := range r.Refs {
			sum := "(not found)"
			if !ref.Checksum.IsZero() {
				sum, found[ref.CollectionRef] = ref.Checksum.String(), true
			}
			f.printf("    - %s = %s\n", ref.CollectionRef, sum)
		}
		f.printf("\n")
	}
	f.printf("%d/%d refs were found.\n", len(found), len(refs))
	if len(found) == len(refs) {
		return
	}
	f.printf("Refs not found in any remote:\n")
	for _, ref := range refs {
		if !found[ref] {
			f.printf(" - %s\n", ref)
		}
	}
}

// utcTime prints seconds since 1970.
func utcTime(secs uint64) string {
	if !ostree.PrintableTime(secs) {
		return "invalid"
	}
	return time.Unix(int64(secs), 0).UTC().Format("2006-01-02T15:04:05Z")
}
