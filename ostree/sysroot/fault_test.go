package sysroot

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
	"rpmostree/ostree/repo"
)

// A scene is a world with deployments, and all that an operation needs:
//
//	sysroot   as in every world
//	source    a repository with the next commit, for "upgrade"
//	run       /run of the machine; with ostree-booted, the first deployment is the running system
type scene struct {
	*world
	booted string // path of the running deployment in the sysroot; "" if it is not that of this machine
}

// faultLoaders is what must be in /boot for a boot loader to be found.
var faultLoaders = []map[string]string{
	nil,
	{"boot/syslinux/syslinux.cfg": "-> ../loader/syslinux.cfg", "boot/loader": "-> loader.0", "boot/loader.0/syslinux.cfg": "DEFAULT x\n"},
	{"boot/grub2/grub.cfg": "-> ../loader/grub.cfg", "boot/loader": "-> loader.0", "boot/loader.0/grub.cfg": "old"},
	{"boot/loader": "-> loader.0", "boot/loader.0/uEnv.txt": ""},
	{"boot/efi/EFI/vendor/grub.cfg": "old"},
}

// newScene makes a scene that depends on the seed: how many deployments there are, what
// differs between them, in which of them /etc was changed and how. Each has /etc/conf
// changed. The branch has one commit more.
func newScene(t *testing.T, o operation, seed uint64, loader map[string]string) *scene {
	w := &scene{world: newWorld(t)}
	plant(t, w.root(), loader)
	must(t, os.Mkdir(filepath.Join(w.dir, "run"), 0o755))
	r := rand.New(rand.NewPCG(seed, 7))
	n := o.deployments
	if !o.same {
		n += r.IntN(2)
	}
	version := func(i int) (string, map[string]string) {
		tree := randomOS(r)
		if o.same {
			tree["usr/lib/modules/6.1.0/vmlinuz"], i = "kernel", 0
			delete(tree, "usr/lib/modules/6.1.0/devicetree")
		}
		return fmt.Sprint(i), tree
	}
	for i := range n {
		w.commit(version(i))
		w.do("add")
		plant(t, w.ours()[0]+"/etc", map[string]string{
			"conf": "changed", fmt.Sprint("mine", i): "mine", "dir/file": fmt.Sprint(r.IntN(2))})
		if r.IntN(2) == 0 {
			removeAll(t, w.ours()[0]+"/etc/secret")
		}
		if i == 0 && (o.staged || !o.same && r.IntN(2) == 0) {
			var err error
			w.booted, err = filepath.Rel(w.root(), w.ours()[0])
			must(t, err)
			w.reboot()
		}
	}
	if o.pin {
		s := w.open()
		st, err := s.Load()
		must(t, err)
		must(t, s.Pin(st.Deployments[n-1], true))
	}
	v, next := version(n)
	next["usr/bin/tool"] = "next"
	if o.name == "upgrade" {
		must(t, exec.Command("cp", "-a", w.repo(), filepath.Join(w.dir, "source")).Run())
		source := *w.world
		source.repoDir = filepath.Join(w.dir, "source")
		source.commit(v, next)
		return w
	}
	for _, op := range o.before {
		next["usr/lib/modules/6.1.0/vmlinuz"] = "kernel of " + op
		w.commit(v, next)
		if op, point, killed := strings.Cut(op, " at "); killed {
			w.victim(op, point)
		} else {
			w.do(op)
		}
		next["usr/bin/tool"] += op
	}
	w.commit(v, next)
	return w
}

// randomOS are changes of the tree of the base.
func randomOS(r *rand.Rand) map[string]string {
	tree := map[string]string{
		"usr/lib/modules/6.1.0/vmlinuz": fmt.Sprint("kernel ", r.IntN(2)),
		"usr/bin/tool":                  fmt.Sprint("tool ", r.Uint32()),
		"usr/etc/dir/file":              fmt.Sprint("default ", r.IntN(3)),
	}
	for range r.IntN(5) {
		tree[fmt.Sprintf("usr/share/%d/%d", r.IntN(3), r.IntN(9))] = strings.Repeat("x", r.IntN(5000))
	}
	if r.IntN(3) == 0 {
		tree["usr/lib/modules/6.1.0/devicetree"] = "tree"
	}
	return tree
}

