package tree

import (
	"fmt"
	"sync"

	"rpmostree/ostree"
)

// Nesting tells how deep directories are nested, from the names of their dirtree objects.
// Such an object may be in many places, and is looked at once: its depth where it was first
// met does not say how deep it is elsewhere. The zero value is ready, and safe for
// concurrent use.
type Nesting struct {
	mu      sync.Mutex
	subdirs map[ostree.Checksum][]ostree.Checksum
	whole   map[ostree.Checksum]bool // below these everything was added
	heights map[ostree.Checksum]int  // of those that were checked, until one of them changes
}

// Add notes what directories are in one. One that is not added counts as empty.
func (n *Nesting) Add(dir ostree.Checksum, d *ostree.DirTree) {
	list := make([]ostree.Checksum, len(d.Dirs))
	for i, sub := range d.Dirs {
		list[i] = sub.Tree
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, known := n.subdirs[dir]; known {
		return
	}
	if n.subdirs == nil {
		n.subdirs = map[ostree.Checksum][]ostree.Checksum{}
	}
	n.subdirs[dir] = list
	if _, counted := n.heights[dir]; counted && len(list) > 0 {
		n.heights = nil
	}
}

// Load adds a directory and all that is in it, as far as they are not there yet.
func (n *Nesting) Load(l Loader, dir ostree.Checksum) error { return n.load(l, dir, MaxDepth) }

// load is Load, but not below most levels.
func (n *Nesting) load(l Loader, dir ostree.Checksum, most int) error {
	n.mu.Lock()
	list, known := n.subdirs[dir]
	whole := n.whole[dir]
	n.mu.Unlock()
	switch {
	case whole:
		return nil
	case most < 0:
		return ErrTooDeep
	case !known:
		d, err := l.DirTree(dir)
		if err != nil {
			return err
		}
		n.Add(dir, d)
		for _, sub := range d.Dirs {
			list = append(list, sub.Tree)
		}
	}
	for _, sub := range list {
		if err := n.load(l, sub, most-1); err != nil {
			return err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.whole == nil {
		n.whole = map[ostree.Checksum]bool{}
	}
	n.whole[dir] = true
	return nil
}

// Check returns an error if a root has directories that are nested deeper than MaxDepth.
func (n *Nesting) Check(root ostree.Checksum) error { return n.check(root, 0) }

// check is Check for a directory that is depth levels below the root.
func (n *Nesting) check(dir ostree.Checksum, depth int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.heights == nil {
		n.heights = map[ostree.Checksum]int{}
	}
	if _, ok := n.height(dir, MaxDepth-depth); !ok {
		return ErrTooDeep
	}
	return nil
}

// height returns how many levels of directories are in one. ok is false if they are more
// than most, below which the recursion does not go.
func (n *Nesting) height(dir ostree.Checksum, most int) (height int, ok bool) {
	if h, known := n.heights[dir]; known || most < 0 {
		return h, h <= most
	}
	for _, sub := range n.subdirs[dir] {
		h, ok := n.height(sub, most-1)
		if !ok {
			return 0, false
		}
		height = max(height, h+1)
	}
	n.heights[dir] = height
	return height, true
}

// ErrTooDeep says that directories are nested deeper than MaxDepth.
var ErrTooDeep = fmt.Errorf("directories are nested deeper than %d", MaxDepth)
