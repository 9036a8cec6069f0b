package ostree

import (
	"os/exec"
	"path/filepath"
	"testing"

	"rpmostree/internal/treetest"
)

// program reads a repository through the GObject bindings of libostree.
const program = `
import sys, gi
gi.require_version("OSTree", "1.0")
from gi.repository import Gio, GLib, OSTree
path, dest = sys.argv[1:]
repo = OSTree.Repo.new(Gio.File.new_for_path(path))
repo.open(None)
print("mode", repo.get_mode().value_nick)
_, refs = repo.list_refs(None, None)
print("refs", sorted(refs))
_, root, commit = repo.read_commit("main", None)
_, v, state = repo.load_commit(commit)
print("subject", v[3], "version", v[0]["version"], "time", OSTree.commit_get_timestamp(v), "parent", OSTree.commit_get_parent(v) is not None)
def walk(f):
    e = f.enumerate_children("standard::*,unix::*", Gio.FileQueryInfoFlags.NOFOLLOW_SYMLINKS, None)
    for info in sorted(e, key=lambda i: i.get_name()):
        child = f.get_child(info.get_name())
        print("file", child.get_path(), info.get_file_type().value_nick, oct(info.get_attribute_uint32("unix::mode")), info.get_size(), info.get_symlink_target())
        if info.get_file_type() == Gio.FileType.DIRECTORY:
            walk(child)
walk(root)
data = root.resolve_relative_path("sub/b").load_contents(None)[1]
print("content", data)
_, meta, = repo.read_commit_detached_metadata(commit, None)
print("detached", meta["k"])
print("deltas", len(repo.list_static_delta_names(None)[1]))
with open(path + "/summary", "rb") as f:
    summary = GLib.Variant.new_from_bytes(GLib.VariantType.new("(a(s(taya{sv}))a{sv})"), GLib.Bytes.new(f.read()), False)
print("summary", [r[0] for r in summary[0]], sorted(summary[1].keys()))
opts = OSTree.RepoCheckoutAtOptions()
opts.mode = OSTree.RepoCheckoutMode.USER
repo.checkout_at(opts, -100, dest, commit, None)
print("objects", len(repo.traverse_commit(commit, -1, None)[1]))
`

// The bindings see in our repository what they see in one of the C tool.
func TestGObject(t *testing.T) {
	c := needC(t)
	if err := exec.Command("/usr/bin/python3", "-c", "import gi; gi.require_version('OSTree', '1.0')").Run(); err != nil {
		treetest.Skip(t, "needs the bindings: ", err)
	}
	for _, mode := range []string{"archive", "bare-user"} {
		dir := t.TempDir()
		sampleTree(t, filepath.Join(dir, "t"))
		commands := [][]string{
			{"init", "--mode=" + mode}, {"commit", "-b", "main", "-s", "one", "t/sub", "--timestamp=@1000000000", "--canonical-permissions"},
			{"commit", "-b", "main", "-s", "two", "t", "--timestamp=@1000000001", "--add-metadata-string=version=42", "--add-detached-metadata-string=k=v", "--canonical-permissions", "--no-xattrs"},
			{"refs", "--create=other/x", "main^"}, {"static-delta", "generate", "main"}, {"summary", "-u"},
		}
		var seen [2]string
		for i, name := range []string{"ours", "theirs"} {
			for _, args := range commands {
				args = append([]string{"--repo=" + name}, args...)
				run := func() (string, int) { return theirs(t, c, dir, args...) }
				if name == "ours" {
					run = func() (string, int) { return ours(t, dir, args...) }
				}
				if out, status := run(); status != 0 {
					t.Fatalf("%q: %s", args, out)
				}
			}
			out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", program, filepath.Join(dir, name), filepath.Join(dir, name+"-checkout")).Output()
			if err != nil {
				t.Fatalf("%s %s: %v\n%s", mode, name, err, out)
			}
			seen[i] = string(out)
		}
		if seen[0] != seen[1] {
			t.Errorf("%s: ours\n%s\ntheirs\n%s", mode, seen[0], seen[1])
		}
		if out, err := exec.Command("diff", "-r", "--no-dereference", filepath.Join(dir, "ours-checkout"), filepath.Join(dir, "t")).CombinedOutput(); err != nil {
			t.Errorf("%s: checkout differs: %s", mode, out)
		}
	}
}
