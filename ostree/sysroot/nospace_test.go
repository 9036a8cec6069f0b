package sysroot

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBootFull deploys to a /boot of 4 MiB of a system that does not run: nothing
// is removed early there. What does not fit changes nothing, what fits afterwards
// is deployed.
func TestBootFull(t *testing.T) {
	oracle(t)
	if !inOwnMounts(t) {
		return
	}
	w := newWorld(t)
	boot := filepath.Join(w.root(), "boot")
	must(t, unix.Mount("boot", boot, "tmpfs", 0, "size=4m"))
	t.Cleanup(func() { _ = unix.Unmount(boot, unix.MNT_DETACH) })
	s := w.open()
	kernel := func(c string, size int) map[string]string {
		return map[string]string{"usr/lib/modules/6.1.0/vmlinuz": strings.Repeat(c, size)}
	}
	w.deploy(s, w.commit("1", kernel("a", 3<<20)), nil)
	plant(t, w.deployments()[0]+"/etc", map[string]string{"conf": "changed"})
	before := w.deployments()
	for _, size := range []int{3 << 20, 5 << 20} {
		csum := w.commit("2", kernel("b", size))
		st, err := s.Load()
		must(t, err)
		merge := st.Deployments[0]
		_, _, err = s.Deploy(t.Context(), DeployOptions{Stateroot: "os", Commit: csum, Merge: &merge})
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatalf("a kernel of %d bytes: %v", size, err)
		}
		if got := w.deployments(); !slices.Equal(got, before) {
			t.Errorf("deployments %q, before %q", got, before)
		}
		w.checkBootable(t)
	}
	csum := w.commit("3", kernel("c", 1<<19))
	w.deploy(s, csum, nil)
	w.checkBootable(t)
	if got := w.deployments(); len(got) != 2 || filepath.Base(got[0]) != csum.String()+".0" {
		t.Errorf("deployments %q", got)
	}
	// Nothing is left of the ones that failed.
	names, err := os.ReadDir(filepath.Join(boot, "ostree"))
	if must(t, err); len(names) != 2 {
		t.Errorf("kernels %v", names)
	}
	w.c("--repo="+w.repo(), "fsck", "--quiet")
}

// TestEFIFull deploys where the EFI system partition has no room for GRUB's configuration.
func TestEFIFull(t *testing.T) {
	oracle(t)
	if !inOwnMounts(t) {
		return
	}
	w := newRecordScene(t, "grub2")
	efi := filepath.Join(w.root(), "boot/efi")
	config := filepath.Join(efi, "EFI/vendor/grub.cfg")
	text, err := os.ReadFile(config)
	must(t, err)
	must(t, os.RemoveAll(filepath.Join(efi, "EFI")))
	must(t, unix.Mount("efi", efi, "tmpfs", 0, "size=32k"))
	t.Cleanup(func() { _ = unix.Unmount(efi, unix.MNT_DETACH) })
	plant(t, efi, map[string]string{"EFI/vendor/grub.cfg": string(text)})
	var free unix.Statfs_t
	must(t, unix.Statfs(efi, &free))
	must(t, os.WriteFile(filepath.Join(efi, "filler"), make([]byte, int64(free.Bavail)*free.Bsize), 0o644))
	status := w.status()
	for i, name := range []string{"new", "old"} { // with room for i of the two files
		must(t, os.Truncate(filepath.Join(efi, "filler"), (int64(free.Bavail)-int64(i))*free.Bsize))
		before := dump(t, efi)
		if err := beVictim("deploy", w.dir); !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "boot/efi/EFI/vendor/grub.cfg."+name+": ") {
			t.Fatalf("on a full partition: %v", err)
		}
		if d := diffLines(before, dump(t, efi)); d != "" {
			t.Errorf("changed on the partition:\n%s", d)
		}
		if got := w.checkBootable(t); got != status {
			t.Errorf("there is\n%s\nbefore\n%s", got, status)
		}
	}
	must(t, os.Remove(filepath.Join(efi, "filler")))
	w.do("deploy")
	w.checkBootable(t)
	if got, err := os.ReadFile(config); err != nil || string(got) == string(text) {
		t.Errorf("the configuration is %v,\n%s", err, got)
	}
}

// TestRootFull deploys to a file system that has room for the new commit, but not for
// the copy of its /etc.
func TestRootFull(t *testing.T) {
	oracle(t)
	if !inOwnMounts(t) {
		return
	}
	w := newWorld(t)
	small := t.TempDir()
	must(t, unix.Mount("small", small, "tmpfs", 0, "size=32m"))
	t.Cleanup(func() { _ = unix.Unmount(small, unix.MNT_DETACH) })
	must(t, exec.Command("cp", "-a", w.dir+"/.", small).Run())
	w.dir = small
	s := w.open()
	w.deploy(s, w.commit("1", nil), nil)
	plant(t, w.deployments()[0]+"/etc", map[string]string{"conf": "changed"})
	before := w.deployments()
	csum := w.commit("2", map[string]string{"usr/etc/large": strings.Repeat("x", 4<<20)})
	var free unix.Statfs_t
	must(t, unix.Statfs(small, &free))
	filler := filepath.Join(small, "filler")
	must(t, os.WriteFile(filler, make([]byte, int64(free.Bavail)*free.Bsize-2<<20), 0o644))

	st, err := s.Load()
	must(t, err)
	merge := st.Deployments[0]
	_, _, err = s.Deploy(t.Context(), DeployOptions{Stateroot: "os", Commit: csum, Merge: &merge})
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("on a full file system: %v", err)
	}
	if got := w.deployments(); !slices.Equal(got, before) {
		t.Errorf("deployments %q, before %q", got, before)
	}
	w.checkBootable(t)

	must(t, os.Remove(filler))
	w.deploy(s, csum, nil)
	w.checkBootable(t)
	names, err := filepath.Glob(filepath.Join(w.root(), "ostree/deploy/os/deploy/*"))
	if must(t, err); len(names) != 4 { // two deployments and their origins
		t.Errorf("there is %q", names)
	}
	w.c("--repo="+w.repo(), "fsck", "--quiet")
}
