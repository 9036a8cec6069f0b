package repo

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"rpmostree/internal/treetest"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

// reflinkDir mounts a file system that can share blocks.
func reflinkDir(t *testing.T) string {
	t.Helper()
	treetest.NeedRoot(t)
	treetest.Oracle(t, "mkfs.xfs")
	image, dir := filepath.Join(t.TempDir(), "image"), t.TempDir()
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	err = f.Truncate(320 << 20)
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	treetest.Run(t, "mkfs.xfs", "-q", "-m", "reflink=1", image)
	if out, err := exec.Command("mount", "-o", "loop", image, dir).CombinedOutput(); err != nil {
		treetest.Skip(t, "cannot mount a file of its own: ", err, ": ", string(out))
	}
	t.Cleanup(func() { unix.Unmount(dir, 0) })
	return dir
}

func TestPayloadLinks(t *testing.T) {
	dir := reflinkDir(t)
	for _, mode := range []Mode{Bare, BareUser, BareUserOnly} {
		t.Run(mode.String(), func(t *testing.T) {
			r, err := Init(filepath.Join(dir, mode.String()), InitOptions{Mode: mode})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			k := r.Config()
			k.Set("core", "payload-link-threshold", "3")
			if err := r.SetConfig(k); err != nil {
				t.Fatal(err)
			}
			src := filepath.Join(dir, "src")
			writeFiles(t, src, "small", "ab", "large", "abc", "twin", "abc")
			if err := os.Chmod(filepath.Join(src, "twin"), 0o755); err != nil {
				t.Fatal(err)
			}
			commitDir(t, r, "x", src, ImportOptions{})
			if n := countPayloadLinks(t, r); n != 1 {
				t.Errorf("%d payload links", n)
			}
			commitDir(t, r, "x", src, ImportOptions{CanonicalPermissions: true})
			fsckClean(t, r)
			cOstree(t, r.Path(), "fsck", "-q")
			if _, err := r.Prune(t.Context(), PruneOptions{}); err != nil || countPayloadLinks(t, r) != 1 {
				t.Errorf("prune: %v, %d payload links", err, countPayloadLinks(t, r))
			}
			os.RemoveAll(src)
			writeFiles(t, src, "other", "x")
			commitDir(t, r, "x", src, ImportOptions{})
			if _, err := r.Prune(t.Context(), PruneOptions{RefsOnly: true, Depth: new(0)}); err != nil || countPayloadLinks(t, r) != 0 {
				t.Errorf("prune: %v, %d payload links", err, countPayloadLinks(t, r))
			}
			os.RemoveAll(src)
		})
	}
}

// countPayloadLinks counts them, and the ones that name no object as errors.
func countPayloadLinks(t *testing.T, r *Repo) int {
	t.Helper()
	n := 0
	err := r.EachObject(func(name ostree.ObjectName) error {
		if name.Type != ostree.ObjectPayloadLink {
			return nil
		}
		n++
		sum, err := readPayloadLink(r.object.FD(), r.loosePath(name.Type, name.Checksum))
		if err != nil {
			return err
		}
		ok, err := r.Has(ostree.ObjectFile, sum)
		if !ok {
			t.Errorf("%s names %s, which is not there", name, sum)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
