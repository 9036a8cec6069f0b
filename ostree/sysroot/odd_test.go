package sysroot

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rpmostree/ostree/bootloader"
)

// TestOddEntries loads a sysroot whose boot entry others have changed. What cannot be read is an
// error that names the file, and nothing is changed.
func TestOddEntries(t *testing.T) {
	w := newWorld(t)
	w.deploy(w.open(), w.commit("1", nil), nil)
	entry := filepath.Join(w.root(), "boot/loader/entries/ostree-1-os.conf")
	text, err := os.ReadFile(entry)
	must(t, err)
	link := "ostree=/ostree/boot.1/os/"
	if !strings.Contains(string(text), link) {
		t.Fatalf("entry\n%s", text)
	}
	for _, tt := range []struct {
		name   string
		change func(text string) string // of the entry
		extra  map[string]string        // beside it
		err    string
		c      bool // the C program reads it, too
	}{
		{"CR LF", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }, nil, "", false},
		{"no line break at the end", func(s string) string { return strings.TrimSuffix(s, "\n") }, nil, "", true},
		{"a comment and a long line", func(s string) string { return "# x\n" + s + "x-long " + strings.Repeat("y", 1<<16) + "\n" }, nil, "", true},
		{"an open quotation", func(s string) string { return strings.Replace(s, link, `a="b `+link, 1) }, nil, "", true},
		{"two targets", func(s string) string {
			return strings.Replace(s, "\nlinux ", " ostree=/ostree/boot.0/os/x/7\nlinux ", 1)
		}, nil, "", true},
		{"a link", func(s string) string { return s }, map[string]string{"target": string(text), "ostree-1-os.conf": "-> target"}, "", true},
		{"a link out of /boot", func(s string) string { return s }, map[string]string{"ostree-1-os.conf": "-> ../../../../../../../../../etc/hostname"},
			"Parsing ostree-1-os.conf: ", false},
		{"a directory and a pipe", func(s string) string { return s }, map[string]string{"ostree-2-os.conf/": "", "ostree-3-os.conf": "fifo"}, "", true},
		{"other loaders' entries", func(s string) string { return s }, map[string]string{"memtest.conf": "title x\n", "ostree-1.conf~": "x"}, "", true},
		{"no target", func(s string) string { return strings.ReplaceAll(s, "ostree=", "ostree:") }, nil, "No ostree= kernel argument found", false},
		{"not text", func(s string) string { return s + "\x00" }, nil, "Parsing ostree-1-os.conf: boot entry ostree-1-os.conf is not UTF-8 text", false},
		{"endless", func(s string) string { return s + strings.Repeat("x", bootloader.MaxEntrySize) }, nil, "is larger than 1048576 bytes", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := w.clone()
			w.T = t
			dir := filepath.Join(w.root(), "boot/loader/entries")
			must(t, os.WriteFile(filepath.Join(dir, "ostree-1-os.conf"), []byte(tt.change(string(text))), 0o644))
			plant(t, dir, tt.extra)
			before := dump(t, w.root())
			st, err := w.open().Load()
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%v, want %s", err, tt.err)
				}
			} else if err != nil || len(st.Deployments) != 1 {
				t.Fatalf("%v, %+v", err, st)
			}
			if d := diffLines(before, dump(t, w.root())); d != "" {
				t.Errorf("changed:\n%s", d)
			}
			if tt.c && len(w.deployments()) != 1 {
				t.Error("the C program does not see the deployment")
			}
		})
	}
}

// TestOddEntryGoesOn deploys on top of a boot entry with CR LF: the arguments are inherited
// as they were meant.
func TestOddEntryGoesOn(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	kargs := bootloader.ParseKargs("root=x quiet")
	w.deploy(s, w.commit("1", nil), func(o *DeployOptions) { o.Kargs = &kargs })
	entry := filepath.Join(w.root(), "boot/loader/entries/ostree-1-os.conf")
	text, err := os.ReadFile(entry)
	must(t, err)
	must(t, os.WriteFile(entry, []byte(strings.ReplaceAll(string(text), "\n", "\r\n")), 0o644))
	_, st := w.deploy(s, w.commit("2", map[string]string{"usr/bin/tool": "2"}), nil)
	if k := st.Deployments[0].Kargs().String(); !strings.HasPrefix(k, "root=x quiet ostree=") || strings.Contains(k, "\r") {
		t.Errorf("kernel arguments %q", k)
	}
	if n := len(w.deployments()); n != 2 {
		t.Errorf("the C program sees %d deployments", n)
	}
}

