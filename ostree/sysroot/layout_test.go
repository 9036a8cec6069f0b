package sysroot

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rpmostree/ostree/bootloader"
)

// bothDeploy deploys the head of the branch by both programs, in copies of w, and compares what
// there is then, or the errors: ours say, as newer releases do, where they come from.
func bothDeploy(t *testing.T, w *world) (ours *world, failed bool) {
	t.Helper()
	c, ours := w.clone(), w.clone()
	c.T, ours.T = t, t
	_, errC := c.tryC("admin", "deploy", "--sysroot="+c.root(), "--os=os", "os/main")
	s := ours.open()
	csum, err := s.Repo().ResolveRev("os/main")
	must(t, err)
	o := DeployOptions{Stateroot: "os", Commit: csum, Origin: NewOrigin("os/main")}
	st, err := s.Load()
	must(t, err)
	if m, ok := st.MergeDeployment("os"); ok {
		o.Merge = &m
	}
	_, _, err = s.Deploy(context.Background(), o)
	switch {
	case err == nil && errC == nil:
		compare(t, c, ours)
	case err == nil || errC == nil:
		t.Errorf("we say %v, the C program %v", err, errC)
	default:
		if _, said, _ := strings.Cut(errC.Error(), "error: "); !strings.HasSuffix(err.Error(), strings.TrimSpace(said)) {
			t.Errorf("we say %q, the C program %q", err, said)
		}
		if got := ours.status(); got != w.status() {
			t.Errorf("after an error there is\n%s", got)
		}
	}
	return ours, err != nil
}

// TestLayoutsLikeC deploys trees of all ages: with kernels in other places, and with /etc or
// /usr/etc or both.
func TestLayoutsLikeC(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := strings.Repeat("b", 64)
	const (
		modules = "usr/lib/modules/6.1.0/"
		older   = "usr/lib/ostree-boot/"
	)
	without := func(tree map[string]string) map[string]string {
		tree[modules+"vmlinuz"], tree[modules+"initramfs.img"] = "-", "-"
		return tree
	}
	for _, tt := range []struct {
		name   string
		tree   map[string]string
		fails  bool
		kernel string // of the boot entry
	}{
		{"usr/lib/ostree-boot", without(map[string]string{older + "vmlinuz-5.0-" + testSum: "k", older + "initramfs-5.0.img-" + testSum: "i"}), false, "os-" + testSum + "/vmlinuz-5.0"},
		{"with a device tree", without(map[string]string{older + "vmlinuz-5.0-" + testSum: "k", older + "initramfs-5.0.img-" + testSum: "i", older + "devicetree-5.0-" + testSum: "d"}), false, "os-" + testSum + "/vmlinuz-5.0"},
		{"boot", without(map[string]string{"boot/vmlinuz-5.0-" + testSum: "k", "boot/initramfs-5.0-" + testSum: "i"}), false, "os-" + testSum + "/vmlinuz-5.0"},
		{"both, the older with an initramfs", map[string]string{modules + "initramfs.img": "-", older + "vmlinuz-5.0-" + testSum: "k", older + "initramfs-5.0.img-" + testSum: "i"}, false, "os-" + testSum + "/vmlinuz-5.0"},
		{"both", map[string]string{older + "vmlinuz-5.0-" + testSum: "k", older + "initramfs-5.0.img-" + testSum: "i"}, false, "/vmlinuz-6.1.0"},
		{"an initramfs without a suffix", map[string]string{modules + "initramfs.img": "-", modules + "initramfs": "i"}, false, "/vmlinuz-6.1.0"},
		{"no initramfs", map[string]string{modules + "initramfs.img": "-"}, false, "/vmlinuz-6.1.0"},
		{"other initramfs", without(map[string]string{older + "vmlinuz-5.0-" + testSum: "k", older + "initramfs-5.0.img-" + other: "i"}), true, ""},
		{"other device tree", without(map[string]string{older + "vmlinuz-5.0-" + testSum: "k", older + "devicetree-5.0-" + other: "d"}), true, ""},
		{"no checksum", without(map[string]string{"boot/vmlinuz-5.0": "k"}), true, ""},
		{"no kernel", without(map[string]string{modules + "modules.dep": ""}), true, ""},
		{"a directory in place of the kernel", without(map[string]string{modules + "vmlinuz/": ""}), true, ""},
		{"etc and usr/etc", map[string]string{"etc/conf": "x"}, true, ""},
		{"neither etc", map[string]string{"usr/etc/conf": "-", "usr/etc/dir/file": "-", "usr/etc/link": "-", "usr/etc/secret": "-"}, false, "/vmlinuz-6.1.0"},
		{"os-release in etc", map[string]string{"usr/lib/os-release": "-", "usr/etc/os-release": "ID=id\n"}, false, "/vmlinuz-6.1.0"},
		{"no os-release", map[string]string{"usr/lib/os-release": "ANSI_COLOR=x\n"}, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := w.clone()
			w.T = t
			w.commit("1", tt.tree)
			ours, failed := bothDeploy(t, w)
			if failed != tt.fails {
				t.Fatalf("failed: %v", failed)
			}
			if failed {
				return
			}
			st, err := ours.open().Load()
			must(t, err)
			if linux, _ := st.Deployments[0].Entry.Get("linux"); !strings.HasSuffix(linux, tt.kernel) {
				t.Errorf("the kernel is %s", linux)
			}
		})
	}
}

