package tree

import (
	"slices"
)

// Resolution says which side of a conflict stays.
type Resolution int

// The answers to a conflict.
const (
	Fail    Resolution = iota // Overlay returns the conflict as a *ConflictError
	Keep                      // ours stays
	Replace                   // theirs takes its place
)

// OverlayOptions say what happens where both trees have something. By default a
// directory that both have keeps our metadata, the same file twice is fine, and
// anything else is a *ConflictError.
type OverlayOptions struct {
	// Replace lets the other tree win every conflict.
	Replace bool
	// TheirMeta gives directories that both have the other tree's metadata.
	TheirMeta bool
	// Conflict is asked about each conflict if it is not nil and Replace is not set.
	Conflict func(*ConflictError) Resolution
}

func (o *OverlayOptions) resolve(c *ConflictError) Resolution {
	switch {
	case o.Replace:
		return Replace
	case o.Conflict != nil:
		return o.Conflict(c)
	}
	return Fail
}

// Overlay adds everything of other to the directory at path, which is made if there
// is none. After an error a part of other may have been added.
func (b *Builder) Overlay(path string, other Tree, opts OverlayOptions) error {
	parts, err := split(path)
	if err != nil {
		return pathError("overlay", path, err)
	}
	theirs := other.entry()
	ours, err := b.find(parts)
	if err != nil {
		return err
	}
	if ours.Name == "" {
		return b.Put(path, theirs)
	}
	at := "/"
	for _, p := range parts {
		at = join(at, p)
	}
	if !ours.IsDir {
		return &ConflictError{at, ours, theirs}
	}
	if ours.same(theirs) {
		return nil
	}
	c, err := b.openChild(parts)
	if err != nil {
		return err
	}
	return b.merge(at, c, theirs, &opts, MaxDepth)
}

// merge adds the entries of a directory to ours.
func (b *Builder) merge(path string, ours *child, theirs Entry, opts *OverlayOptions, depth int) error {
	if depth < 0 {
		return errTooDeep(path)
	}
	if opts.TheirMeta {
		ours.meta = theirs.meta
	}
	if same(ours.node, theirs.node) {
		return nil
	}
	from, err := theirs.node.load()
	if err != nil {
		return err
	}
	if len(from.files)+len(from.dirs) == 0 {
		return nil
	}
	into, err := b.own(ours)
	if err != nil {
		return err
	}
	for _, f := range from.files {
		if err := mergeFile(path, into, fileEntry(f), opts); err != nil {
			return err
		}
	}
	for _, c := range from.dirs {
		if err := b.mergeDir(path, into, dirEntry(c), opts, depth); err != nil {
			return err
		}
	}
	return nil
}

func mergeFile(path string, into *dir, theirs Entry, opts *OverlayOptions) error {
	ours, ok := into.entry(theirs.Name)
	if ok {
		if ours.same(theirs) {
			return nil
		}
		conflict := &ConflictError{join(path, theirs.Name), ours, theirs}
		switch opts.resolve(conflict) {
		case Fail:
			return conflict
		case Keep:
			return nil
		}
	}
	into.remove(theirs.Name)
	into.insert(theirs)
	return nil
}

func (b *Builder) mergeDir(path string, into *dir, theirs Entry, opts *OverlayOptions, depth int) error {
	path = join(path, theirs.Name)
	if i, ok := into.findDir(theirs.Name); ok {
		return b.merge(path, &into.dirs[i], theirs, opts, depth-1)
	}
	if ours, ok := into.entry(theirs.Name); ok {
		conflict := &ConflictError{path, ours, theirs}
		switch opts.resolve(conflict) {
		case Fail:
			return conflict
		case Keep:
			return nil
		}
		into.remove(theirs.Name)
	}
	into.insert(theirs)
	return nil
}

// insert adds an entry whose name is free.
func (d *dir) insert(e Entry) {
	if e.IsDir {
		i, _ := d.findDir(e.Name)
		d.dirs = slices.Insert(d.dirs, i, child{e.Name, e.node, e.meta})
		return
	}
	i, _ := d.findFile(e.Name)
	d.files = slices.Insert(d.files, i, treeFile(e))
}

func (d *dir) remove(name string) {
	if i, ok := d.findFile(name); ok {
		d.files = slices.Delete(d.files, i, i+1)
	}
	if i, ok := d.findDir(name); ok {
		d.dirs = slices.Delete(d.dirs, i, i+1)
	}
}
