package prepareroot_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
	"rpmostree/ostree/sysroot/prepareroot"
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
ln $N/usr/sbin/init $N/usr/sbin/check
ln $N/usr/sbin/init $N/usr/sbin/next
cp "$PROGRAM" $N/usr/sbin/ostree-remount
cp "$PROGRAM" $N/usr/sbin/ostree-system-generator
mkdir $N/usr/lib/ostree; printf '%b' "$NEXTCONF" >$N/usr/lib/ostree/prepare-root.conf
cp -a $N $D/deploy/$C.1
echo next >$D/deploy/$C.1/etc/os-release
echo "next default" >$D/deploy/$C.1/usr/etc/os-release
mount -t proc proc $R/proc
cd $R
`

// TestMain lets the test program be a program of the deployment, too: a static
// one, which needs nothing else there.
func TestMain(m *testing.M) {
	switch os.Args[0] {
	case "/sbin/init", "/usr/sbin/check":
		report()
	case "/usr/sbin/next":
		next()
	default:
		os.Exit(m.Run())
	}
}

// next prepares a soft reboot, and says what there is to say of it.
func next() {
	config, err := prepareroot.LoadConfig("/", "")
	if err == nil {
		err = prepareroot.PrepareNext(os.Args[1], config)
	}
	if err != nil {
		fmt.Println("prepare:", err)
	}
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

// build builds the program.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	cmd := exec.Command("go", "build", "-o", program, "rpmostree/cmd/ostree-prepare-root")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func runWorld(t *testing.T, program, then string, vars ...string) string {
	t.Helper()
	treetest.NeedRoot(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		treetest.Skip(t, "cannot make a mount namespace: ", string(out))
	}
	root := t.TempDir()
	args := []string{"-m", "sh", "-c", world + then}
	if strings.Contains(then, "as-init") {
		args = append([]string{"-p", "-f"}, args...)
	}
	cmd := exec.Command("unshare", args...)
	cmd.Env = append(os.Environ(), "R="+root, "PROGRAM="+program, "SELF="+self, "DISK=/sysroot",
		"CONF=", "REPOCONF=", "GENERATOR=", "HOTFIX=", "NEXTCONF=", "BEFORE=", "ARG=/ostree/boot.1/os/"+strings.Repeat("0123456789abcdef", 4)+"/0")
	cmd.Env = append(cmd.Env, vars...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		out = append(out, "("+err.Error()+")\n"...)
	}
	return string(out)
}

const (
	enter = `chroot $R /program /sysroot "quiet ostree=$ARG" >$R/log
`
	inInitramfs = enter + `ls run
chroot $R/sysroot /usr/sbin/check`
	// later is the time when systemd is running: /run has moved along.
	later = enter + `mount --bind $R/run $R/sysroot/run
mount -t proc proc $R/sysroot/proc
mount -t tmpfs tmp $R/sysroot/tmp
cd $R/sysroot
`
	remounted = later + `for m in etc var sysroot; do mount -o remount,bind,$STATE $m 2>/dev/null || true; done
mount -o remount,bind,$ROOT .
chroot . /usr/sbin/ostree-remount
for m in etc var sysroot; do findmnt -no TARGET,OPTIONS $PWD/$m | sed "s|$R/sysroot||; s/ *\(r[ow]\),.*/ \1/"; done`
	softReboot = later + `chroot . /usr/sbin/next /sysroot/ostree/deploy/os/deploy/$C.1
ls run/ostree | sed 's/etc\..*/etc/'
test -e run/nextroot && chroot run/nextroot /usr/sbin/check
ls $R/sysroot/sysroot/ostree/deploy/os/deploy/$C.1/sysroot`
	generated = later + `printf "ostree=$ARG" >$R/run/cmdline
mount --bind $R/run/cmdline proc/cmdline
chroot . /usr/sbin/ostree-system-generator 2>&1 || echo failed
ls tmp`
	asInit = `# as-init
umount proc
mkdir -p $R/proc
mount -t proc proc $R/proc
printf "ostree=$ARG" >$R/cmdline
mount --bind $R/cmdline $R/proc/cmdline
eval "$BEFORE"
exec chroot $R /program`
	linked = `ln -s . $R/sysroot
