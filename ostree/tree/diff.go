package tree

import (
	"fmt"
	"iter"
)

// Change is a difference between two trees at a path. From is nil for what was
// added, To for what was removed. If both are directories their metadata differ.
type Change struct {
	Path     string
	From, To *Entry
}

// Diff yields the differences from a to b in the order of their paths. Of an added
// directory everything in it is reported too, of a removed one only itself.
// Directories that both share are not loaded. After an error the iteration ends.
func Diff(a, b Tree) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		d := differ{yield: yield}
		from, to := a.entry(), b.entry()
		d.both("/", from, to, MaxDepth)
	}
}

type differ struct {
	yield func(Change, error) bool
	done  bool
}

func (d *differ) emit(path string, from, to *Entry) bool {
	if !d.done && !d.yield(Change{path, from, to}, nil) {
		d.done = true
	}
	return !d.done
}

func (d *differ) fail(path string, err error) {
	if !d.done {
		d.yield(Change{Path: path}, fmt.Errorf("%s: %w", path, err))
		d.done = true
	}
}

// entries loads a directory; nothing once the iteration is over.
func (d *differ) entries(path string, e Entry, depth int) []Entry {
	if depth < 0 {
		d.fail(path, errTooDeep(path))
	}
	if d.done {
		return nil
	}
	list, err := e.node.load()
	if err != nil {
		d.fail(path, err)
		return nil
	}
	return list.entries()
}

// both compares what has the same path in both trees.
func (d *differ) both(path string, from, to Entry, depth int) {
	switch {
	case from.IsDir && to.IsDir:
		if from.meta.sum != to.meta.sum && !d.emit(path, &from, &to) || same(from.node, to.node) {
			return
		}
		d.dirs(path, d.entries(path, from, depth), d.entries(path, to, depth), depth-1)
	case from.IsDir != to.IsDir:
		if d.emit(path, &from, &to) {
			d.inside(path, to, depth)
		}
	case from.Checksum != to.Checksum:
		d.emit(path, &from, &to)
	}
}

func (d *differ) dirs(path string, from, to []Entry, depth int) {
	for !d.done && (len(from) > 0 || len(to) > 0) {
		switch {
		case len(to) == 0 || len(from) > 0 && from[0].Name < to[0].Name:
			d.emit(join(path, from[0].Name), &from[0], nil)
			from = from[1:]
		case len(from) == 0 || to[0].Name < from[0].Name:
			d.added(join(path, to[0].Name), to[0], depth)
			to = to[1:]
		default:
			d.both(join(path, to[0].Name), from[0], to[0], depth)
			from, to = from[1:], to[1:]
		}
	}
}

func (d *differ) added(path string, e Entry, depth int) {
	if d.emit(path, nil, &e) {
		d.inside(path, e, depth)
	}
}

// inside reports what is in a directory as added.
func (d *differ) inside(path string, e Entry, depth int) {
	if !e.IsDir {
		return
	}
	for _, c := range d.entries(path, e, depth) {
		if d.done {
			return
		}
		d.added(join(path, c.Name), c, depth-1)
	}
}
