package sysroot

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rpmostree/gvariant"
	"rpmostree/internal/dirfd"
	"rpmostree/internal/progress"
	"rpmostree/internal/treetest"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// oracle returns the program to compare with, and skips the test without it.
// The tests change owners and make hard links to foreign files: they need root.
func oracle(t *testing.T) string {
	t.Helper()
	treetest.NeedRoot(t)
	return treetest.Oracle(t, "ostree")
}

// A world is a directory with a sysroot.
type world struct {
	*testing.T
	dir     string
	repoDir string // of another repository than the sysroot's; ""
}

// tempDir is a directory in memory, if there is one that has attributes: the C
// program waits for the disk after each step.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "sysroot-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var st unix.Statfs_t
	if err := errors.Join(unix.Statfs(dir, &st), unix.Setxattr(dir, "user.test", nil, 0)); err != nil || st.Bavail*uint64(st.Bsize) < 256<<20 {
		return t.TempDir()
	}
	return dir
}

func newWorld(t *testing.T) *world {
	oracle(t)
	w := &world{T: t, dir: tempDir(t)}
	if err := os.Mkdir(w.root(), 0o755); err != nil {
		t.Fatal(err)
	}
	must(t, InitFS(w.root(), 0))
	s := w.open()
	must(t, s.InitStateroot("os"))
	fillVar(t, s)
	config := s.Repo().Config()
	config.Set("core", "fsync", "false") // tests wait for the disk most of the time
	must(t, s.Repo().SetConfig(config))
	return w
}

// fillVar does what the C program of 2022 does when it makes a stateroot; ours leaves it to the
// first deployment, as libostree does now.
func fillVar(t *testing.T, s *Sysroot) {
	dir, err := s.ostree.Open("deploy/os/var")
	must(t, err)
	defer dir.Close()
	must(t, legacyVar(dir))
}

func (w *world) root() string { return filepath.Join(w.dir, "sysroot") }
func (w *world) repo() string { return cmp.Or(w.repoDir, filepath.Join(w.root(), "ostree/repo")) }

// c runs the C program and returns its standard output.
func (w *world) c(args ...string) string {
	w.Helper()
	out, err := w.tryC(args...)
	if err != nil {
		w.Fatalf("ostree %q: %v", args, err)
	}
	return out
}

func (w *world) tryC(args ...string) (string, error) {
	cmd := exec.Command(treetest.Oracle(w.T, "ostree"), args...)
	cmd.Env = append(os.Environ(), "OSTREE_SYSROOT_OPTS=skip-sync", "OSTREE_SYSROOT_DEBUG=mutable-deployments", "LC_ALL=C.UTF-8")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, stderr.String())
	}
	return string(out), err
}

// options are those that make our results comparable with the C program's.
func options() Options {
	return Options{SkipSync: true, MutableDeployments: true, OldEntryNames: true}
}

func (w *world) open() *Sysroot {
	w.Helper()
	return w.openWith(options())
}

func (w *world) openWith(o Options) *Sysroot {
	w.Helper()
	s, err := Open(w.root(), o)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { s.Close() })
	return s
}

// baseTree is a small OS; entries of a commit are laid over it.
var baseTree = map[string]string{
	"usr/lib/modules/6.1.0/vmlinuz":       "kernel",
	"usr/lib/modules/6.1.0/initramfs.img": "initramfs",
	"usr/lib/os-release":                  "ID=test\nPRETTY_NAME=\"A test OS\"\n",
	"usr/bin/tool":                        "mode=755 tool",
	"usr/etc/conf":                        "default",
	"usr/etc/dir/file":                    "default",
	"usr/etc/link":                        "-> conf",
	"usr/etc/secret":                      "mode=600 secret",
	"var/":                                "",
	"boot/":                               "",
	"sysroot/":                            "",
	"ostree":                              "-> sysroot/ostree",
}

// commit commits baseTree with changes to the branch os/main. "-" removes.
func (w *world) commit(version string, changes map[string]string) ostree.Checksum {
	w.Helper()
	dir := filepath.Join(w.dir, "tree")
	tree := maps.Clone(baseTree)
	for name, content := range changes {
		tree[name] = content
		if content == "-" {
			delete(tree, name)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		w.Fatal(err)
	}
	plant(w.T, dir, tree)
	csum, err := w.commitDir(dir, version)
	must(w.T, err)
	return csum
}

// commitDir commits a directory as the C program would; it takes a while to start that.
func (w *world) commitDir(dir, version string) (ostree.Checksum, error) {
	var none ostree.Checksum
	r, err := repo.Open(w.repo())
	if err != nil {
		return none, err
	}
	defer r.Close()
	tx, err := r.Begin(context.Background(), repo.TransactionOptions{})
	if err != nil {
		return none, err
	}
	defer tx.Abort()
	t, err := tx.ImportDir(dir, repo.ImportOptions{})
	if err != nil {
		return none, err
	}
	root, meta, err := t.Write(tx)
	if err != nil {
		return none, err
	}
	parent, err := r.ResolveRev("os/main")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return none, err
	}
	var d gvariant.Dict
	d.Set(ostree.KeyVersion, gvariant.String(version))
	d.Set(ostree.KeyRefBinding, gvariant.Strings([]string{"os/main"}))
	csum, err := tx.WriteCommit(&ostree.Commit{Metadata: d.Value(), Parent: parent, Timestamp: 1704067200, Tree: root, Meta: meta})
	if err != nil {
		return none, err
	}
	if err := tx.SetRef("", "os/main", csum); err != nil {
		return none, err
	}
	_, err = tx.Commit()
	return csum, err
}

