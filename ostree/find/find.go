// Package find looks for repositories that have refs of collections: among the configured
// remotes, and on removable volumes that are mounted.
//
// A collection says who makes a ref, so it does not matter where a commit comes from: all
// must be signed by the keys of the configured remote of the collection.
package find

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rpmostree/ostree"
	"rpmostree/ostree/pull"
	"rpmostree/ostree/repo"
)

// A Finder looks for repositories at one kind of places. What it returns may turn out not to
// have the refs.
type Finder interface {
	Find(r *repo.Repo, refs []ostree.CollectionRef) ([]Result, error)
}

// A Result is a repository that has some of the refs.
type Result struct {
	Name         string // of the remote, or made of URL and keyring
	URL          string
	Remote       string // the configured remote whose keys have to sign the commits
	Class        string // of the finder, as upstream calls it
	Priority     int    // lower is better
	LastModified uint64 // of the summary, in seconds since 1970, or 0
	// Refs are those that were asked for. The checksum is zero where the repository
	// does not have the ref, or not the newest commit of it.
	Refs []repo.MirrorRef
}

// Keyring is the name of the file with the keys.
func (r Result) Keyring() string { return r.Remote + ".trustedkeys.gpg" }

// configured tells whether the repository is that of the remote itself.
func (r Result) configured() bool { return r.Name == r.Remote }

// source is what pull.Pull and pull.Summary take, with the options that belong to it.
func (r Result) source(o pull.Options) (string, pull.Options) {
	o.GPGVerify = true
	if r.configured() {
		return r.Name, o
	}
	o.As = r.Remote
	return r.URL, o
}

func (r Result) count() int {
	n := 0
	for _, ref := range r.Refs {
		if !ref.Checksum.IsZero() {
			n++
		}
	}
	return n
}

// compare puts the better result first, as upstream does.
func compare(a, b Result) int {
	modified := 0
	if a.LastModified != 0 && b.LastModified != 0 {
		modified = cmp.Compare(a.LastModified, b.LastModified)
	}
	return cmp.Or(cmp.Compare(a.Priority, b.Priority), modified, cmp.Compare(a.count(), b.count()), strings.Compare(a.Name, b.Name))
}

// Find returns the repositories that have the newest commit of at least one of the refs,
// the best first. Repositories that cannot be read are left out; o.Debugf is told why.
func Find(ctx context.Context, r *repo.Repo, refs []ostree.CollectionRef, finders []Finder, o Options) ([]Result, error) {
	var results []Result
	for _, f := range finders {
		list, err := f.Find(r, refs)
		if err != nil {
			return nil, err
		}
		results = append(results, list...)
	}
	slices.SortStableFunc(results, compare)
	known := commits{repo: r, byName: map[ostree.Checksum]commit{}}
	results, err := o.withSummaries(ctx, r, refs, results, &known)
	if err != nil {
		return nil, err
	}
	keepNewest(results, refs, &known)
	results = slices.DeleteFunc(results, func(res Result) bool { return res.count() == 0 })
	slices.SortStableFunc(results, compare)
	return results, nil
}

// Options are those of Find and Pull.
type Options struct {
	Pull   pull.Options                     // for transfers; what is pulled is set here
	Debugf func(format string, args ...any) // may be nil
}

func (o *Options) debugf(format string, args ...any) {
	if o.Debugf != nil {
		o.Debugf(format, args...)
	}
}

// withSummaries replaces the refs of the results with what their summaries say.
func (o *Options) withSummaries(ctx context.Context, r *repo.Repo, refs []ostree.CollectionRef, results []Result, known *commits) ([]Result, error) {
	var valid []Result
	for _, res := range results {
		from, opts := res.source(o.Pull)
		data, _, err := pull.Summary(ctx, r, from, opts)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && data == nil {
			err = errors.New("No summary file exists on server")
		}
		if err == nil {
			err = res.readSummary(r, data, refs, known)
		}
		if err != nil {
			o.debugf("Failed to download summary for result ‘%s’. Ignoring. %v", res.Name, err)
			continue
		}
		valid = append(valid, res)
	}
	return valid, nil
}

