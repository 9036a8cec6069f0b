package ostree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"rpmostree/gvariant"
	"rpmostree/internal/goption"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sign"
	"rpmostree/ostree/tree"
)

// committer is the commit command with its options.
type committer struct {
	*env
	subject, body, bodyFile, branch, base                                  string
	parent                                                                 *string // nil if there is no such option
	bindRefs, trees, metaStrings, metaVariants, keep, detached             []string
	orphan, noBindings, bootable, linkSpeedup, skipUnchanged, table, sizes bool
	statOverride, skipList                                                 string
	timestamp                                                              *string // nil is now
	importOptions                                                          repo.ImportOptions
	tx                                                                     *repo.Transaction
	txOptions                                                              repo.TransactionOptions
	autoParents                                                            bool
	pathFilter                                                             string
	editor, composefs                                                      bool
	label                                                                  labelOptions
	signing                                                                signOptions
}

func commitCommand() *command {
	c := &command{name: "commit", args: "[PATH]", about: "Commit a new revision", scope: repoScope}
	m := new(committer)
	o := &m.importOptions
	c.optional(&m.parent, "parent", 0, "COMMIT", "Parent commit checksum, or \"none\"")
	c.str(&m.subject, "subject", 's', "SUBJECT", "One line subject")
	c.str(&m.body, "body", 'm', "BODY", "Full description")
	c.file(&m.bodyFile, "body-file", 'F', "FILE", "Commit message from FILE path")
	c.flag(&m.editor, "editor", 'e', "Use an editor to write the commit message")
	c.str(&m.branch, "branch", 'b', "BRANCH", "Branch")
	c.flag(&m.orphan, "orphan", 0, "Create a commit without writing a ref")
	c.flag(&m.noBindings, "no-bindings", 0, "Do not write any ref bindings")
	c.list(&m.bindRefs, "bind-ref", 0, "BRANCH", "Add a ref to ref binding commit metadata")
	c.str(&m.base, "base", 0, "REV", "Start from the given commit as a base (no modifiers apply)")
	c.list(&m.trees, "tree", 0, "dir=PATH or tar=TARFILE or ref=COMMIT", "Overlay the given argument as a tree")
	c.list(&m.metaStrings, "add-metadata-string", 0, "KEY=VALUE", "Add a key/value pair to metadata")
	c.list(&m.metaVariants, "add-metadata", 0, "KEY=VALUE", "Add a key/value pair to metadata, VALUE being GVariant text")
	c.list(&m.keep, "keep-metadata", 0, "KEY", "Keep metadata KEY and its associated VALUE from parent")
	c.list(&m.detached, "add-detached-metadata-string", 0, "KEY=VALUE", "Add a key/value pair to detached metadata")
	c.fn(ownerOption(&o.UID, "owner-uid"), "owner-uid", 0, "UID", "Set file ownership user id")
	c.fn(ownerOption(&o.GID, "owner-gid"), "owner-gid", 0, "GID", "Set file ownership group id")
	c.flag(&o.CanonicalPermissions, "canonical-permissions", 0, "Make everything owned by root, with no permissions beyond 0755 and no extended attributes")
	c.flag(&m.bootable, "bootable", 0, "Flag this commit as a bootable OSTree (e.g. contains a Linux kernel)")
	c.flag(&o.ReadOnlyExecutables, "mode-ro-executables", 0, "Ensure executable files are not writable")
	c.flag(&o.NoXattrs, "no-xattrs", 0, "Do not import extended attributes")
	c.file(&m.label.policy, "selinux-policy", 0, "PATH", "Set SELinux labels based on policy in root filesystem PATH (may be /)")
	c.flag(&m.label.fromBase, "selinux-policy-from-base", 'P', "Set SELinux labels based on first --tree argument")
	c.int(&m.label.epoch, "selinux-labeling-epoch", "N", "Configure the default SELinux labeling rules; 0 is the default, 1 enables labeling /usr/etc as /etc")
	c.flag(&m.linkSpeedup, "link-checkout-speedup", 0, "Optimize for commits of trees composed of hardlinks into the repository")
	c.flag(&o.DevInoCanonical, "devino-canonical", 'I', "Assume hardlinked objects are unmodified. Implies --link-checkout-speedup")
	c.flag(&m.autoParents, "tar-autocreate-parents", 0, "When loading tar archives, automatically create parent directories as needed")
	c.str(&m.pathFilter, "tar-pathname-filter", 0, "REGEX,REPLACEMENT", "When loading tar archives, use REGEX,REPLACEMENT against path names")
	c.flag(&m.skipUnchanged, "skip-if-unchanged", 0, "If the contents are unchanged from previous commit, do nothing")
	c.file(&m.statOverride, "statoverride", 0, "PATH", "File containing list of modifications to make to permissions")
	c.file(&m.skipList, "skip-list", 0, "PATH", "File containing list of files to skip")
	c.flag(&o.Consume, "consume", 0, "Consume (delete) content after commit (for local directories)")
	c.flag(&m.table, "table-output", 0, "Output more information in a KEY: VALUE format")
	c.signing(&m.signing, "commit", true)
	c.flag(&m.sizes, "generate-sizes", 0, "Generate size information along with commit metadata")
	c.flag(&m.composefs, "generate-composefs-metadata", 0, "Generate composefs commit metadata")
	c.flag(&m.txOptions.NoFsync, "disable-fsync", 0, "Do not invoke fsync()")
	c.hide()
	c.fn(fsyncOption(&m.txOptions.NoFsync), "fsync", 0, "POLICY", "Specify how to invoke fsync()")
	c.optional(&m.timestamp, "timestamp", 0, "TIMESTAMP", "Override the timestamp of the commit")
	c.run = func(e *env) error {
		m.env = e
		return m.run()
	}
	return c
}

