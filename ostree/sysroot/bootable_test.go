package sysroot

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

var (
	namedFile   = regexp.MustCompile(`/ostree/os-[0-9a-f]{64}/[^\s"']+`)
	namedTarget = regexp.MustCompile(`\bostree=([^\s"']+)`)
)

// checkBootable reads what the boot loader reads: each kernel, initramfs and deployment
// that is named there must be there and whole. Then it asks both programs, which must see
// the same. It returns what the C program says.
func (w *world) checkBootable(t *testing.T) string {
	t.Helper()
	w.checkBootFiles(t)
	s, err := Open(w.root(), options())
	must(t, err)
	defer s.Close()
	st, err := s.Load()
	must(t, err)
	var paths []string
	for _, d := range st.Deployments {
		if _, err := s.Repo().Commit(d.Checksum); err != nil {
			t.Error(err)
		}
		paths = append(paths, s.DeploymentPath(d))
	}
	status := w.status()
	if want := w.listed(status); !slices.Equal(paths, want) {
		t.Errorf("we see %q, the C program sees %q", paths, want)
	}
	return status
}

// bootFiles are what boot loaders read, below the directory of the world: boot entries,
// their own configuration, and what the programs of a test have installed.
var bootFiles = []string{"sysroot/boot/loader/entries/ostree-*.conf", "sysroot/boot/loader/grub.cfg", "sysroot/boot/loader/grub.cfg.efi", "sysroot/boot/loader/syslinux.cfg",
	"sysroot/boot/loader/uEnv.txt", "sysroot/boot/efi/EFI/vendor/grub.cfg", "record"}

// checkBootFiles is the first half of checkBootable.
func (w *world) checkBootFiles(t *testing.T) {
	t.Helper()
	read := 0
	for _, pattern := range bootFiles {
		files, err := filepath.Glob(filepath.Join(w.dir, pattern))
		must(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			must(t, err)
			kernels, targets := namedFile.FindAllString(string(text), -1), namedTarget.FindAllStringSubmatch(string(text), -1)
			if len(kernels) < len(targets) || len(targets) == 0 {
				t.Errorf("%s boots nothing:\n%s", file, text)
			}
			for _, k := range kernels {
				if _, err := os.Stat(filepath.Join(w.root(), "boot", k)); err != nil {
					t.Errorf("%s: %v", file, err)
				}
			}
			for _, m := range targets {
				w.checkTarget(t, m[1])
			}
			read++
		}
	}
	if read == 0 {
		t.Fatal("nothing to boot")
	}
}

// checkTarget checks the deployment that a kernel argument chooses.
func (w *world) checkTarget(t *testing.T, link string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(filepath.Join(w.root(), link))
	if err != nil {
		t.Error(err)
		return
	}
	for _, file := range []string{dir + ".origin", dir + "/usr/lib/os-release", dir + "/usr/bin/tool"} {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	if conf, err := os.ReadFile(dir + "/etc/conf"); err != nil || string(conf) != "changed" {
		t.Errorf("%s: /etc/conf is %q, %v", dir, conf, err)
	}
}