// TestLostPlace loads a sysroot where a link leads to a deployment at another place than that of
// its stateroot: a cleanup would remove it.
func TestLostPlace(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	must(t, s.InitStateroot("other"))
	d, _ := w.deploy(s, w.commit("1", nil), nil)
	deploy := filepath.Join(w.root(), "ostree/deploy")
	must(t, os.Mkdir(filepath.Join(deploy, "other/deploy"), 0o755))
	must(t, os.Rename(filepath.Join(deploy, "os/deploy", d.Name()), filepath.Join(deploy, "other/deploy", d.Name())))
	links, err := filepath.Glob(filepath.Join(w.root(), "ostree/boot.?.?/os/*/0"))
	must(t, err)
	must(t, os.Remove(links[0]))
	must(t, os.Symlink("../../../deploy/other/deploy/"+d.Name(), links[0]))
	if _, err := s.Load(); err == nil || !strings.Contains(err.Error(), "the link leads to ../../../deploy/other/deploy/"+d.Name()) {
		t.Errorf("%v", err)
	}
}

// TestOddArguments deploys with kernel arguments, and in stateroots, that would not be read back:
// the machine could not be told what it boots.
func TestOddArguments(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	csum := w.commit("1", nil)
	w.deploy(s, csum, nil)
	before := w.status()
	for _, tt := range []struct{ osname, kargs, err string }{
		{"os", "a=b\nlinux /evil", "kernel arguments contain a line break or NUL byte"},
		{"os", "a\x00", "kernel arguments contain a line break or NUL byte"},
		{"os", `a="b`, "kernel arguments contain a quotation mark that is not closed"},
		{"my os", "", `invalid stateroot name "my os"`},
		{`o"s`, "", `invalid stateroot name "o\"s"`},
		{"o\tS", "", `invalid stateroot name "o\tS"`},
		{"..", "", `invalid stateroot name ".."`},
	} {
		k := bootloader.ParseKargs(tt.kargs)
		_, _, err := s.Deploy(context.Background(), DeployOptions{Stateroot: tt.osname, Commit: csum, Kargs: &k})
		if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q %q: %v, want %s", tt.osname, tt.kargs, err, tt.err)
		}
		if tt.osname != "os" && s.InitStateroot(tt.osname) == nil {
			t.Errorf("the stateroot %q was made", tt.osname)
		}
	}
	if after := w.status(); after != before {
		t.Errorf("there is\n%s\nbefore\n%s", after, before)
	}
	must(t, s.InitStateroot("o\u00a0s"))
	w.checkKargs(s, `= a= q="x y" "z w" =b`)
}

// checkKargs sets kernel arguments and looks whether both programs find them.
func (w *world) checkKargs(s *Sysroot, line string) {
	w.Helper()
	st, err := s.Load()
	must(w.T, err)
	st, err = s.SetKargs(context.Background(), st, st.Deployments[0], bootloader.ParseKargs(line))
	must(w.T, err)
	if k := st.Deployments[0].Kargs().String(); !strings.HasPrefix(k, line+" ostree=") {
		w.Errorf("kernel arguments %q", k)
	}
	if n := len(w.deployments()); n != len(st.Deployments) {
		w.Errorf("the C program sees %d deployments", n)
	}
}