// clone copies the scene.
func (w *scene) clone() *scene {
	w.Helper()
	c := *w
	c.world = &world{T: w.T, dir: tempDir(w.T)}
	if out, err := exec.Command("cp", "-a", "-T", w.dir, c.dir).CombinedOutput(); err != nil {
		w.Fatalf("%v: %s", err, out)
	}
	c.rebind()
	return &c
}

// rebind tells /run which directory the running deployment is, after it was copied.
func (w *scene) rebind() {
	if w.booted != "" {
		markBootedIn(w.T, filepath.Join(w.dir, "run"), filepath.Join(w.root(), w.booted))
	}
}

// reboot forgets /run.
func (w *scene) reboot() {
	must(w.T, os.RemoveAll(filepath.Join(w.dir, "run")))
	must(w.T, os.Mkdir(filepath.Join(w.dir, "run"), 0o755))
	w.rebind()
}

// ours returns the paths of the deployments in boot order.
func (w *scene) ours() []string {
	s := w.open()
	st, err := s.Load()
	must(w.T, err)
	var list []string
	for _, d := range st.Deployments {
		list = append(list, s.DeploymentPath(d))
	}
	return list
}

func (w *scene) hasStaged() bool {
	return lexists(filepath.Join(w.dir, "run/ostree/staged-deployment"))
}

// An operation is what a process is killed in.
type operation struct {
	name        string
	deployments int      // that there are at least before it
	staged      bool     // it works in a running system only
	pin         bool     // the last deployment is pinned
	same        bool     // all deployments have the same kernel and version, none is running, and there is none more
	before      []string // operations before it, "OPERATION" or, killed, "OPERATION at POINT"
	points      []string // of failure that it passes
}

var (
	writePoints = []string{"sysroot.boot.kernel", "sysroot.boot.entries", "sysroot.boot.links", "sysroot.boot.linkswapped", "sysroot.boot.written",
		"sysroot.boot.swapped", "sysroot.cleanup"}
	deployPoints = slices.Concat([]string{"sysroot.deploy.checkout", "sysroot.deploy.etc", "sysroot.deploy.merge", "sysroot.deploy.merged"}, writePoints)
	// recordPoints are those of a deployment for boot loaders that programs install.
	recordPoints = slices.Concat(writePoints, []string{"bootloader.finish"})
)

var operations = []operation{
	{name: "deploy", deployments: 2, points: slices.Concat(deployPoints, []string{"sysroot.remove", "repo.ref.write", "repo.prune.object"})},
	{name: "upgrade", deployments: 1, pin: true, points: slices.Concat([]string{"repo.commit.object", "repo.commit.ref"}, deployPoints)},
	{name: "deploy", same: true, deployments: 2, points: []string{"sysroot.deploy.merged", "sysroot.boot.links", "sysroot.boot.linked", "sysroot.boot.linkswapped", "sysroot.cleanup"}},
	{name: "cleanup", deployments: 1, before: []string{"deploy at sysroot.boot.links"}, points: []string{"sysroot.cleanup", "sysroot.remove", "sysroot.remove.kernel", "repo.prune.object"}},
	{name: "undeploy", deployments: 2, points: slices.Concat(writePoints, []string{"sysroot.remove"})},
	{name: "set-default", deployments: 2, points: writePoints},
	{name: "set-default", same: true, deployments: 2, points: []string{"sysroot.boot.links", "sysroot.boot.linked", "sysroot.boot.linkswapped", "sysroot.cleanup"}},
	{name: "kargs", deployments: 2, points: writePoints},
	{name: "stage", deployments: 1, staged: true, before: []string{"stage"}, points: []string{"sysroot.deploy.checkout", "sysroot.deploy.etc", "sysroot.stage.written", "sysroot.remove"}},
	{name: "drop", deployments: 1, staged: true, before: []string{"stage"}, points: []string{"sysroot.stage.dropped", "sysroot.remove"}},
	{name: "finalize", deployments: 1, staged: true, before: []string{"stage"}, points: slices.Concat([]string{"sysroot.finalize.begun", "sysroot.deploy.merge", "sysroot.deploy.merged"}, writePoints)},
}

