package ostree

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// refser is the refs command with its options.
type refser struct {
	*env
	delete, list, revision, alias, collections, force bool
	create                                            string
}

func refsCommand() *command {
	c := &command{name: "refs", args: "[PREFIX...]", about: "List refs", scope: repoScope}
	var r refser
	c.flag(&r.delete, "delete", 0, "Delete refs which match PREFIX, rather than listing them")
	c.flag(&r.list, "list", 0, "Do not remove the prefix from the refs")
	c.flag(&r.revision, "revision", 'r', "Show revisions in listing")
	c.flag(&r.alias, "alias", 'A', "If used with --create, create an alias, otherwise just list aliases")
	c.fn(func(name string) error {
		if r.create = name; name == "" {
			return errors.New("Invalid empty ref name")
		}
		return nil
	}, "create", 0, "NEWREF", "Create a new ref for an existing commit")
	c.flag(&r.collections, "collections", 'c', "Enable listing collection IDs for refs")
	c.flag(&r.force, "force", 0, "Overwrite existing refs when creating")
	c.run = func(e *env) error {
		r.env = e
		switch {
		case r.create != "" && r.collections:
			return r.createCollectionRef()
		case r.create != "":
			return r.createRef()
		case !r.collections && slices.Contains(r.args, ""): // which is not all refs
			return errors.New("Listing refs: Invalid refspec ")
		case r.delete:
			return r.deleteRefs()
		case r.collections:
			return r.listCollections()
		}
		return r.listRefs()
	}
	return c
}

// match is a ref that a prefix selects.
type match struct {
	repo.Ref
	short string // what is printed without --list
}

// matches returns the refs that are prefix or below it; prefix may name a remote.
func (r *refser) matches(prefix string) ([]match, error) {
	all, err := r.repo.Refs()
	if err != nil {
		return nil, err
	}
	remote, name, onlyRemote := "", prefix, false
	// "remote:." is an old spelling of "remote:".
	if rest, ok := strings.CutSuffix(strings.TrimSuffix(prefix, "."), ":"); ok {
		if ostree.ValidateRemoteName(rest) != nil {
			return nil, fmt.Errorf("Listing refs: Invalid refspec %s", prefix)
		}
		remote, name, onlyRemote = rest, "", true
	} else if prefix != "" {
		if remote, name, err = ostree.ParseRefspec(prefix); err != nil {
			return nil, fmt.Errorf("Listing refs: %w", err)
		}
	}
	var list []match
	for _, ref := range all {
		m := match{ref, ref.Refspec()}
		below, isBelow := strings.CutPrefix(ref.Name, name+"/")
		switch {
		case prefix == "":
		case ref.Remote != remote:
			continue
		case onlyRemote || ref.Name == name:
		case isBelow:
			m.short = ostree.Refspec(remote, below)
		default:
			continue
		}
		list = append(list, m)
	}
	return list, nil
}

// prefixes returns the arguments, or the empty prefix for all refs.
func (r *refser) prefixes() []string {
	if len(r.args) == 0 {
		return []string{""}
	}
	return r.args
}

func (r *refser) listRefs() error {
	for _, dir := range []string{"refs/heads", "refs/remotes"} {
		if !isDir(filepath.Join(r.repo.Path(), dir)) {
			return fmt.Errorf("Listing refs: opendir(%s): No such file or directory", dir)
		}
	}
	for _, prefix := range r.prefixes() {
		list, err := r.matches(prefix)
		if err != nil {
			return err
		}
		for _, m := range list {
			text := m.short
			if r.list || r.alias {
				text = m.Refspec()
			}
			if r.alias {
				if m.Alias == "" {
					continue
				}
				text += " -> " + m.Alias
			}
			r.printRef(text, m.Checksum)
		}
	}
	return nil
}

func (r *refser) printRef(text string, sum ostree.Checksum) {
	if r.revision {
		text += "\t" + sum.String()
	}
	r.printf("%s\n", text)
}

func (r *refser) listCollections() error {
	for _, id := range r.args {
		if err := validCollection(id); err != nil {
			return err
		}
	}
	for _, prefix := range r.prefixes() {
		refs, err := r.collectionRefs()
		if err != nil {
			return err
		}
		for _, m := range refs {
			if prefix == "" || prefix == m.Collection {
				r.printRef(m.CollectionRef.String(), m.Checksum)
			}
		}
	}
	return nil
}

func validCollection(id string) error {
	if err := ostree.ValidateCollectionID(id); err != nil {
		return fmt.Errorf("Listing refs: %w", err)
	}
	return nil
}

// collectionRefs returns the refs of all collections that are known: the repository's own,
// those of remotes with a collection, and mirrors.
func (e *env) collectionRefs() ([]repo.MirrorRef, error) {
	var list []repo.MirrorRef
	all, err := e.repo.Refs()
	if err != nil {
		return nil, err
	}
	for _, ref := range all {
		collection := e.repo.CollectionID()
		if ref.Remote != "" {
			collection = ""
			if m, err := e.remote(ref.Remote); err == nil {
				collection = m.CollectionID
			}
		}
		if collection != "" {
			list = append(list, repo.MirrorRef{CollectionRef: ostree.CollectionRef{Collection: collection, Ref: ref.Name}, Checksum: ref.Checksum})
		}
	}
	mirrors, err := e.repo.MirrorRefs()
	return append(list, mirrors...), err
}