// TestInheritedOpenQuotation deploys and stages on top of an entry, which others have written, with
// a quotation mark that is not closed.
func TestInheritedOpenQuotation(t *testing.T) {
	for _, line := range []string{`root=x a="b c $1`, `root=x $1 a="b c`} {
		w := newBootedWorld(t)
		entry := filepath.Join(w.root(), "boot/loader/entries/ostree-1-os.conf")
		text, err := os.ReadFile(entry)
		must(t, err)
		options := regexp.MustCompile(`root=x quiet (ostree=\S+)`)
		must(t, os.WriteFile(entry, []byte(options.ReplaceAllString(string(text), line)), 0o644))
		w.commit("2", map[string]string{"usr/bin/tool": "2"})
		w.stage(nil)
		must(t, w.s.FinalizeStaged(w.ctx))
		for i, given := range []bool{false, true} {
			st := w.load()
			link, _ := ostreeArg(st.Deployments[0].Entry)
			if k := st.Deployments[0].Kargs().String(); k != "root=x ostree="+link+` a="b c` {
				t.Errorf("kernel arguments %s", k)
			}
			if n := len(w.deployments()); n != 2 {
				t.Errorf("the C program sees %d deployments", n)
			}
			csum := w.commit("3", map[string]string{"usr/bin/tool": "3", "usr/lib/modules/6.1.0/vmlinuz": strings.Repeat("x", i)})
			w.deploy(w.s, csum, func(o *DeployOptions) {
				if given {
					kargs := o.Merge.Kargs()
					o.Kargs = &kargs
				}
			})
		}
		st := w.load()
		if _, err := w.s.SetKargs(w.ctx, st, st.Deployments[0], st.Deployments[0].Kargs()); err == nil {
			t.Error("given by the user, the arguments are not refused")
		}
	}
}

// TestOddBoot cleans up a /boot in which others keep things, too.
func TestOddBoot(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	w.deploy(s, w.commit("1", nil), nil)
	keep := map[string]string{
		"boot/ostree/os-" + testSum: "a file", "boot/ostree/x-" + strings.Repeat("a", 64): "-> /", "boot/ostree/notes/file": "x", "boot/ostree/-": "x",
		"boot/ostree/initramfs-overlays/dir/file": "x", "boot/loader.0.bak/entries/ostree-1.conf": "x", "ostree/boot.2/x": "x",
	}
	plant(t, w.root(), keep)
	plant(t, w.root(), map[string]string{"boot/ostree/os-" + strings.Repeat("b", 64) + "/vmlinuz": "garbage"})
	st, err := s.Load()
	must(t, err)
	must(t, s.Cleanup(context.Background(), st))
	for name := range keep {
		if !lexists(filepath.Join(w.root(), name)) {
			t.Errorf("%s is gone", name)
		}
	}
	if lexists(filepath.Join(w.root(), "boot/ostree/os-"+strings.Repeat("b", 64))) {
		t.Error("a kernel that nothing needs is still there")
	}
}

// TestQuotedTarget deploys, stages and changes kernel arguments with ostree= within quotation marks: it
// is not what the initramfs finds.
func TestQuotedTarget(t *testing.T) {
	const given = `root=x a="b ostree=/y" c`
	w := newBootedWorld(t)
	check := func(when string) {
		t.Helper()
		st := w.load()
		link, _ := ostreeArg(st.Deployments[0].Entry)
		if k := st.Deployments[0].Kargs().String(); k != "root=x ostree="+link+` a="b ostree=/y" c` {
			t.Errorf("%s: kernel arguments %s", when, k)
		}
		if n := len(w.deployments()); n != len(st.Deployments) {
			t.Errorf("%s: the C program sees %d deployments", when, n)
		}
	}
	w.commit("2", map[string]string{"usr/bin/tool": "2"})
	kargs := bootloader.ParseKargs(given)
	w.stage(func(o *DeployOptions) { o.Kargs = &kargs })
	must(t, w.s.FinalizeStaged(w.ctx))
	check("staged")
	csum := w.commit("3", map[string]string{"usr/bin/tool": "3"})
	w.deploy(w.s, csum, func(o *DeployOptions) { o.Merge, o.Kargs = nil, &kargs })
	check("deployed")
	st := w.load()
	_, err := w.s.SetKargs(w.ctx, st, st.Deployments[0], kargs)
	must(t, err)
	check("changed")
	w.deploy(w.s, w.commit("4", map[string]string{"usr/bin/tool": "4"}), func(o *DeployOptions) { o.Merge = &w.load().Deployments[0] })
	check("inherited")
}