mkdir -p $R/run
chroot $R /program /sysroot "ostree=$ARG" >/dev/null
chroot $R /usr/sbin/check`
)

func TestBoot(t *testing.T) {
	program := build(t)
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
		{"plain", inInitramfs, nil, "ostree\nostree-booted\n" + look("read-only", "writable", "state")},
		{
			"readonly", inInitramfs, []string{`CONF=[sysroot]\nreadonly=true\n`},
			"ostree\nostree-booted\nostree-sysroot-ro.stamp\n" + look("read-only", "read-only", "state"),
		},
		{
			"broken configuration of the repository", inInitramfs, []string{`REPOCONF=[sysroot\n`},
			"ostree\nostree-booted\n" + look("read-only", "writable", "state"),
		},
		{
			"readonly by repository", inInitramfs, []string{`REPOCONF=[sysroot]\nreadonly=true\n`},
			"ostree\nostree-booted\nostree-sysroot-ro.stamp\n" + look("read-only", "read-only", "state"),
		},
		{
			"generator mounts var", inInitramfs, []string{"GENERATOR=1"},
			"ostree\nostree-booted\n" + look("read-only", "writable", "missing"),
		},
		{"hotfix", inInitramfs, []string{"HOTFIX=1"}, "ostree\nostree-booted\n" + look("writable", "writable", "state")},
		{
			"transient etc", inInitramfs, []string{`CONF=[etc]\ntransient=true\n[sysroot]\nreadonly=true\n`},
			"ostree\nostree-booted\nostree-sysroot-ro.stamp\n" + strings.Replace(look("read-only", "read-only", "state"), "deployed", "default", 1),
		},
		{
			"transient etc of a writable sysroot", inInitramfs, []string{`CONF=[etc]\ntransient=true\n`},
			"ostree\nostree-booted\n" + look("read-only", "writable", "state"),
		},
		{
			"transient root", inInitramfs, []string{`CONF=[root]\ntransient=true\n`},
			"ostree-prepare-root: Must enable composefs with root.transient\n(exit status 1)\n",
		},
		{"without initramfs", asInit, []string{"DISK=/"}, look("read-only", "writable", "state")},
		{
			"without initramfs on a read-only disk", asInit, []string{"DISK=/", "BEFORE=mount -o remount,ro $R"},
			strings.NewReplacer("writable", "read-only", " - probe", "").Replace(look("read-only", "writable", "state")),
		},
		{"sysroot is a link to the root", linked, []string{"DISK=/"}, look("read-only", "writable", "state")},
		{
			"composefs", inInitramfs, []string{`CONF=[composefs]\nenabled=yes\n`},
			"ostree-prepare-root: Failed to mount composefs: composefs: enabled at runtime, but support is not compiled in\n(exit status 1)\n",
		},
		{
			"no such target", inInitramfs, []string{"ARG=/ostree/boot.0/os/x/0"},
			"ostree-prepare-root: Couldn't find specified OSTree root '/sysroot/ostree/boot.0/os/x/0': lstat /sysroot/ostree/boot.0/os/x/0: no such file or directory\n(exit status 1)\n",
		},
		{
			"remount", remounted, []string{`CONF=[sysroot]\nreadonly=true\n`, "STATE=ro", "ROOT=rw"},
			"Remounted rw: /etc\nRemounted rw: /var\n/etc rw\n/var rw\n/sysroot ro\n",
		},
		{
			"remount of a writable sysroot", remounted, []string{"STATE=ro", "ROOT=rw"},
			"Remounted rw: /sysroot\nRemounted rw: /var\n/var rw\n/sysroot rw\n",
		},
		{
			"remount below a read-only root", remounted, []string{`CONF=[sysroot]\nreadonly=true\n`, "STATE=ro", "ROOT=ro"},
			"/etc ro\n/var ro\n/sysroot ro\n",
		},
		{
			"soft reboot", softReboot, []string{"GENERATOR=1", `NEXTCONF=[sysroot]\nreadonly=true\n`, `CONF=[sysroot]\nreadonly=true\n`},
			"nextroot-booted\n" + strings.NewReplacer("deployed", "next", "/boot writable", "/boot read-only", " - probe", "").Replace(look("read-only", "read-only", "missing")),
		},
		{
			"soft reboot with transient etc", softReboot, []string{"GENERATOR=1", `NEXTCONF=[etc]\ntransient=true\n[sysroot]\nreadonly=true\n`},
			"nextroot-booted\ntransient-etc\n" + strings.NewReplacer("deployed", "next default").Replace(look("read-only", "read-only", "missing")),
		},
		{"soft reboot with composefs", softReboot, []string{`NEXTCONF=[composefs]\nenabled=yes\n`},
			"prepare: Failed to mount composefs: composefs: enabled at runtime, but support is not compiled in\n"},
		{"generator", generated, nil, "boot.mount\nlocal-fs.target.requires\nmulti-user.target.wants\nsysroot.mount.d\nvar.mount\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := runWorld(t, program, tt.script, tt.vars...); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
