package compose

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"rpmostree/gvariant"
	"rpmostree/internal/core"
	"rpmostree/internal/core/importer"
	"rpmostree/internal/core/kernel"
	"rpmostree/internal/core/postprocess"
	"rpmostree/internal/sandbox"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
	"rpmostree/treefile"
)

// A shaper gives the assembled tree what the treefile asks for besides packages.
type shaper struct {
	*composer
	tx      *repo.Transaction
	built   *core.Built
	tree    tree.Tree
	version string
	kernel  string // version of the kernel, "" if there is none
}

func (s *shaper) shape(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		s.removeFromPackages, s.files, s.system, s.postprocess, s.policy, s.boot, s.store, s.label,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// edit applies fn to the tree.
func (s *shaper) edit(fn func(*postprocess.Editor)) (err error) {
	e := postprocess.Edit(s.tree, s.tx)
	fn(e)
	s.tree, err = e.Tree()
	return err
}

// removeFromPackages takes files of packages away whose paths match.
func (s *shaper) removeFromPackages(context.Context) error {
	if len(s.tf.RemoveFromPackages) == 0 {
		return nil
	}
	db, err := s.database()
	if err != nil {
		return err
	}
	var gone []string
	for _, rule := range s.tf.RemoveFromPackages {
		if len(rule) == 0 {
			continue
		}
		for _, p := range db.ByName(rule[0]) {
			for _, pattern := range rule[1:] {
				re, err := regexp.Compile("^(?:" + pattern + ")$")
				if err != nil {
					return fmt.Errorf("remove-from-packages: %s: %w", rule[0], err)
				}
				files := p.Header.Files()
				for i := range files {
					if place, err := importer.PlaceOf(rule[0], &files[i]); err == nil && place.Path != "" && re.MatchString(files[i].Path) {
						gone = append(gone, place.Path)
					}
				}
			}
		}
	}
	return s.edit(func(e *postprocess.Editor) {
		for _, p := range gone {
			e.Remove(p)
		}
	})
}

// files adds and removes single files.
func (s *shaper) files(context.Context) error {
	for _, f := range s.tf.Files {
		dest := strings.Trim(path.Clean("/"+f.Dest), "/")
		switch {
		case strings.HasPrefix(dest, "usr/local/"), !strings.HasPrefix(dest, "usr/") && !strings.HasPrefix(dest, "etc/"):
			return fmt.Errorf("Unsupported path in add-files: %s", f.Dest)
		case strings.HasPrefix(dest, "etc/"):
			dest = "usr/" + dest
		}
		err := s.edit(func(e *postprocess.Editor) { e.File(dest, uint32(f.Mode.Perm()), string(f.Data)) })
		if err != nil {
			return err
		}
	}
	return s.edit(func(e *postprocess.Editor) {
		for _, p := range s.tf.RemoveFiles {
			p = strings.Trim(path.Clean("/"+p), "/")
			if rest, ok := strings.CutPrefix(p, "etc/"); ok {
				p = "usr/etc/" + rest
			}
			e.Remove(p)
		}
	})
}

// system sets what systemd and os-release say.
func (s *shaper) system(context.Context) (err error) {
	t := s.tf
	if s.tree, err = postprocess.MachineID(s.tree, s.tx, t.MachineIDCompat.Enabled()); err != nil {
		return err
	}
	if t.DefaultTarget != "" {
		if s.tree, err = postprocess.DefaultTarget(s.tree, s.tx, t.DefaultTarget); err != nil {
			return err
		}
	}
	if s.tree, err = postprocess.Units(s.tree, s.tx, t.Units); err != nil {
		return err
	}
	if t.MutateOSRelease == "" || s.version == "" {
		return nil
	}
	text, err := core.ReadFile(s.tx.Objects, s.tree, "usr/lib/os-release")
	if err != nil {
		return err
	}
	return s.edit(func(e *postprocess.Editor) {
		e.File("usr/lib/os-release", 0o644, mutateOSRelease(string(text), t.MutateOSRelease, s.version))
	})
}

// mutateOSRelease replaces the base version by the image's in the keys that
// people see.
func mutateOSRelease(text, base, version string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		key, _, _ := strings.Cut(line, "=")
		switch key {
		case "VERSION", "PRETTY_NAME":
			line = strings.ReplaceAll(line, base, version)
		case "OSTREE_VERSION":
			continue
		}
		b.WriteString(line)
	}
	fmt.Fprintf(&b, "OSTREE_VERSION='%s'\n", version)
	return b.String()
}