func (r *Result) readSummary(local *repo.Repo, data []byte, refs []ostree.CollectionRef, known *commits) error {
	s, err := ostree.ParseSummary(data)
	if err != nil {
		return err
	}
	list, err := s.CollectionMap()
	if err != nil {
		return err
	}
	if id := s.CollectionID(); id != "" {
		list = append([]ostree.CollectionRefs{{Collection: id, Refs: s.Refs}}, list...)
	}
	found := map[ostree.CollectionRef]ostree.Checksum{}
	for _, c := range list {
		if !r.speaksFor(local, c.Collection) {
			continue
		}
		for _, ref := range c.Refs {
			name := ostree.CollectionRef{Collection: c.Collection, Ref: ref.Name}
			if !slices.Contains(refs, name) {
				continue
			}
			if err := known.add(ref); err != nil {
				return err
			}
			found[name] = ref.Checksum
		}
	}
	r.Refs = nil
	for _, name := range refs {
		r.Refs = append(r.Refs, repo.MirrorRef{CollectionRef: name, Checksum: found[name]})
	}
	r.LastModified, _ = s.LastModified()
	return nil
}

// speaksFor tells whether the keys of the result are those of the collection.
func (r *Result) speaksFor(local *repo.Repo, collection string) bool {
	if r.configured() {
		return true
	}
	m, err := local.Remote(r.Remote)
	return err == nil && m.CollectionID == collection
}

// commits are what summaries, and the local repository, say about commits.
type commits struct {
	repo   *repo.Repo
	byName map[ostree.Checksum]commit
}

type commit struct{ size, time uint64 } // time is 0 if it is not known

// add notes what a summary says. What contradicts itself is an error.
func (c *commits) add(ref ostree.SummaryRef) error {
	stamp, _ := ref.Timestamp()
	if stamp > maxTime {
		stamp = 0
	}
	old, ok := c.byName[ref.Checksum]
	if !ok {
		old = commit{size: ref.Size, time: c.local(ref.Checksum)}
	}
	switch {
	case old.time == 0:
		old.time = stamp
	case stamp != 0 && stamp != old.time:
		return fmt.Errorf("commit timestamp %d which did not match existing timestamp %d", stamp, old.time)
	}
	if ref.Size != old.size {
		return fmt.Errorf("commit size %dB which did not match existing size %dB", ref.Size, old.size)
	}
	c.byName[ref.Checksum] = old
	return nil
}

// maxTime is the last second of the year 9999, the end of GLib's calendar.
const maxTime = 253402300799

// local returns the time of a commit that is here.
func (c *commits) local(sum ostree.Checksum) uint64 {
	if m, err := c.repo.Commit(sum); err == nil {
		return m.Timestamp
	}
	return 0
}

// keepNewest removes from each result the refs for which another one has a newer commit.
func keepNewest(results []Result, refs []ostree.CollectionRef, known *commits) {
	for i := range refs {
		var newest ostree.Checksum
		for _, r := range results {
			sum := r.Refs[i].Checksum
			if !sum.IsZero() && (newest.IsZero() || known.byName[sum].time > known.byName[newest].time) {
				newest = sum
			}
		}
		for _, r := range results {
			if r.Refs[i].Checksum != newest {
				r.Refs[i].Checksum = ostree.Checksum{}
			}
		}
	}
}

// Pull copies the refs of results, each from the first one where that succeeds.
func Pull(ctx context.Context, r *repo.Repo, results []Result, o Options) error {
	pulled := map[ostree.CollectionRef]bool{}
	var tried []ostree.CollectionRef
	var errs []error
	for _, res := range results {
		var want []repo.MirrorRef
		for _, ref := range res.Refs {
			if !ref.Checksum.IsZero() && !pulled[ref.CollectionRef] {
				want = append(want, ref)
			}
		}
		if len(want) == 0 {
			continue
		}
		from, opts := res.source(o.Pull)
		opts.CollectionRefs, opts.Untrusted = want, true
		_, err := pull.Pull(ctx, r, from, opts)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			o.debugf("Failed to pull refs from ‘%s’: %v", res.Name, err)
			errs = append(errs, fmt.Errorf("%s: %w", res.URL, err))
		}
		for _, ref := range want {
			if !slices.Contains(tried, ref.CollectionRef) {
				tried = append(tried, ref.CollectionRef)
			}
			pulled[ref.CollectionRef] = err == nil
		}
	}
	var failed []string
	for _, ref := range tried {
		if !pulled[ref] {
			failed = append(failed, ref.String())
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("Failed to pull some refs from the remotes: %s: %w", strings.Join(failed, ", "), errors.Join(errs...))
	}
	return nil
}