// TestKilledEverywhere kills each operation at each of its points, at the first passage and at
// some of those that follow. The machine must then boot what it booted before or
// what it boots after the operation, both programs must find the sysroot and its
// repository sound, and the operation must succeed when it is repeated. Many faults are
// those of each operation with each boot loader.
func TestKilledEverywhere(t *testing.T) {
	seeds, passages := 1, []int{1, 3}
	if treetest.Faults() {
		seeds, passages = len(faultLoaders), []int{1, 2, 4}
	}
	generator, err := filepath.Abs("../../dist/grub/ostree-grub-generator")
	must(t, err)
	t.Setenv("OSTREE_GRUB2_EXEC", generator)
	t.Setenv("OSTREE_BOOT_PARTITION", "/boot")
	for seed := range seeds {
		for i, o := range operations {
			t.Run(fmt.Sprintf("%s-%d", o.name, seed), func(t *testing.T) {
				t.Parallel()
				testKilled(t, o, newScene(t, o, uint64(seed), faultLoaders[(i+seed)%len(faultLoaders)]), passages)
			})
		}
	}
}

// TestPointsAreCovered makes sure that no point of failure is forgotten above.
func TestPointsAreCovered(t *testing.T) {
	have := slices.Clone(recordPoints)
	for _, o := range operations {
		have = append(have, o.points...)
	}
	treetest.CheckFailpoints(t, have, "../bootloader/*.go")
}

// An outcome is a state that a killed operation may leave.
type outcome struct {
	status string
	files  []string // see settled
}

func testKilled(t *testing.T, o operation, base *scene, passages []int) {
	done := base.clone()
	done.do(o.name)
	done.checkBootable(t)
	before, after := outcome{base.status(), nil}, outcome{done.status(), nil}
	if o.name != "upgrade" { // what was pulled may stay, whatever is deployed
		before.files, after.files = settled(t, base.clone().world), settled(t, done.world)
	}
	for _, point := range o.points {
		for _, n := range passages {
			at := fmt.Sprintf("%s@%d", point, n)
			w := base.clone()
			if !w.victim(o.name, at) {
				if n == 1 {
					t.Errorf("%s: never reached", point)
				}
				break
			}
			t.Run(at, func(t *testing.T) {
				w.T = t
				w.check(t, before, after)
				w.retry(t, o, before, after)
			})
		}
	}
}

// check verifies what a killed process left, and what the machine is that boots from it.
func (w *scene) check(t *testing.T, before, after outcome) {
	t.Helper()
	got := w.checkBootable(t)
	if got != before.status && got != after.status {
		t.Errorf("the C program sees\n%s\nwhich is neither what was before\n%s\nnor what is after it\n%s", got, before.status, after.status)
	}
	w.c("--repo="+w.repo(), "fsck", "--quiet")
	if before.files == nil {
		return
	}
	c := w.clone()
	files := settled(t, c.world)
	c.checkBootFiles(t)
	if diffLines(before.files, files) != "" && diffLines(after.files, files) != "" {
		t.Errorf("neither old nor new; - new state only, + what there is:\n%s", diffLines(after.files, files))
	}
}

// retry does what was not done, as an administrator would.
func (w *scene) retry(t *testing.T, o operation, before, after outcome) {
	t.Helper()
	want := after.status
	switch o.name {
	case "deploy", "upgrade":
		w.do(o.name) // a second deployment of the same if the first is there
		want = ""
	case "cleanup":
		w.do("cleanup")
	case "kargs":
		w.do("kargs")
	case "undeploy", "set-default":
		if w.status() == before.status {
			w.do(o.name)
		}
	case "drop":
		if w.hasStaged() {
			w.do("drop")
		}
	case "stage":
		w.do("stage")
		w.do("finalize")
		want = ""
	case "finalize":
		w.reboot()
		if w.status() == before.status {
			w.do("stage")
			w.do("finalize")
			want = "" // the head of the branch, which is newer than what was staged
		}
	}
	got := w.checkBootable(t)
	if want != "" && got != want {
		t.Errorf("repeated, there is\n%s\nwant\n%s", got, want)
	}
	r, err := repo.Open(w.repo())
	must(t, err)
	defer r.Close()
	report, err := r.Fsck(context.Background(), repo.FsckOptions{})
	if err != nil || report.Err() != nil || report.Partial > 0 {
		t.Errorf("repeated, fsck says %+v, %v", report, err)
	}
	head, err := r.ResolveRev("os/main")
	must(t, err)
	if want == "" && !strings.HasPrefix(filepath.Base(w.listed(got)[0]), head.String()) {
		t.Errorf("repeated, there is\n%s\nwant a deployment of %s first", got, head)
	}
}

