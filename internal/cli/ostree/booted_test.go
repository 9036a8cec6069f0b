package ostree

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rpmostree/internal/treetest"

	"github.com/rogpeppe/go-internal/txtar"
)

// bootedScript makes a sysroot in a tmpfs at $R and boots it: as far as a program
// in the root directory $N can tell. Then it runs what the test wants: "o" is
// ostree in there, "commit VERSION" makes a new commit of the branch that is
// followed.
const bootedScript = `set -e
mount --make-rprivate /
mount -t tmpfs disk "$R"
cd $R
plain() { $OSTREE "$@"; }
plain admin init-fs --epoch=1 $R
plain --repo=$R/ostree/repo config set sysroot.readonly true
plain admin os-init --sysroot=$R os >/dev/null
mkdir -p $R/tree/usr/lib/modules/6.1 $R/tree/usr/etc $R/tree/usr/bin $R/tree/sysroot $R/tree/boot $R/tree/run $R/tree/proc $R/tree/var $R/tree/opt $R/tree/tmp $R/tree/dev
echo kernel >$R/tree/usr/lib/modules/6.1/vmlinuz
echo initramfs >$R/tree/usr/lib/modules/6.1/initramfs.img
printf 'ID=test\nPRETTY_NAME=Test\n' >$R/tree/usr/lib/os-release
mkdir $R/tree/usr/lib/tmpfiles.d
echo default >$R/tree/usr/etc/conf
echo app >$R/tree/opt/app
ln -s sysroot/ostree $R/tree/ostree
ln -s usr/bin $R/tree/bin
cp $OSTREE $R/tree/usr/bin/ostree
ln $R/tree/usr/bin/ostree $R/tree/usr/bin/systemctl
commit() {
	echo $1 >$R/tree/usr/version
	plain --repo=$R/ostree/repo commit -b main --add-metadata-string=version=$1 --owner-uid=0 --owner-gid=0 --timestamp=@$((1000000000 + $1)) $R/tree >/dev/null
}
deploy() { plain admin deploy --sysroot=$R --os=os --retain main >/dev/null; }
# boot DIR makes the deployment in DIR the root.
boot() {
	N=$R/root
	mkdir -p $N
	umount -R $N 2>/dev/null || true
	mount --bind $1 $N
	mount --bind $R $N/sysroot
	mount -o remount,bind,ro $N/sysroot
	mount --bind $R/boot $N/boot
	mount --bind $R/ostree/deploy/os/var $N/var
	mount --bind $R/run $N/run
	mount --bind /dev $N/dev
	mount -t proc proc $N/proc
	mount --make-rshared $N
}
mkdir -p $R/run
touch $R/run/ostree-booted
o() { chroot $N /usr/bin/ostree "$@"; }
current() { plain admin --sysroot=$R --print-current-dir; }
commit 1; deploy; commit 2; deploy; boot $(current)
exec 2>&1
`

// inBooted runs a script and returns its output with short checksums.
func inBooted(t *testing.T, script string) string {
	t.Helper()
	treetest.NeedRoot(t)
	if out, err := exec.Command("unshare", "-m", "-p", "-f", "true").CombinedOutput(); err != nil {
		treetest.Skip(t, "cannot make namespaces: ", string(out))
	}
	ostree, err := exec.LookPath("ostree")
	if err != nil {
		t.Fatal(err)
	}
	if f, err := elf.Open(ostree); err != nil {
		t.Fatal(err)
	} else if libs, _ := f.ImportedLibraries(); len(libs) > 0 {
		t.Skip("needs a program without shared libraries: CGO_ENABLED=0")
	}
	root := t.TempDir()
	cmd := exec.Command("unshare", "-m", "-p", "-f", "--mount-proc", "sh", "-c", bootedScript+script)
	cmd.Env = append(os.Environ(), "R="+root, "OSTREE="+ostree, "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		out = append(out, err.Error()+"\n"...)
	}
	// Checksums by the order of their appearance.
	names := map[string]string{}
	text := regexp.MustCompile(`[0-9a-f]{64}`).ReplaceAllStringFunc(string(out), func(sum string) string {
		if names[sum] == "" {
			names[sum] = string(rune('A' + len(names)))
		}
		return names[sum]
	})
	return strings.ReplaceAll(text, root, "R")
}

// TestBooted runs the scripts of testdata/booted after two deployments were made, of
// which the newer one is running.
func TestBooted(t *testing.T) {
	files, err := filepath.Glob("testdata/booted/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil || len(a.Files) != 2 {
				t.Fatal(err)
			}
			script, want := string(a.Files[0].Data), string(a.Files[1].Data)
			got := inBooted(t, script)
			if os.Getenv("UPDATE_GOLDEN") != "" {
				a.Files[1].Data = []byte(got)
				err = os.WriteFile(file, txtar.Format(a), 0o644)
			} else if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