func ownerOption(p **uint32, name string) func(string) error {
	return func(s string) error {
		var set goption.Set
		var n int
		set.Int(&n, name, 0, "ID", "")
		if err := set[0].Set(s); err != nil {
			return err
		}
		if id := uint32(n); n >= 0 { // -1 is no owner at all
			*p = &id
		}
		return nil
	}
}

func fsyncOption(off *bool) func(string) error {
	return func(s string) error {
		on, err := parseBool(s)
		*off = !on
		return err
	}
}

func (m *committer) run() error {
	if err := m.writable(); err != nil {
		return err
	}
	if m.branch == "" && !m.orphan {
		return errors.New("A branch must be specified with --branch, or use --orphan")
	}
	if m.branch != "" {
		if _, _, err := ostree.ParseRefspec(m.branch); err != nil {
			return err
		}
	}
	if m.composefs {
		return errComposefs
	}
	if err := errors.Join(m.label.check(), checkOwner(&m.importOptions)); err != nil {
		return err
	}
	if err := m.readFiles(); err != nil {
		return err
	}
	parent, err := m.findParent()
	if err != nil {
		return err
	}
	if m.editor {
		if m.subject, m.body, err = m.editMessage(m.branch, m.subject, m.body); err != nil {
			return err
		}
	}
	if m.tx, err = m.repo.Begin(m.ctx, m.txOptions); err != nil {
		return err
	}
	defer func() { m.tx.Abort() }()
	sum, err := m.commit(parent)
	if err != nil {
		return err
	}
	stats, err := m.tx.Commit()
	if err != nil {
		return err
	}
	if !m.table {
		m.printf("%s\n", sum)
		return nil
	}
	m.printf("Commit: %s\nMetadata Total: %d\nMetadata Written: %d\n", sum, stats.MetadataTotal, stats.MetadataWritten)
	m.printf("Content Total: %d\nContent Written: %d\nContent Cache Hits: %d\nContent Bytes Written: %d\n",
		stats.ContentTotal, stats.ContentWritten, stats.CacheHits, stats.ContentBytesWritten)
	return nil
}

// readFiles reads the files that options name.
func (m *committer) readFiles() error {
	if m.bodyFile != "" {
		b, err := readText(m.bodyFile)
		if err != nil {
			return err
		}
		m.body = string(b)
	}
	if m.statOverride != "" {
		b, err := readText(m.statOverride)
		if err != nil {
			return err
		}
		if m.importOptions.StatOverride, err = repo.ParseStatOverride(string(b)); err != nil {
			return err
		}
	}
	if m.skipList != "" {
		b, err := readText(m.skipList)
		if err != nil {
			return err
		}
		m.importOptions.Skip = repo.ParseSkipList(string(b))
	}
	if m.linkSpeedup || m.importOptions.DevInoCanonical {
		var err error
		if m.importOptions.DevIno, err = m.repo.ScanDevIno(); err != nil {
			return err
		}
	}
	return nil
}

