package prepareroot_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// world makes a small initramfs in the file system at $R, with a disk mounted
// at $R/$DISK, and runs the program in it. It needs mounts of its own, so it
// runs below unshare(1).
const world = `set -e
C=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
mount --make-rprivate /
mount -t tmpfs initramfs "$R"
mkdir -p $R/proc $R/run $R/bin $R/etc/ostree $R/usr/lib $R/lib $R/lib64 $R/dev
printf '%b' "$CONF" >$R/etc/ostree/prepare-root.conf
cp "$PROGRAM" $R/program
disk=$R$DISK
mkdir -p $disk
test $DISK = / || mount -t tmpfs disk $disk
D=$disk/ostree/deploy/os
mkdir -p $D/var/lib $D/deploy $disk/boot/loader.1/entries $disk/ostree/boot.1.1/os/$C $disk/ostree/repo
printf '%b' "$REPOCONF" >$disk/ostree/repo/config
ln -s loader.1 $disk/boot/loader
ln -s boot.1.1 $disk/ostree/boot.1
ln -s ../../../deploy/os/deploy/$C.0 $disk/ostree/boot.1.1/os/$C/0
N=$D/deploy/$C.0
mkdir -p $N/usr/bin $N/usr/lib $N/usr/sbin $N/etc $N/var $N/boot $N/sysroot $N/proc $N/run $N/tmp $N/dev
ln -s usr/bin $N/bin; ln -s usr/lib $N/lib; ln -s usr/sbin $N/sbin
mkdir $N/usr/etc; echo default >$N/usr/etc/os-release; echo deployed >$N/etc/os-release
echo state >$D/var/lib/file
test -z "$GENERATOR" || { mkdir -p $N/usr/lib/systemd/system-generators; touch $N/usr/lib/systemd/system-generators/ostree-system-generator; }
test -z "$HOTFIX" || { mkdir $N/.usr-ovl-upper $N/.usr-ovl-work; }
cp "$SELF" $N/usr/sbin/init
cp "$SELF" $N/usr/sbin/check
mount -t proc proc $R/proc
cd $R
`

// TestMain lets the test program be a program of the deployment, too: a static
// one, which needs nothing else there.
func TestMain(m *testing.M) {
	if os.Args[0] == "/sbin/init" || os.Args[0] == "/usr/sbin/check" {
		report()
		return
	}
	os.Exit(m.Run())
}

// report tells how the root looks from inside.
func report() {
	for _, file := range []string{"/etc/os-release", "/var/lib/file"} {
		b, err := os.ReadFile(file)
		if err != nil {
			b = []byte("missing\n")
		}
		fmt.Printf("%s: %s", file, b)
	}
	for _, dir := range []string{"/usr", "/etc", "/var", "/sysroot", "/boot"} {
		state := "writable"
		if err := os.WriteFile(dir+"/probe", nil, 0o644); err != nil {
			state = "read-only"
		}
		fmt.Println(dir, state)
	}
	for _, dir := range []string{"/boot", "/sysroot/ostree"} {
		entries, err := os.ReadDir(dir)
		fmt.Println(dir, entries, err)
	}
}

func runWorld(t *testing.T, then string, vars ...string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to mount")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		t.Skipf("cannot make a mount namespace: %s", out)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	build := exec.Command("go", "build", "-o", program, "rpmostree/cmd/ostree-prepare-root")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root := filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"-m", "sh", "-c", world + then}
	if strings.Contains(then, "as-init") {
		args = append([]string{"-p", "-f"}, args...)
	}
	cmd := exec.Command("unshare", args...)
	cmd.Env = append(os.Environ(), "R="+root, "PROGRAM="+program, "SELF="+self, "DISK=/sysroot",
		"CONF=", "REPOCONF=", "GENERATOR=", "HOTFIX=", "ARG=/ostree/boot.1/os/"+strings.Repeat("0123456789abcdef", 4)+"/0")
	cmd.Env = append(cmd.Env, vars...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		out = append(out, "("+err.Error()+")\n"...)
	}
	return string(out)
}

const (
	inInitramfs = `chroot $R /program /sysroot "quiet ostree=$ARG" >$R/log
ls run
chroot $R/sysroot /usr/sbin/check`
	asInit = `# as-init
umount proc
mkdir -p $R/proc
mount -t proc proc $R/proc
printf "ostree=$ARG" >$R/cmdline
mount --bind $R/cmdline $R/proc/cmdline
exec chroot $R /program`
)

func TestBoot(t *testing.T) {
	look := func(usr, sysroot, state string) string {
		return "/etc/os-release: deployed\n/var/lib/file: " + state + "\n/usr " + usr +
			"\n/etc writable\n/var writable\n/sysroot " + sysroot + "\n/boot writable\n" +
			"/boot [L loader d loader.1/ - probe] <nil>\n/sysroot/ostree [L boot.1 d boot.1.1/ d deploy/ d repo/] <nil>\n"
	}
	for _, tt := range []struct {
		name, script string
		vars         []string
		want         string
	}{
		{"plain", inInitramfs, nil, "ostree-booted\n" + look("read-only", "writable", "state")},
		{
			"readonly", inInitramfs, []string{`CONF=[sysroot]\nreadonly=true\n`},
			"ostree-booted\nostree-sysroot-ro.stamp\n" + look("read-only", "read-only", "state"),
		},
		{
			"readonly by repository", inInitramfs, []string{`REPOCONF=[sysroot]\nreadonly=true\n`},
			"ostree-booted\nostree-sysroot-ro.stamp\n" + look("read-only", "read-only", "state"),
		},
		{
			"generator mounts var", inInitramfs, []string{"GENERATOR=1"},
			"ostree-booted\n" + look("read-only", "writable", "missing"),
		},
		{"hotfix", inInitramfs, []string{"HOTFIX=1"}, "ostree-booted\n" + look("writable", "writable", "state")},
		{
			"transient etc", inInitramfs, []string{`CONF=[etc]\ntransient=true\n`},
			"ostree\nostree-booted\n" + strings.Replace(look("read-only", "writable", "state"), "deployed", "default", 1),
		},
		{"without initramfs", asInit, []string{"DISK=/"}, look("read-only", "writable", "state")},
		{
			"composefs", inInitramfs, []string{`CONF=[composefs]\nenabled=yes\n`},
			"ostree-prepare-root: composefs: enabled at runtime, but support is not compiled in\n(exit status 1)\n",
		},
		{
			"no such target", inInitramfs, []string{"ARG=/ostree/boot.0/os/x/0"},
			"ostree-prepare-root: Couldn't find specified OSTree root '/sysroot/ostree/boot.0/os/x/0': lstat /sysroot/ostree/boot.0/os/x/0: no such file or directory\n(exit status 1)\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := runWorld(t, tt.script, tt.vars...); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
