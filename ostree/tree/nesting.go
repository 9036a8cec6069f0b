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
	heights map[ostree.Checksum]int // of those that were checked, until something is added
}

// Add notes what directories are in one. One that is not added counts as empty.
func (n *Nesting) Add(dir ostree.Checksum, d *ostree.DirTree) {
	if len(d.Dirs) == 0 {
		return
	}
	list := make([]ostree.Checksum, len(d.Dirs))
	for i, sub := range d.Dirs {
		list[i] = sub.Tree
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.subdirs == nil {
		n.subdirs = map[ostree.Checksum][]ostree.Checksum{}
	}
	n.subdirs[dir] = list
	n.heights = nil
}

// load adds a directory and all that is in it, but not below most levels.
func (n *Nesting) load(l Loader, dir ostree.Checksum, most int) error {
	n.mu.Lock()
	_, known := n.subdirs[dir]
	n.mu.Unlock()
	if known || most < 0 {
		return nil
	}
	d, err := l.DirTree(dir)
	if err != nil {
		return err
	}
	for _, sub := range d.Dirs {
		if err := n.load(l, sub.Tree, most-1); err != nil {
			return err
		}
	}
	n.Add(dir, d)
	return nil
}

// Check returns an error if a root has directories that are nested deeper than MaxDepth.
func (n *Nesting) Check(root ostree.Checksum) error { return n.check(root, 0) }

// CheckDepth is Nesting.Check for a root of which all directories are stored.
func CheckDepth(l Loader, root ostree.Checksum) error {
	var n Nesting
	if err := n.load(l, root, MaxDepth); err != nil {
		return err
	}
	return n.Check(root)
}

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