// findParent returns the parent of the new commit, zero for none.
func (m *committer) findParent() (ostree.Checksum, error) {
	switch {
	case m.parent != nil && *m.parent == "none":
		return ostree.Checksum{}, nil
	case m.parent != nil:
		return ostree.ParseChecksum(*m.parent)
	case m.orphan || m.branch == "":
		return ostree.Checksum{}, nil
	}
	remote, ref, err := ostree.ParseRefspec(m.branch)
	if err != nil {
		return ostree.Checksum{}, err
	}
	sum, err := m.repo.FindRef(remote, ref)
	if errors.Is(err, fs.ErrNotExist) {
		return ostree.Checksum{}, nil
	}
	return sum, err
}

// commit writes the tree and the commit object and sets the branch.
func (m *committer) commit(parent ostree.Checksum) (ostree.Checksum, error) {
	t, err := m.source(m.tx)
	if err != nil {
		return ostree.Checksum{}, err
	}
	if err := m.checkUnmatched(); err != nil {
		return ostree.Checksum{}, err
	}
	c := ostree.Commit{Parent: parent, Subject: m.subject, Body: m.body}
	if c.Tree, c.Meta, err = t.Write(m.tx); err != nil {
		return ostree.Checksum{}, err
	}
	if m.skipUnchanged && !parent.IsZero() {
		old, err := m.repo.Commit(parent)
		if err != nil {
			return ostree.Checksum{}, err
		}
		if old.Tree == c.Tree && old.Meta == c.Meta {
			return parent, nil
		}
	}
	if c.Metadata, err = m.metadata(t, parent); err != nil {
		return ostree.Checksum{}, err
	}
	if m.sizes {
		if err := m.addSizes(&c); err != nil {
			return ostree.Checksum{}, err
		}
	}
	if c.Timestamp, err = m.time(); err != nil {
		return ostree.Checksum{}, err
	}
	sum, err := m.tx.WriteCommit(&c)
	if err != nil {
		return ostree.Checksum{}, err
	}
	if err := m.writeDetached(m.tx, &c, sum); err != nil {
		return ostree.Checksum{}, err
	}
	if m.branch != "" { // also with --orphan, which then only says that there is no parent (libostree)
		remote, ref, err := ostree.ParseRefspec(m.branch)
		if err != nil {
			return ostree.Checksum{}, err
		}
		return sum, m.tx.SetRef(remote, ref, sum)
	}
	return sum, nil
}

// source merges the trees that are to be committed, later ones over earlier ones.
func (m *committer) source(tx *repo.Transaction) (tree.Tree, error) {
	trees := m.trees
	if len(trees) == 0 {
		path := "."
		if len(m.args) > 0 {
			path = m.args[0]
		}
		trees = []string{"dir=" + path}
	}
	if err := m.setLabels(trees); err != nil {
		return tree.Tree{}, err
	}
	var t tree.Tree
	empty := true
	if m.base != "" {
		var err error
		if t, err = m.tree(m.base); err != nil {
			return t, err
		}
		empty = false
	}
	for _, spec := range trees {
		if tar, ok := strings.CutPrefix(spec, "tar="); ok {
			var err error
			if t, err = m.importTar(tx, tar, t); err != nil {
				return t, err
			}
			empty = false
			continue
		}
		next, err := m.sourceTree(tx, spec)
		if err != nil {
			return t, err
		}
		if empty {
			t, empty = next, false
			continue
		}
		if t, err = t.Overlay(next, tree.OverlayOptions{TheirMeta: true, Conflict: replaceFiles}); err != nil {
			return t, overlayError(err)
		}
	}
	if !t.HasMeta() {
		return t, errors.New("Can't commit an empty tree")
	}
	return t, nil
}

// replaceFiles lets a later tree replace files, but no directory by a file or the reverse.
func replaceFiles(c *tree.ConflictError) tree.Resolution {
	if c.Ours.IsDir != c.Theirs.IsDir {
		return tree.Fail
	}
	return tree.Replace
}

