package core

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"rpmostree/internal/core/importer"
	"rpmostree/internal/core/kernel"
	"rpmostree/internal/core/postprocess"
	"rpmostree/internal/sandbox"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"
	"rpmostree/rpm"
)

// KernelVersion returns the version of the kernel in a tree, or kernel.ErrNone.
func KernelVersion(t tree.Tree) (string, error) {
	entries, err := t.ReadDir(kernel.ModulesDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir {
			names = append(names, e.Name)
		}
	}
	return kernel.Version(names, func(name string) bool {
		ok, err := t.Exists(path.Join(kernel.ModulesDir, name, "vmlinuz"))
		return err == nil && ok
	})
}

// kernel makes the module index and the initramfs, if their input has changed.
func (a *assembly) kernel(ctx context.Context) error {
	spec := a.plan.spec
	if spec.Base == nil {
		return nil // a compose does it after its own changes
	}
	if err := a.dropKernels(); err != nil {
		return err
	}
	modules := slices.ContainsFunc(slices.Concat(a.added, a.change.Remove), ownsModules)
	if !modules && !spec.Initramfs {
		return nil
	}
	version, err := KernelVersion(a.tree)
	if errors.Is(err, kernel.ErrNone) {
		return nil
	} else if err != nil {
		return err
	}
	initramfs := spec.Initramfs
	if !initramfs {
		old, _ := fileAt(spec.Base.Tree, version)
		now, _ := fileAt(a.tree, version)
		initramfs = old != now
	}
	return a.boot(ctx, version, modules, initramfs && !spec.NoInitramfs, spec.InitramfsArgs)
}

func fileAt(t tree.Tree, version string) (ostree.Checksum, error) {
	e, err := t.Lookup(path.Join(kernel.ModulesDir, version, "vmlinuz"))
	return e.Checksum, err
}

// boot runs depmod and dracut as wanted.
func (s *stage) boot(ctx context.Context, version string, depmod, initramfs bool, args []string) error {
	if !depmod && !initramfs {
		return nil
	}
	return s.run(ctx, func(root sandbox.Root) error {
		if depmod {
			var out logBuffer
			if err := kernel.Depmod(ctx, root, version, &out); err != nil {
				return errors.Join(err, errors.New(out.String()))
			}
		}
		if !initramfs {
			return nil
		}
		task := s.core.progress().Begin("Generating initramfs")
		var out logBuffer
		if err := kernel.Initramfs(ctx, root, version, args, &out); err != nil {
			return err
		}
		task.End("")
		return nil
	})
}

// hasModules reports whether the kernel has modules besides those built in:
// they are in directories beside it.
func hasModules(t tree.Tree, version string) (bool, error) {
	entries, err := t.ReadDir(path.Join(kernel.ModulesDir, version))
	return slices.ContainsFunc(entries, func(e tree.Entry) bool { return e.IsDir }), err
}

// dropKernels removes what is left of a kernel whose package went: the module
// index and the initramfs belong to no package.
func (a *assembly) dropKernels() error {
	b := tree.NewBuilder(a.tree)
	for _, h := range a.change.Remove {
		for _, p := range h.Paths() {
			dir, name := path.Split(strings.Trim(importer.UsrMerge(p), "/"))
			if name != "vmlinuz" || path.Dir(path.Clean(dir)) != kernel.ModulesDir {
				continue
			}
			if _, err := b.Lookup(path.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
				continue // another package brought the same version
			}
			if err := b.Remove(path.Clean(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	a.tree = b.Tree()
	return nil
}

func ownsModules(h *rpm.Header) bool {
	return slices.ContainsFunc(h.Strings(rpm.TagDirNames), func(d string) bool {
		return strings.HasPrefix(importer.UsrMerge(d), "/"+kernel.ModulesDir+"/")
	})
}

// Boot returns the tree t, which was made from b, with the module index of its
// kernel and, if wanted, an initramfs made by dracut with args.
func (b *Built) Boot(ctx context.Context, t tree.Tree, version string, initramfs bool, args []string) (tree.Tree, error) {
	s := &b.stage
	s.tree = t
	modules, err := hasModules(t, version)
	if err != nil {
		return t, err
	}
	if err := s.boot(ctx, version, modules, initramfs, args); err != nil {
		return t, err
	}
	return postprocess.DropScratch(s.tree)
}