// TestEmptyEtc deploys a tree with an empty /etc, which the C program of 2022 refuses.
func TestEmptyEtc(t *testing.T) {
	w := newWorld(t)
	w.deploy(w.open(), w.commit("1", map[string]string{"etc/": ""}), nil)
	if conf, err := os.ReadFile(w.deployments()[0] + "/etc/conf"); err != nil || string(conf) != "default" {
		t.Errorf("%q, %v", conf, err)
	}
}

// TestUpdatedStamps is about the files by which systemd knows that /etc and /var are up to date.
func TestUpdatedStamps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deploy(w.open(), w.commit("1", nil), nil)
	etc, state := w.deployments()[0]+"/etc", filepath.Join(w.root(), "ostree/deploy/os/var")
	plant(t, etc, map[string]string{".updated": "x", "conf": "changed"})
	plant(t, state, map[string]string{".updated": "x", "lib/file": "x"})
	w.commit("2", map[string]string{"usr/bin/tool": "2", "var/lib/of-the-tree": "x"})
	ours, _ := bothDeploy(t, w)
	for _, name := range []string{ours.deployments()[0] + "/etc/.updated", filepath.Join(ours.root(), "ostree/deploy/os/var/.updated"),
		filepath.Join(ours.root(), "ostree/deploy/os/var/lib/of-the-tree")} {
		if lexists(name) {
			t.Errorf("%s is there", name)
		}
	}
	if !lexists(ours.deployments()[1] + "/etc/.updated") {
		t.Error("the running system lost its stamp")
	}
}

// TestFirstVar fills the /var of a stateroot with what the first commit has, and with what older
// systems need.
func TestFirstVar(t *testing.T) {
	w := newWorld(t)
	state := filepath.Join(w.root(), "ostree/deploy/os/var")
	removeAll(t, state)
	must(t, os.Mkdir(state, 0o755))
	s := w.open()
	w.deploy(s, w.commit("1", map[string]string{"var/lib/file": "owner=3 mode=600 first"}), nil)
	w.deploy(s, w.commit("2", map[string]string{"var/lib/file": "second", "var/lib/other": "x"}), nil)
	got := dump(t, state)
	want := []string{
		`. 40755 0:0`, `.ostree-selabeled 100644 0:0 ""`, `lib 40755 0:0`, `lib/file 100600 3:3 "first"`, `lock 120777 0:0 -> ../run/lock`, `log 40755 0:0`,
		`run 120777 0:0 -> ../run`, `tmp 41777 0:0`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("there is\n%s", diffLines(want, got))
	}
}