func overlayError(err error) error {
	var c *tree.ConflictError
	if !errors.As(err, &c) {
		return err
	}
	if c.Ours.IsDir {
		return fmt.Errorf("Can't replace directory with file: %s", c.Theirs.Name)
	}
	return fmt.Errorf("Can't replace file with directory: %s", c.Theirs.Name)
}

func (m *committer) sourceTree(tx *repo.Transaction, spec string) (tree.Tree, error) {
	kind, value, ok := strings.Cut(spec, "=")
	switch {
	case !ok:
		return tree.Tree{}, fmt.Errorf("Missing type in tree specification '%s'", spec)
	case kind == "dir":
		t, err := tx.ImportDir(value, m.importOptions)
		if err == nil && m.importOptions.Consume {
			err = os.Remove(value)
		}
		return t, err
	case kind == "ref":
		t, err := m.tree(value)
		if err != nil {
			return t, err
		}
		return tx.ImportTree(t, m.importOptions)
	}
	return tree.Tree{}, fmt.Errorf("Invalid tree type specification '%s'", kind)
}

// checkUnmatched complains about paths in lists that nothing was found at.
func (m *committer) checkUnmatched() error {
	for name, paths := range map[string][]string{
		"statoverride": m.importOptions.StatOverride.Unmatched(), "skip-list": m.importOptions.Skip.Unmatched(),
	} {
		for _, p := range paths {
			fmt.Fprintf(m.err, "Unmatched %s path: %s\n", name, p)
		}
		if len(paths) > 0 {
			return fmt.Errorf("Unmatched %s paths", name)
		}
	}
	return nil
}

// metadata returns the commit's metadata: what options say in their order, and bindings.
func (m *committer) metadata(t tree.Tree, parent ostree.Checksum) (gvariant.Value, error) {
	var d gvariant.Dict
	if err := addMetadataStrings(&d, m.metaStrings); err != nil {
		return gvariant.Value{}, err
	}
	if err := addMetadataVariants(&d, m.metaVariants); err != nil {
		return gvariant.Value{}, err
	}
	if err := m.keepMetadata(&d, parent); err != nil {
		return gvariant.Value{}, err
	}
	if m.bootable {
		if err := addBootable(&d, t); err != nil {
			return gvariant.Value{}, err
		}
	}
	if !m.noBindings {
		refs := slices.Clone(m.bindRefs)
		if m.branch != "" {
			refs = append(refs, m.branch)
		}
		slices.Sort(refs)
		d.Add(ostree.KeyRefBinding, gvariant.Strings(refs))
		if id := m.repo.CollectionID(); id != "" {
			if _, ok := d.Get(ostree.KeyCollectionBinding); !ok {
				d.Add(ostree.KeyCollectionBinding, gvariant.String(id))
			}
		}
	}
	return d.Value(), nil
}

func addMetadataStrings(d *gvariant.Dict, list []string) error {
	for _, s := range list {
		key, value, err := keyValue(s)
		if err != nil {
			return err
		}
		if key == "" {
			return errors.New("Empty metadata key")
		}
		d.Add(key, gvariant.String(value))
	}
	return nil
}

// addMetadataVariants adds values in GVariant text.
func addMetadataVariants(d *gvariant.Dict, list []string) error {
	for _, s := range list {
		key, text, err := keyValue(s)
		if err != nil {
			return err
		}
		if key == "" {
			return errors.New("Empty metadata key")
		}
		v, err := gvariant.Parse("", text)
		if err != nil {
			return fmt.Errorf("Parsing %s: %w", s, err)
		}
		d.Add(key, v)
	}
	return nil
}

func (m *committer) keepMetadata(d *gvariant.Dict, parent ostree.Checksum) error {
	if len(m.keep) == 0 {
		return nil
	}
	if parent.IsZero() {
		return errors.New("Either --branch or --parent must be specified when using --keep-metadata")
	}
	old, err := m.repo.Commit(parent)
	if err != nil {
		return err
	}
	for _, key := range m.keep {
		v, ok := old.Metadata.Lookup(key)
		if !ok {
			return fmt.Errorf("Missing metadata key '%s' from commit '%s'", key, parent)
		}
		d.Add(key, v)
	}
	return nil
}

