package pull

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"rpmostree/internal/keyfile"
	"rpmostree/ostree"
	"rpmostree/ostree/delta"
	"rpmostree/ostree/repo"
)

// A target is a commit that is pulled, with the ref that names it, if any.
type target struct {
	collection, ref string
	sum             ostree.Checksum
	size            uint64 // of the commit object, if a summary tells
	bound           bool   // the collection was asked for: a commit of another one is not it
}

// requested returns what the options ask for. Checksums that are not known yet
// are zero.
func (p *puller) requested() ([]target, error) {
	var out []target
	refs := p.o.Refs
	if len(refs) == 0 && len(p.o.CollectionRefs) == 0 {
		refs = p.m.Branches
		if len(refs) == 0 && !p.o.Mirror {
			return nil, fmt.Errorf("No configured branches for remote %s", p.m.Name)
		}
	}
	for _, arg := range refs {
		ref, sum, err := repo.SplitRefArgument(arg)
		if err != nil {
			return nil, err
		}
		out = append(out, target{ref: ref, sum: sum})
	}
	for _, c := range p.o.CollectionRefs {
		if err := ostree.ValidateCollectionID(c.Collection); err != nil {
			return nil, err
		}
		if err := ostree.ValidateRef(c.Ref); err != nil {
			return nil, err
		}
		out = append(out, target{collection: c.Collection, ref: c.Ref, sum: c.Checksum, bound: true})
	}
	return out, nil
}

// resolve finds the commits that are to be pulled. The summary is read only if it
// is needed for that, or for deltas.
func (p *puller) resolve(ctx context.Context) ([]target, error) {
	want, err := p.requested()
	if err != nil {
		return nil, err
	}
	all := p.o.Mirror && len(p.o.Refs) == 0 && len(p.o.CollectionRefs) == 0
	named := false // by a branch only
	for _, t := range want {
		named = named || t.sum.IsZero()
	}
	if err := p.describe(ctx, all || named); err != nil {
		return nil, err
	}
	if p.mirrorsAll() && p.summary == nil {
		return nil, errors.New("Fetching all refs was requested in mirror mode, but remote repository does not have a summary")
	}
	if all && p.summary != nil {
		refs, err := allRefs(p.summary)
		if err != nil {
			return nil, err
		}
		want = append(want, refs...)
	}
	for i := range want {
		if want[i].sum.IsZero() {
			if err := p.lookup(ctx, &want[i]); err != nil {
				return nil, err
			}
		}
	}
	return want, nil
}

// describe reads what the remote says about itself: its summary, if it must, and
// its configuration, if the summary does not tell enough.
func (p *puller) describe(ctx context.Context, summary bool) error {
	if !summary && !p.o.DisableDeltas {
		if err := p.readConfig(ctx); err != nil {
			return err
		}
		summary = !p.indexed
	}
	if summary {
		if err := p.readSummary(ctx); err != nil {
			return err
		}
	}
	if p.o.RequireDeltas && !p.indexed && len(p.deltas) == 0 {
		return errors.New("Fetch configured to require static deltas, but no summary deltas or delta index found")
	}
	mode, ok := p.summaryMode()
	if p.src != nil { // whose own mode is known
		return nil
	}
	if !ok {
		if err := p.readConfig(ctx); err != nil || p.config == nil {
			return err
		}
		mode = p.config.Get("core", "mode")
	}
	if mode == "" {
		mode = "bare"
	}
	parsed, err := repo.ParseMode(mode)
	if err == nil && parsed != repo.Archive {
		err = fmt.Errorf("Can't pull from archives with mode \"%s\"", mode)
	}
	return err
}

// summaryMode returns the mode of the remote, if its summary tells that and
// whether it has tombstones.
func (p *puller) summaryMode() (string, bool) {
	if p.summary == nil {
		return "", false
	}
	mode, ok1 := p.summary.Metadata.Lookup(ostree.KeySummaryMode)
	tombstones, ok2 := p.summary.Metadata.Lookup(ostree.KeySummaryTombstones)
	if !ok1 || !ok2 || mode.Type() != "s" || tombstones.Type() != "b" {
		return "", false
	}
	p.tombstones = tombstones.Bool()
	return mode.Str(), true
}