// TestLoadErrorsLikeC loads broken sysroots by both programs.
func TestLoadErrorsLikeC(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.deploy(w.open(), w.commit("1", nil), nil)
	entry := "boot/loader.1/entries/ostree-1-os.conf"
	text, err := os.ReadFile(filepath.Join(w.root(), entry))
	must(t, err)
	links, err := filepath.Glob(filepath.Join(w.root(), "ostree/boot.1/os/*/0"))
	must(t, err)
	link, err := filepath.Rel(w.root(), links[0])
	must(t, err)
	for _, tt := range []struct {
		name    string
		remove  string
		plant   map[string]string
		differs string // what we say, if it is not what the C program says
	}{
		{"boot/loader is a directory", "boot/loader", map[string]string{"boot/loader/x": ""}, ""},
		{"boot/loader leads elsewhere", "boot/loader", map[string]string{"boot/loader": "-> loader.2"}, ""},
		{"ostree/boot.1 leads elsewhere", "ostree/boot.1", map[string]string{"ostree/boot.1": "-> boot.1.x"},
			"loading sysroot: Reading current subbootversion: Invalid target 'boot.1.x' in ostree/boot.1"},
		{"no entry", entry, nil, ""},
		{"another target", entry, map[string]string{entry: strings.Replace(string(text), "/ostree/boot.1/os/", "/ostree/boot.7/os/", 1)}, ""},
		{"an overlay", entry, map[string]string{entry: string(text) + "initrd /ostree/initramfs-overlays/x.img\n"}, ""},
		{"a strange name", link, map[string]string{link: "-> ../../../deploy/os/deploy/strange"}, ""},
		{"a broken origin", d.Path() + ".origin", map[string]string{d.Path() + ".origin": "x\n"}, "Parsing ostree/deploy/os/deploy/"},
		{"an origin that is not text", d.Path() + ".origin", map[string]string{d.Path() + ".origin": "[origin]\nrefspec=\xff\n"}, "Invalid UTF-8"},
		{"an origin by a link", d.Path() + ".origin", map[string]string{d.Path() + ".origin": "-> ../../../origin", "ostree/origin": "[origin]\nrefspec=x\n"}, ""},
		{"no origin", d.Path() + ".origin", nil, ""},
		{"a link to no origin", d.Path() + ".origin", map[string]string{d.Path() + ".origin": "-> ../../../origin"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := w.clone()
			w.T = t
			removeAll(t, filepath.Join(w.root(), tt.remove))
			plant(t, w.root(), tt.plant)
			_, errC := w.tryC("admin", "status", "--sysroot="+w.root())
			_, err := w.open().Load()
			if (err == nil) != (errC == nil) {
				t.Fatalf("we say %v, the C program %v", err, errC)
			}
			if err == nil {
				return
			}
			_, said, _ := strings.Cut(errC.Error(), "error: ")
			if said = strings.TrimSpace(said); tt.differs == "" && said != err.Error() || !strings.Contains(err.Error(), tt.differs) {
				t.Errorf("we say %q, the C program %q", err, said)
			}
		})
	}
}

// TestEntryOptions writes boot entries as the repository's configuration and the environment want
// them.
func TestEntryOptions(t *testing.T) {
	w := newWorld(t)
	set := func(key, value string) {
		config := w.open().Repo().Config()
		must(t, config.Set("sysroot", key, value))
		must(t, w.open().Repo().SetConfig(config))
	}
	names := func() []string {
		files, err := filepath.Glob(filepath.Join(w.root(), "boot/loader/entries/*"))
		must(t, err)
		for i, f := range files {
			files[i] = filepath.Base(f)
		}
		return files
	}
	want := func(list ...string) {
		t.Helper()
		if got := names(); !slices.Equal(got, list) {
			t.Errorf("entries %q, want %q", got, list)
		}
	}
	deploy := func(version string) *State {
		s := w.openWith(Options{SkipSync: true, MutableDeployments: true})
		_, st := w.deploy(s, w.commit(version, map[string]string{"usr/bin/tool": version}), nil)
		return st
	}
	deploy("1")
	want("ostree-1.conf")
	w.deploy(w.open(), w.commit("2", map[string]string{"usr/bin/tool": "2"}), nil)
	want("ostree-1-os.conf", "ostree-2-os.conf")
	set("boot-counting-tries", "3")
	deploy("3")
	want("ostree-1.conf", "ostree-2+3.conf") // what has booted already is not counted
	// A boot loader has tried it once.
	dir := filepath.Join(w.root(), "boot/loader/entries")
	must(t, os.Rename(filepath.Join(dir, "ostree-2+3.conf"), filepath.Join(dir, "ostree-2+2-1.conf")))
	deploy("4")
	want("ostree-1+2-1.conf", "ostree-2+3.conf")
	set("bootprefix", "true")
	st := deploy("5")
	for _, d := range st.Deployments {
		for _, key := range []string{"linux", "initrd"} {
			if v, _ := d.Entry.Get(key); !strings.HasPrefix(v, "/boot/ostree/os-") {
				t.Errorf("%s %s", key, v)
			}
		}
	}
	if n := len(w.deployments()); n != 2 {
		t.Errorf("the C program sees %d deployments", n)
	}
}

