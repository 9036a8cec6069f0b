package sysroot

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

// TestOrderOnDisk looks at the system calls of a deployment: what boot loaders read is on the
// disk, and then all else, before boot/loader changes by one rename; that is on the disk before
// anything goes which the boot entries of before need.
func TestOrderOnDisk(t *testing.T) {
	strace := treetest.Oracle(t, "strace")
	generator, err := filepath.Abs("../../dist/grub/ostree-grub-generator")
	must(t, err)
	t.Setenv("OSTREE_GRUB2_EXEC", generator)
	t.Setenv("OSTREE_BOOT_PARTITION", "/boot")
	const (
		config = `f(?:data)?sync\(\d+<[^>]*/boot/loader\.[01]/`
		flush  = `syncfs\(\d+<[^>]*/ostree>.*\n(?:.*\n)*?.*syncfs\(\d+<[^>]*/boot>`
		change = `renameat2?\(\d+<[^>]*/boot>, "loader.tmp", \d+<[^>]*/boot>, "loader"`
		after  = `syncfs\(\d+<[^>]*/boot>`
		remove = `unlinkat\(\d+<[^>]*/boot>, "loader\.[01]"`
	)
	for i, order := range [][]string{
		{flush, change, after, remove},
		{config, flush, change, after, remove},
		{config, flush, change, after, remove},
		{config, flush, change, after, remove},
		{config, `fsync\(\d+<[^>]*/EFI/vendor/grub.cfg.new>`, flush, change, after, `renameat2?\(.*"grub.cfg.new", .*"grub.cfg"`, `syncfs\(\d+<[^>]*/EFI/vendor>`, remove},
	} {
		w := newScene(t, operation{name: "deploy", deployments: 2}, 0, faultLoaders[i])
		log := filepath.Join(w.dir, "log")
		cmd := w.command("deploy", syncEnv+"=1")
		traced := exec.Command(strace, "-f", "-q", "-y", "-o", log, "-e", "trace=fsync,fdatasync,syncfs,renameat,renameat2,unlinkat", cmd.Path)
		traced.Env = cmd.Env
		if out, err := traced.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		text, err := os.ReadFile(log)
		must(t, err)
		rest := string(text)
		// The cleanup at the start removes what is of no use.
		if at := regexp.MustCompile(remove).FindStringIndex(rest); at != nil {
			rest = rest[at[1]:]
		}
		for _, want := range order {
			at := regexp.MustCompile(want).FindStringIndex(rest)
			if at == nil {
				t.Errorf("loader %d: after what came before there is no %s in\n%s", i, want, text)
				break
			}
			rest = rest[at[1]:]
		}
		if before, _, _ := strings.Cut(string(text), `"loader.tmp", `); strings.Count(before, `/boot>, "loader"`) > 0 {
			t.Errorf("loader %d: boot/loader changed before\n%s", i, text)
		}
	}
}

// TestFailingCalls lets system calls of operations fail: as after a kill, the machine boots what
// it did before or what it does afterwards, and the operation can be repeated.
func TestFailingCalls(t *testing.T) {
	in := treetest.NewInjector(t)
	calls := map[string]int{"renameat": 4, "symlinkat": 2, "linkat": 3, "mkdirat": 3, "fchmod": 2}
	times := 1
	if treetest.Faults() {
		times = 4
	}
	for i, o := range operations {
		switch o.name {
		case "deploy", "undeploy", "finalize":
		default:
			continue
		}
		base := newScene(t, o, 1, faultLoaders[i%2]) // no programs, which would fail, too
		done := base.clone()
		done.do(o.name)
		before, after := outcome{base.status(), nil}, outcome{done.status(), nil}
		for call, when := range calls {
			for n := range times {
				fault := fmt.Sprintf("%s:error=EIO:when=%d", call, when+3*n)
				t.Run(o.name+" "+fault, func(t *testing.T) {
					w := base.clone()
					w.T = t
					in.Run(t, w.command(o.name), fault)
					w.check(t, before, after)
					w.retry(t, o, before, after)
				})
			}
		}
	}
}