// settled cleans up and describes what is there. What differs between equal
// states is left out: the numbers of versions.
func settled(t *testing.T, w *world) []string {
	t.Helper()
	s, err := Open(w.root(), options())
	must(t, err)
	defer s.Close()
	st, err := s.Load()
	must(t, err)
	must(t, s.Cleanup(context.Background(), st))
	old := "boot." + string(rune('0'+st.BootVersion))
	var lines []string
	for _, l := range dump(t, w.root()) {
		l = strings.ReplaceAll(l, old+"."+string(rune('0'+st.SubBootVersion)), "boot.V.S")
		l = strings.ReplaceAll(l, old, "boot.V")
		l = strings.ReplaceAll(l, "loader."+string(rune('0'+st.BootVersion)), "loader.V")
		l = strings.ReplaceAll(l, "heads/ostree/"+string(rune('0'+st.BootVersion)), "heads/ostree/V")
		l = strings.ReplaceAll(l, "heads/ostree/V/"+string(rune('0'+st.SubBootVersion)), "heads/ostree/V/S")
		if strings.HasPrefix(l, "ostree/repo/refs/heads/ostree") && !strings.Contains(l, "/V/S/") {
			continue // empty directories
		}
		if strings.HasSuffix(strings.Fields(l)[0], "boot/boot") {
			continue // made on the first write
		}
		if strings.HasPrefix(l, "boot/efi/EFI/vendor/grub.cfg.") {
			continue // prepared for a change that may not have come
		}
		lines = append(lines, l)
	}
	return lines
}

// installers stand for the programs that put what boots where the firmware finds it. Each
// writes that to the file record of its world, which lies beside its own directory.
var installers = map[string]string{
	"zipl":         `cat $(ls "$dir"/sysroot/boot/loader/entries/*.conf | tail -n1) >"$dir/record.new"`,
	"aboot-deploy": `echo "$6 $7" >"$dir/record.new"`,
}

// TestBootRecord kills a deployment for boot loaders that need a program: until it has run
// the machine boots what it has recorded, which must be there, also after a cleanup.
func TestBootRecord(t *testing.T) {
	for _, loader := range []string{"zipl", "aboot"} {
		w := newRecordScene(t, loader)
		path := os.Getenv("PATH")
		for _, point := range recordPoints {
			t.Run(loader+" "+point, func(t *testing.T) {
				c := w.clone()
				c.T = t
				t.Setenv("PATH", filepath.Join(c.dir, "bin")+":"+path)
				if !c.victim("deploy", point) {
					t.Fatal("never reached")
				}
				c.checkBootFiles(t)
				c.do("cleanup")
				c.checkBootFiles(t)
				c.do("deploy")
				c.checkBootFiles(t)
				record, err := os.ReadFile(filepath.Join(c.dir, "record"))
				must(t, err)
				s := c.open()
				st, err := s.Load()
				must(t, err)
				if arg, _ := st.Deployments[0].Kargs().Last("ostree"); !strings.Contains(string(record), "ostree="+arg) {
					t.Errorf("what boots is %q, and not %s", record, arg)
				}
			})
		}
	}
}

// TestInterruptedTwice kills a change of the boot entries before the boot loader has its record,
// and the next one, without a cleanup between them: what the machine still boots must be there.
func TestInterruptedTwice(t *testing.T) {
	path := os.Getenv("PATH")
	for _, loader := range []string{"zipl", "aboot", "grub2"} {
		t.Run(loader, func(t *testing.T) {
			w := newRecordScene(t, loader)
			w.do("deploy")
			w.checkBootFiles(t)
			t.Setenv("PATH", filepath.Join(w.dir, "bin")+":"+path)
			for _, kill := range [][2]string{{"undeploy", "sysroot.boot.swapped"}, {"more-kargs", "sysroot.boot.linkswapped"}} {
				if !w.victim(kill[0], kill[1]) {
					t.Fatalf("%s: %s is never reached", kill[0], kill[1])
				}
				w.checkBootFiles(t)
			}
		})
	}
}