func (r *refser) createCollectionRef() error {
	if len(r.args) != 1 {
		return errors.New("You must specify a revision when creating a new ref")
	}
	collection, ref, ok := strings.Cut(r.create, ":")
	if !ok {
		return fmt.Errorf("Invalid collection ref %s", r.create)
	}
	if err := errors.Join(ostree.ValidateCollectionID(collection), ostree.ValidateRef(ref)); err != nil {
		return err
	}
	sum, err := r.repo.ResolveRev(r.args[0])
	if err != nil {
		return err
	}
	// As upstream looks for it: a ref of a remote that is called like the collection, so that
	// the ref of a mirror is replaced.
	if _, err := r.repo.LookupRef(collection, ref); err == nil && !r.force {
		return fmt.Errorf("--create specified but ref %s already exists", r.create)
	}
	tx, err := r.repo.Begin(r.ctx, repo.TransactionOptions{})
	if err != nil {
		return err
	}
	defer tx.Abort()
	if err := tx.SetMirrorRef(ostree.CollectionRef{Collection: collection, Ref: ref}, sum); err != nil {
		return err
	}
	_, err = tx.Commit()
	return err
}

func (r *refser) createRef() error {
	if len(r.args) == 0 {
		return errors.New("You must specify a revision when creating a new ref")
	}
	if len(r.args) > 1 {
		return errors.New("You must specify only 1 existing ref when creating a new ref")
	}
	if err := r.writable(); err != nil {
		return err
	}
	remote, ref, err := ostree.ParseRefspec(r.create)
	if err != nil {
		return err
	}
	_, err = r.repo.LookupRef(remote, ref)
	exists := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, notRef := ostree.ParseChecksum(ref)
	if (exists || notRef == nil) && !r.force && !(r.alias && r.isAlias(remote, ref)) {
		return fmt.Errorf("--create specified but ref %s already exists", r.create)
	}
	if r.alias {
		return r.createAlias(remote, ref, exists)
	}
	sum, err := r.repo.ResolveRev(r.args[0])
	if err != nil {
		return err
	}
	return r.setRefs(map[[2]string]ostree.Checksum{{remote, ref}: sum})
}

// isAlias tells whether a ref is a link to another one, which another link may replace.
func (r *refser) isAlias(remote, ref string) bool {
	all, err := r.repo.LocalRefs()
	return err == nil && remote == "" && slices.ContainsFunc(all, func(x repo.Ref) bool { return x.Name == ref && x.Alias != "" })
}

// setRefs changes refs, given by remote and name; a zero checksum deletes one.
func (e *env) setRefs(refs map[[2]string]ostree.Checksum) error {
	tx, err := e.repo.Begin(e.ctx, repo.TransactionOptions{})
	if err != nil {
		return err
	}
	defer tx.Abort()
	for name, sum := range refs {
		if err := tx.SetRef(name[0], name[1], sum); err != nil {
			return err
		}
	}
	_, err = tx.Commit()
	return err
}

func (r *refser) createAlias(remote, ref string, exists bool) error {
	if remote != "" {
		return fmt.Errorf("Cannot create alias to remote ref: %s", remote)
	}
	target := r.args[0]
	of, name, err := ostree.ParseRefspec(target)
	if err == nil {
		_, err = r.repo.LookupRef(of, name)
	}
	switch {
	case err != nil:
		return fmt.Errorf("Cannot create alias to non-existent ref: %s", target)
	case of != "":
		return fmt.Errorf("Cannot create alias to remote ref: %s", target)
	}
	if exists {
		if err := r.repo.SetRef("", ref, ostree.Checksum{}); err != nil {
			return err
		}
	}
	return r.repo.SetAlias(ref, target)
}

func (r *refser) deleteRefs() error {
	if len(r.args) == 0 {
		return errors.New("At least one PREFIX is required when deleting refs")
	}
	if err := r.writable(); err != nil {
		return err
	}
	for _, prefix := range r.args {
		if r.collections {
			err := validCollection(prefix)
			if err == nil {
				err = r.deleteCollection(prefix)
			}
			if err != nil {
				return err
			}
			continue
		}
		list, err := r.matches(prefix)
		if err != nil {
			return err
		}
		if r.alias { // deletes nothing else below a prefix
			list = slices.DeleteFunc(list, func(m match) bool { return m.Alias == "" && m.Refspec() != prefix })
		}
		if err := r.deleteMatches(list); err != nil {
			return err
		}
	}
	return nil
}

func (r *refser) deleteMatches(list []match) error {
	all, err := r.repo.LocalRefs()
	if err != nil {
		return err
	}
	changes := map[[2]string]ostree.Checksum{}
	for _, m := range list {
		for _, other := range all {
			if m.Remote == "" && other.Alias == m.Name {
				return fmt.Errorf("Ref '%s' has an active alias: '%s'", m.Name, other.Name)
			}
		}
		changes[[2]string{m.Remote, m.Name}] = ostree.Checksum{}
	}
	return r.setRefs(changes)
}

func (r *refser) deleteCollection(collection string) error {
	refs, err := r.collectionRefs()
	if err != nil {
		return err
	}
	tx, err := r.repo.Begin(r.ctx, repo.TransactionOptions{})
	if err != nil {
		return err
	}
	defer tx.Abort()
	for _, m := range refs {
		if m.Collection == collection {
			if err := tx.SetMirrorRef(m.CollectionRef, ostree.Checksum{}); err != nil {
				return err
			}
		}
	}
	_, err = tx.Commit()
	return err
}