// TestSwitches is about the options of the environment.
func TestSwitches(t *testing.T) {
	for text, want := range map[string]Options{
		"":                              {},
		"skip-sync,no-early-prune":      {SkipSync: true, NoEarlyPrune: true},
		"bootloader-naming-1 Skip-Sync": {SkipSync: true, OldEntryNames: true},
		"skip":                          {},
	} {
		t.Setenv("OSTREE_SYSROOT_OPTS", text)
		if got := OptionsFromEnv(); got.SkipSync != want.SkipSync || got.NoEarlyPrune != want.NoEarlyPrune || got.OldEntryNames != want.OldEntryNames {
			t.Errorf("%q: %+v", text, got)
		}
	}
	t.Setenv("OSTREE_SYSROOT_DEBUG", "mutable-deployments:no-xattrs,no-dtb test-fifreeze")
	if got := OptionsFromEnv(); !got.MutableDeployments || !got.NoXattrs || !got.NoDeviceTree || !got.TestFreeze {
		t.Errorf("%+v", got)
	}
}

// TestFreezeGuard is about a death while /boot is frozen: a child process ends that, and says so.
func TestFreezeGuard(t *testing.T) {
	w := newWorld(t)
	csum := w.commit("1", nil)
	s := w.openWith(Options{MutableDeployments: true, TestFreeze: true})
	_, _, err := s.Deploy(t.Context(), DeployOptions{Stateroot: "os", Commit: csum})
	if err == nil || !strings.Contains(err.Error(), "During fsfreeze-thaw: aborting due to test-fifreeze") {
		t.Errorf("%v", err)
	}
	if lexists(filepath.Join(w.root(), "boot/loader")) {
		t.Error("the boot entries were switched")
	}
}

// TestLostRoot writes a list with a deployment that is not there.
func TestLostRoot(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	d, st := w.deploy(s, w.commit("1", nil), nil)
	gone := d
	gone.Serial = 7
	_, err := s.Write(t.Context(), st, []Deployment{gone, d}, WriteOptions{})
	if want := "Unable to find expected deployment root: " + s.DeploymentPath(gone); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if n := len(w.deployments()); n != 1 {
		t.Errorf("%d deployments", n)
	}
}

// TestImmutable deploys without the option that leaves the flag alone, and removes such a
// deployment.
func TestImmutable(t *testing.T) {
	oracle(t)
	w := newWorld(t)
	s := w.openWith(Options{SkipSync: true})
	t.Cleanup(func() { // or the test's directory cannot be removed
		dirs, _ := filepath.Glob(filepath.Join(w.root(), "ostree/deploy/os/deploy/*.?"))
		for _, dir := range dirs {
			if fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0); err == nil {
				_ = setImmutable(fd, false)
				unix.Close(fd)
			}
		}
	})
	d, _ := w.deploy(s, w.commit("1", nil), nil)
	fd, err := unix.Open(s.DeploymentPath(d), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	must(t, err)
	defer unix.Close(fd)
	flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	if err != nil || flags&immutableFlag == 0 {
		t.Skipf("the file system of tests has no flags: %x, %v", flags, err)
	}
	kargs := bootloader.ParseKargs("a")
	w.deploy(s, w.commit("2", map[string]string{"usr/bin/tool": "2"}), func(o *DeployOptions) { o.Kargs = &kargs })
	_, st := w.deploy(s, w.commit("3", map[string]string{"usr/bin/tool": "3"}), nil)
	if lexists(s.DeploymentPath(d)) || len(st.Deployments) != 2 {
		t.Error("the first deployment is still there")
	}
}