// TestInterruptedWithoutEFI kills a change of the boot entries before the EFI system partition has
// its configuration. As long as that is not mounted, nothing that the machine still boots goes.
func TestInterruptedWithoutEFI(t *testing.T) {
	w := newRecordScene(t, "")
	w.do("deploy")
	partition, away := filepath.Join(w.root(), "boot/efi/EFI"), filepath.Join(w.dir, "EFI")
	if !w.victim("more-kargs", "sysroot.boot.swapped") {
		t.Fatal("never reached")
	}
	must(t, os.Rename(partition, away))
	before := dump(t, w.root())
	for _, op := range []string{"cleanup", "undeploy", "more-kargs", "deploy", "stage"} {
		if err := beVictim(op, w.dir); err == nil || !strings.Contains(err.Error(), "grub.cfg.efi may not be on the EFI system partition yet: ") {
			t.Errorf("%s: %v", op, err)
		}
	}
	if d := diffLines(before, dump(t, w.root())); d != "" {
		t.Errorf("changed:\n%s", d)
	}
	c := w.clone()
	must(t, os.Rename(away, partition))
	w.checkBootFiles(t)
	w.do("cleanup")
	w.checkBootable(t)
	if text, err := os.ReadFile(filepath.Join(partition, "vendor/grub.cfg")); err != nil || !strings.Contains(string(text), "killed=no more") {
		t.Errorf("the partition has, %v,\n%s", err, text)
	}
	// It may be gone for good.
	s := c.open()
	config := s.Repo().Config()
	must(t, config.Set("sysroot", "bootloader", "none"))
	must(t, s.Repo().SetConfig(config))
	c.do("cleanup")
	c.checkBootable(t)
}

// TestFinishWithoutEntries cleans up where there is nothing to tell a boot loader.
func TestFinishWithoutEntries(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	config := s.Repo().Config()
	must(t, config.Set("sysroot", "bootloader", "aboot"))
	must(t, s.Repo().SetConfig(config))
	plant(t, w.root(), map[string]string{"boot/ostree-bootloader-update.stamp": ""})
	s = w.open()
	st, err := s.Load()
	must(t, err)
	must(t, s.PrepareCleanup(context.Background(), st))
}

// newRecordScene makes a scene with one deployment, which is running, and a commit with another
// kernel.
func newRecordScene(t *testing.T, loader string) *scene {
	w := &scene{world: newWorld(t)}
	for name, script := range installers {
		plant(t, w.dir, map[string]string{"bin/" + name: "mode=755 #!/bin/sh\nset -e\ndir=${0%/bin/*}\n" + script + "\nmv \"$dir/record.new\" \"$dir/record\"\n"})
	}
	must(t, os.Mkdir(filepath.Join(w.dir, "run"), 0o755))
	tree := map[string]string{"usr/lib/modules/6.1.0/aboot.img": "android", "usr/lib/modules/6.1.0/vmlinuz": "old"}
	w.commit("1", tree)
	w.do("add")
	var err error
	w.booted, err = filepath.Rel(w.root(), w.ours()[0])
	must(t, err)
	w.reboot()
	plant(t, w.ours()[0]+"/etc", map[string]string{"conf": "changed"})
	s := w.open()
	config := s.Repo().Config()
	must(t, config.Set("sysroot", "bootloader", cmp.Or(loader, "auto")))
	must(t, s.Repo().SetConfig(config))
	if loader == "grub2" || loader == "" {
		plant(t, w.root(), map[string]string{"boot/efi/EFI/vendor/grub.cfg": "old"})
		generator, err := filepath.Abs("../../dist/grub/ostree-grub-generator")
		must(t, err)
		t.Setenv("OSTREE_GRUB2_EXEC", generator)
		t.Setenv("OSTREE_BOOT_PARTITION", "/boot")
	}
	t.Setenv("PATH", filepath.Join(w.dir, "bin")+":"+os.Getenv("PATH"))
	w.do("kargs") // which makes the first record
	w.checkBootFiles(t)
	tree["usr/lib/modules/6.1.0/vmlinuz"] = "new"
	w.commit("2", tree)
	return w
}