// plant makes files: "name/" is a directory, "-> x" a link, "mode=755 x" and
// "owner=5 x" say more about a file.
func plant(t *testing.T, dir string, tree map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		at, content := filepath.Join(dir, name), tree[name]
		mode, owner, xattr := os.FileMode(0o644), 0, ""
		if strings.HasSuffix(name, "/") {
			mode = 0o755
		}
		for {
			word, rest, _ := strings.Cut(content, " ")
			if _, err := fmt.Sscanf(word, "mode=%o", &mode); err == nil {
				content = rest
			} else if _, err := fmt.Sscanf(word, "owner=%d", &owner); err == nil {
				content = rest
			} else if _, err := fmt.Sscanf(word, "xattr=%s", &xattr); err == nil {
				content = rest
			} else {
				break
			}
		}
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		target, isLink := strings.CutPrefix(content, "-> ")
		switch {
		case strings.HasSuffix(name, "/"):
			must(t, os.MkdirAll(at, 0o755))
		case isLink:
			must(t, os.RemoveAll(at))
			must(t, os.Symlink(target, at))
			must(t, os.Lchown(at, owner, owner))
			continue
		case content == "fifo":
			must(t, unix.Mkfifo(at, 0o644))
		default:
			_ = os.Remove(at) // never write through a hard link
			must(t, os.WriteFile(at, []byte(content), 0o644))
		}
		must(t, os.Chown(at, owner, owner))
		must(t, os.Chmod(at, mode))
		if xattr != "" {
			must(t, unix.Setxattr(at, "user.test", []byte(xattr), 0))
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dump describes a tree, a line for each file.
func dump(t *testing.T, root string) []string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil || skipInDump(rel) {
			return err
		}
		line, err := describe(p)
		lines = append(lines, rel+" "+line)
		return err
	})
	must(t, err)
	return lines
}

func describe(p string) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(p, &st); err != nil {
		return "", err
	}
	line := fmt.Sprintf("%o %d:%d", st.Mode, st.Uid, st.Gid)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		b, err := os.ReadFile(p)
		if err != nil {
			return "", err
		}
		if len(b) > 200 {
			b = fmt.Appendf(nil, "%x", sha256.Sum256(b))
		}
		line += fmt.Sprintf(" %q", b)
	case unix.S_IFLNK:
		target, err := os.Readlink(p)
		if err != nil {
			return "", err
		}
		line += " -> " + target
	}
	dir, err := dirfd.Open(path.Dir(p))
	if err != nil {
		return "", err
	}
	defer dir.Close()
	xattrs, err := dir.Xattrs(path.Base(p))
	for _, x := range xattrs {
		line += fmt.Sprintf(" %s=%q", x.Name, x.Value)
	}
	return line, err
}

// skipInDump leaves out what differs between versions of the C program, or
// between runs: directories for overlays, lock files, and the state of
// transactions.
func skipInDump(rel string) bool {
	switch {
	case strings.HasPrefix(rel, "ostree/repo/tmp"), strings.HasPrefix(rel, "ostree/repo/state"),
		rel == "ostree/repo/.lock", rel == "ostree/lock",
		strings.Contains(rel, "/backing"):
		return true
	}
	return false
}

// diffLines returns the lines that are in one list only.
func diffLines(want, got []string) string {
	var b strings.Builder
	for _, l := range want {
		if !slices.Contains(got, l) {
			b.WriteString("- " + l + "\n")
		}
	}
	for _, l := range got {
		if !slices.Contains(want, l) {
			b.WriteString("+ " + l + "\n")
		}
	}
	return b.String()
}

// clone copies the world, hard links and all, so that both programs can start
// from the same state.
func (w *world) clone() *world {
	w.Helper()
	c := &world{T: w.T, dir: tempDir(w.T)}
	if out, err := exec.Command("cp", "-a", w.root(), c.root()).CombinedOutput(); err != nil {
		w.Fatalf("%v: %s", err, out)
	}
	return c
}

// compareFiles fails if the sysroots differ.
func compareFiles(t *testing.T, c, ours *world) {
	t.Helper()
	if d := diffLines(dump(t, c.root()), dump(t, ours.root())); d != "" {
		t.Errorf("- only by the C program, + only by us:\n%s", d)
	}
}

// compare fails if the sysroots differ, or what the C program makes of them.
func compare(t *testing.T, c, ours *world) {
	t.Helper()
	compareFiles(t, c, ours)
	if got, want := ours.status(), c.status(); got != want {
		t.Errorf("status\n%s\nwant\n%s", got, want)
	}
	ours.c("--repo="+ours.repo(), "fsck", "--quiet")
}

// recorder keeps messages.
type recorder struct{ lines []string }

func (r *recorder) Message(text string)        { r.lines = append(r.lines, text) }
func (r *recorder) Begin(string) progress.Task { return progress.Discard.Begin("") }

// deploy deploys with our code, with the kernel arguments given as edits.
func (w *world) deploy(s *Sysroot, csum ostree.Checksum, change func(*DeployOptions)) (Deployment, *State) {
	w.Helper()
	st, err := s.Load()
	must(w.T, err)
	o := DeployOptions{Stateroot: "os", Commit: csum, Origin: NewOrigin("os/main")}
	if m, ok := st.MergeDeployment("os"); ok {
		o.Merge = &m
	}
	if change != nil {
		change(&o)
	}
	unlock, err := s.Lock(context.Background())
	must(w.T, err)
	defer unlock()
	d, next, err := s.Deploy(context.Background(), o)
	must(w.T, err)
	return d, next
}

func removeAll(t *testing.T, path string) {
	t.Helper()
	must(t, os.RemoveAll(path))
}

func isDirectory(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && st.IsDir()
}