// TestLinkedKernel takes the directory of a kernel, and not a link to it, which would give its
// files another name.
func TestLinkedKernel(t *testing.T) {
	w := newWorld(t)
	_, st := w.deploy(w.open(), w.commit("1", map[string]string{"usr/lib/modules/6": "-> 6.1.0"}), nil)
	if linux, _ := st.Deployments[0].Entry.Get("linux"); !strings.HasSuffix(linux, "/vmlinuz-6.1.0") {
		t.Errorf("the kernel is %s", linux)
	}
}

// TestAppendedKeys gives keys to all entries but the default, and takes them back from the one
// that becomes the default, but not what somebody has given that which was the default.
func TestAppendedKeys(t *testing.T) {
	w := newBootedWorld(t)
	config := w.s.Repo().Config()
	must(t, config.Set("sysroot", "bls-append-except-default", `key1=value1;`))
	must(t, w.s.Repo().SetConfig(config))
	w.s = w.openWith(w.s.opts)
	_, st := w.deploy(w.s, w.commit("2", map[string]string{"usr/bin/tool": "2"}), nil)
	check := func(st *State, onDefault bool) {
		t.Helper()
		for i, d := range st.Deployments {
			if v, ok := d.Entry.Get("key1"); ok != (i > 0 || onDefault) || ok && v != "value1" {
				t.Errorf("entry %d: key1 is %q, %v", i, v, ok)
			}
		}
	}
	write := func(list []Deployment) *State {
		t.Helper()
		st, err := w.s.Write(w.ctx, w.load(), list, WriteOptions{rewrite: true})
		must(t, err)
		return st
	}
	check(st, false)
	st = write(st.WithDefault(1))
	check(st, false)
	st = write(st.WithDefault(1)) // the running deployment is the second
	check(st, false)

	// What is staged follows the running deployment.
	w.commit("3", map[string]string{"usr/bin/tool": "3"})
	booted, _ := st.Booted()
	w.stage(func(o *DeployOptions) { o.Merge = &booted })
	must(t, w.s.FinalizeStaged(w.ctx))
	st = w.load()
	check(st, false)

	st = write([]Deployment{booted})
	check(st, false)
	entry := filepath.Join(w.root(), "boot/loader/entries", st.Deployments[0].Entry.Name)
	text, err := os.ReadFile(entry)
	must(t, err)
	must(t, os.WriteFile(entry, append(text, "key1 value1\n"...), 0o644))
	st = w.load()
	check(st, true)
	st = write(st.Deployments)
	check(st, true)
	w.commit("4", map[string]string{"usr/bin/tool": "4"})
	w.stage(nil)
	must(t, w.s.FinalizeStaged(w.ctx))
	check(w.load(), true)
}

// TestBootDirectoryLost makes room for a kernel in a small /boot from which somebody has removed
// that of another deployment.
func TestBootDirectoryLost(t *testing.T) {
	oracle(t)
	if !inOwnMounts(t) {
		return
	}
	w := newBootedWorld(t)
	boot := filepath.Join(w.root(), "boot")
	saved := boot + ".saved"
	must(t, os.Rename(boot, saved))
	must(t, os.Mkdir(boot, 0o755))
	must(t, unix.Mount("boot", boot, "tmpfs", 0, "size=5m"))
	t.Cleanup(func() { _ = unix.Unmount(boot, unix.MNT_DETACH) })
	must(t, os.CopyFS(boot, os.DirFS(saved)))
	w.s.Close()
	o := w.s.opts
	o.SkipSync = true
	w.s = w.openWith(o)
	kernel := func(c string) map[string]string {
		return map[string]string{"usr/lib/modules/6.1.0/vmlinuz": strings.Repeat(c, 3<<20)}
	}
	w.deploy(w.s, w.commit("a", kernel("a")), nil)
	d, err := w.s.Load()
	must(t, err)
	must(t, os.RemoveAll(filepath.Join(boot, bootDir(d.Deployments[0]))))
	_, st := w.deploy(w.s, w.commit("b", kernel("b")), nil)
	if len(st.Deployments) != 2 {
		t.Errorf("%d deployments", len(st.Deployments))
	}
}