// addBootable looks for the kernel.
func addBootable(d *gvariant.Dict, t tree.Tree) error {
	versions, err := t.ReadDir("/usr/lib/modules")
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("Opening usr/lib/modules: No such file or directory")
	}
	if err != nil {
		return err
	}
	release := ""
	for _, v := range versions {
		ok, err := t.Exists("/usr/lib/modules/" + v.Name + "/vmlinuz")
		switch {
		case err != nil:
			return err
		case !ok:
			continue
		case release != "":
			return errors.New("Multiple kernels found in /usr/lib/modules")
		}
		release = v.Name
	}
	if release == "" {
		return errors.New("No kernel found in /usr/lib/modules")
	}
	d.Set(ostree.KeyBootable, gvariant.Bool(true))
	d.Set(ostree.KeyLinux, gvariant.String(release))
	return nil
}

// writeDetached writes the detached metadata: what options say, and signatures.
func (m *committer) writeDetached(tx *repo.Transaction, c *ostree.Commit, sum ostree.Checksum) error {
	signers, err := m.signing.signers()
	if err != nil || len(m.detached) == 0 && len(signers) == 0 {
		return err
	}
	var d gvariant.Dict
	if err := addMetadataStrings(&d, m.detached); err != nil {
		return err
	}
	meta := d.Value()
	if old, err := m.repo.DetachedMetadata(sum); err == nil && old != nil && len(m.detached) == 0 {
		if meta, err = ostree.ParseCommitMeta(old); err != nil { // this commit was made before
			return err
		}
	}
	if len(signers) > 0 {
		if meta, err = sign.Commit(m.ctx, m.repo, c.Marshal(), meta, signers...); err != nil {
			return err
		}
	}
	return tx.WriteDetachedMetadata(sum, meta.Bytes())
}

// time returns the commit's timestamp in seconds since 1970.
func (m *committer) time() (uint64, error) {
	if m.timestamp != nil {
		t, err := parseDate(*m.timestamp)
		return uint64(t.Unix()), err // what is before 1970 wraps, as it does upstream
	}
	if s, ok := os.LookupEnv("SOURCE_DATE_EPOCH"); ok {
		secs, err := sourceDate(s)
		return uint64(secs), err
	}
	return uint64(time.Now().Unix()), nil
}

// sourceDate reads the number that a text begins with, as strtoll of the C library does.
func sourceDate(text string) (int64, error) {
	text = strings.TrimLeft(text, " \t\n\v\f\r")
	rest := strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(text, "-"), "+"), "0123456789")
	secs, err := strconv.ParseInt(strings.TrimSuffix(text, rest), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("Parsing SOURCE_DATE_EPOCH: %w", syscall.ERANGE)
	case err != nil:
		return 0, errors.New("Failed to convert SOURCE_DATE_EPOCH")
	}
	return secs, nil
}

// importTar adds what is in a tar file to a tree; "-" is the standard input.
func (m *committer) importTar(tx *repo.Transaction, path string, base tree.Tree) (tree.Tree, error) {
	o := repo.TarOptions{Base: base, AutocreateParents: m.autoParents}
	if m.pathFilter != "" {
		var err error
		if o.Rename, err = parsePathFilter(m.pathFilter); err != nil {
			return tree.Tree{}, err
		}
	}
	in := m.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			if abs, absErr := filepath.Abs(path); absErr == nil {
				path = abs
			}
			return tree.Tree{}, fmt.Errorf("archive_read_open_filename: Failed to open '%s'", path)
		}
		defer f.Close()
		in = f
	}
	return tx.ImportTar(in, m.importOptions, o)
}

// parsePathFilter reads "REGEX,REPLACEMENT". Groups are \1 or \g<NAME> in the replacement, as
// GLib has it.
func parsePathFilter(text string) (func(string) string, error) {
	pattern, replacement, ok := strings.Cut(text, ",")
	if !ok {
		return nil, errors.New("Missing ',' in --tar-pathname-filter")
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("--tar-pathname-filter: %w", err)
	}
	replacement = strings.ReplaceAll(replacement, "$", "$$")
	replacement = regexp.MustCompile(`\\(?:\d|g<\w+>|\\)`).ReplaceAllStringFunc(replacement, func(s string) string {
		if s == `\\` {
			return `\`
		}
		return "${" + strings.TrimSuffix(strings.TrimPrefix(s[1:], "g<"), ">") + "}"
	})
	return func(p string) string { return re.ReplaceAllString(p, replacement) }, nil
}