// postprocess runs the treefile's scripts in the tree.
func (s *shaper) postprocess(ctx context.Context) (err error) {
	var scripts [][]byte
	for _, text := range s.tf.Postprocess {
		scripts = append(scripts, []byte(text))
	}
	if s.tf.Script != nil {
		scripts = append(scripts, s.tf.Script.Data)
	}
	if len(scripts) == 0 {
		return nil
	}
	task := s.progress().Begin("Running postprocess scripts")
	s.tree, err = s.built.Edit(ctx, s.tree, func(root sandbox.Root) error {
		root.ShowDatabase = true
		for i, text := range scripts {
			interp := []string{"/bin/sh"}
			if line, ok := strings.CutPrefix(firstLine(text), "#!"); ok && strings.TrimSpace(line) != "" {
				interp = strings.Fields(line)
			}
			var out strings.Builder
			err := sandbox.Run(ctx, root, sandbox.Command{
				Args: append(interp, sandbox.ScriptPath), Script: text, Output: &out,
			})
			for line := range strings.Lines(out.String()) {
				s.progress().Message(fmt.Sprintf("postprocess %d: %s", i+1, strings.TrimRight(line, "\n")))
			}
			if err != nil {
				return fmt.Errorf("Executing postprocess script %d: %w", i+1, err)
			}
		}
		return nil
	})
	if err == nil {
		task.End("")
	}
	return err
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// boot makes the module index and the initramfs.
func (s *shaper) boot(ctx context.Context) error {
	version, err := core.KernelVersion(s.tree)
	if errors.Is(err, kernel.ErrNone) {
		return nil
	} else if err != nil {
		return err
	}
	s.kernel = version
	initramfs := !s.tf.NoInitramfs.Enabled()
	if s.tree, err = s.built.Boot(ctx, s.tree, version, initramfs, s.tf.InitramfsArgs); err != nil {
		return err
	}
	if s.tf.BootLocation == treefile.BootNew || s.tf.BootLocation == "" && s.tf.Edition != treefile.Edition2024 {
		return s.oldBootLocation(version)
	}
	return nil
}

// oldBootLocation puts kernel and initramfs at /usr/lib/ostree-boot too, where
// old versions of ostree look for them.
func (s *shaper) oldBootLocation(version string) error {
	dir := path.Join(kernel.ModulesDir, version)
	names := []string{"vmlinuz", "initramfs.img"}
	hash := sha256.New()
	entries := map[string]ostree.Checksum{}
	for _, name := range names {
		e, err := s.tree.Lookup(path.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		_, _, content, err := s.tx.File(e.Checksum)
		if err != nil {
			return err
		}
		_, err = io.Copy(hash, content)
		content.Close()
		if err != nil {
			return err
		}
		entries[name] = e.Checksum
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	b := tree.NewBuilder(s.tree)
	for name, c := range entries {
		dest := "vmlinuz-" + version + "-" + sum
		if name != "vmlinuz" {
			dest = "initramfs-" + version + ".img-" + sum
		}
		if err := b.SetFile(path.Join("usr/lib/ostree-boot", dest), c); err != nil {
			return err
		}
	}
	s.tree = b.Tree()
	return nil
}

// store keeps the merged treefile in the tree.
func (s *shaper) store(context.Context) error {
	text, err := s.tf.JSON()
	if err != nil {
		return err
	}
	return s.edit(func(e *postprocess.Editor) {
		e.File("usr/share/rpm-ostree/treefile.json", 0o644, string(text))
	})
}

// metadata returns the metadata of the commit.
func (c *composer) metadata(built *core.Built, version, hash, kernelVersion string) (core.Metadata, error) {
	var m core.Metadata
	keys := map[string]bool{}
	add := func(key string, v gvariant.Value) {
		if !keys[key] {
			keys[key] = true
			m.Add(key, v)
		}
	}
	for _, e := range c.opt.Metadata {
		add(e.Key, gvariant.String(e.Value))
	}
	for _, key := range slices.Sorted(mapKeys(c.opt.MetadataValue)) {
		add(key, c.opt.MetadataValue[key])
	}
	for _, key := range slices.Sorted(mapKeys(c.tf.AddCommitMetadata)) {
		v, err := FromJSON(c.tf.AddCommitMetadata[key])
		if err != nil {
			return nil, fmt.Errorf("add-commit-metadata: %s: %w", key, err)
		}
		add(key, v)
	}
	if version != "" {
		add(ostree.KeyVersion, gvariant.String(version))
	}
	add("rpmostree.inputhash", gvariant.String(hash))
	add("rpmostree.initramfs-args", gvariant.Strings(c.tf.InitramfsArgs))
	if len(c.tf.ContainerCmd) > 0 {
		add("ostree.container-cmd", gvariant.Strings(c.tf.ContainerCmd))
	}
	m = append(m, built.ComposeMetadata()...)
	if kernelVersion != "" {
		add(ostree.KeyBootable, gvariant.Bool(true))
		add(ostree.KeyLinux, gvariant.String(kernelVersion))
	}
	if c.tf.Ref != "" {
		add(ostree.KeyRefBinding, gvariant.Strings([]string{c.tf.Ref}))
	}
	return m, nil
}