// readConfig reads the configuration of the remote, once. A server that keeps it
// to itself is fine.
func (p *puller) readConfig(ctx context.Context) error {
	if p.config != nil {
		return nil
	}
	data, err := p.get(ctx, p.base, "config", maxConfig)
	if notFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	k, err := keyfile.Parse(data)
	if err != nil {
		return fmt.Errorf("Parsing config: %w", err)
	}
	if p.indexed, err = k.Bool("core", "indexed-deltas", false); err != nil {
		return err
	}
	if p.tombstones, err = k.Bool("core", "tombstone-commits", false); err != nil {
		return err
	}
	p.config = k
	return nil
}

func allRefs(s *ostree.Summary) ([]target, error) {
	list, err := collections(s)
	var out []target
	for _, c := range list {
		for _, ref := range c.Refs {
			out = append(out, target{collection: c.Collection, ref: ref.Name, sum: ref.Checksum, size: ref.Size})
		}
	}
	return out, err
}

// collections returns the refs of a summary by collection; the first one, which
// may be "", is that of the repository.
func collections(s *ostree.Summary) ([]ostree.CollectionRefs, error) {
	id := s.CollectionID()
	if id != "" {
		if err := ostree.ValidateCollectionID(id); err != nil {
			return nil, err
		}
	}
	others, err := s.CollectionMap()
	return append([]ostree.CollectionRefs{{Collection: id, Refs: s.Refs}}, others...), err
}

// lookup finds the commit of a ref.
func (p *puller) lookup(ctx context.Context, t *target) error {
	if p.summary != nil {
		return lookupSummary(p.summary, t)
	}
	if p.src != nil {
		return p.lookupLocal(t)
	}
	path := "refs/heads/" + t.ref
	if t.collection != "" && t.collection != p.m.CollectionID {
		path = "refs/mirrors/" + t.collection + "/" + t.ref
	}
	data, err := p.get(ctx, p.base, path, maxRef)
	if err != nil {
		return err
	}
	text := strings.TrimRight(string(data), " \t\r\n\v\f")
	if t.sum, err = ostree.ParseChecksum(text); err != nil {
		collection := t.collection
		if collection == "" {
			collection = "(empty)"
		}
		return fmt.Errorf("Fetching checksum for ref (%s, %s): Invalid rev %s", collection, t.ref, excerpt(text, 64))
	}
	return nil
}

// excerpt makes the start of what may be anything fit to be printed.
func excerpt(s string, max int) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s[:min(len(s), max)], "\uFFFD"))
}

func lookupSummary(s *ostree.Summary, t *target) error {
	list, err := collections(s)
	if err != nil {
		return err
	}
	for i, c := range list {
		if t.collection != c.Collection && (i > 0 || t.collection != "") {
			continue
		}
		for _, ref := range c.Refs {
			if ref.Name == t.ref {
				t.collection, t.sum, t.size = c.Collection, ref.Checksum, ref.Size
				return nil
			}
		}
	}
	if t.collection != "" {
		return fmt.Errorf("No such branch (%s, %s) in repository summary", t.collection, t.ref)
	}
	return fmt.Errorf("No such branch '%s' in repository summary", t.ref)
}

func (p *puller) lookupLocal(t *target) (err error) {
	if t.collection == "" {
		t.sum, err = p.src.ResolveRev(t.ref)
		return err
	}
	if t.collection == p.src.CollectionID() {
		t.sum, err = p.src.LookupRef("", t.ref)
		return err
	}
	mirrors, err := p.src.MirrorRefs()
	if err != nil {
		return err
	}
	for _, m := range mirrors {
		if m.Collection == t.collection && m.Ref == t.ref {
			t.sum = m.Checksum
			return nil
		}
	}
	return p.lookupRemotes(t)
}

// lookupRemotes finds a ref of a collection that was pulled from a remote.
func (p *puller) lookupRemotes(t *target) error {
	names, err := p.src.Remotes()
	if err != nil {
		return err
	}
	for _, name := range names {
		m, err := p.src.Remote(name)
		if err != nil || m.CollectionID != t.collection {
			continue
		}
		sum, err := p.src.LookupRef(name, t.ref)
		if err == nil {
			t.sum = sum
			return nil
		}
		if !notFound(err) {
			return err
		}
	}
	return fmt.Errorf("Collection–ref (%s, %s) not found", t.collection, t.ref)
}

// addDeltas notes the deltas that a summary or an index lists.
func (p *puller) addDeltas(list map[delta.Name]ostree.Checksum) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, sum := range list {
		p.deltas[n] = sum
	}
}
