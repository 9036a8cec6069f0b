package materialize

import (
	"context"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
)

// copy puts the tree on disk as a copy and remembers the status of each file.
func (r *Root) copy(ctx context.Context, opt Options) error {
	if err := opt.Store.Copy(ctx, r.tree, r.Dir()); err != nil {
		return err
	}
	r.before = map[string]unix.Stat_t{}
	return r.walk(func(_ *dirfd.Dir, _, path string, st *unix.Stat_t) error {
		r.before[path] = *st
		return nil
	})
}

// walk calls fn for everything in the copy, directories before their content.
func (r *Root) walk(fn func(d *dirfd.Dir, name, path string, st *unix.Stat_t) error) error {
	root, err := dirfd.Open(r.Dir())
	if err != nil {
		return err
	}
	defer root.Close()
	return walkDir(root, "", fn)
}

func walkDir(d *dirfd.Dir, path string, fn func(d *dirfd.Dir, name, path string, st *unix.Stat_t) error) error {
	entries, err := d.ReadDir()
	if err != nil {
		return err
	}
	for _, e := range entries {
		st, err := d.Stat(e.Name)
		if err != nil {
			return err
		}
		p := join(path, e.Name)
		if err := fn(d, e.Name, p, &st); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue
		}
		sub, err := d.Open(e.Name)
		if err != nil {
			return err
		}
		err = walkDir(sub, p, fn)
		sub.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// foldCopy applies every difference between the copy as it was and as it is.
// The change time tells: nothing but a change of the file moves it.
func (r *Root) foldCopy(f *folder) error {
	gone := make(map[string]bool, len(r.before))
	for p := range r.before {
		gone[p] = true
	}
	err := r.walk(func(d *dirfd.Dir, name, path string, st *unix.Stat_t) error {
		delete(gone, path)
		old, known := r.before[path]
		isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
		if known && old.Ino == st.Ino && (old.Ctim == st.Ctim ||
			isDir && old.Mode == st.Mode && old.Uid == st.Uid && old.Gid == st.Gid) {
			return nil
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG, unix.S_IFLNK:
			return f.file(d, name, path, st)
		case unix.S_IFDIR:
			sub, err := d.Open(name)
			if err != nil {
				return err
			}
			defer sub.Close()
			return f.setDir(sub, path, st)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for p := range gone {
		if err := f.remove(p); err != nil {
			return err
		}
	}
	return nil
}
