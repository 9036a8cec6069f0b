package prepareroot

import (
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rpmostree/internal/journal"
)

const (
	// tmpRoot is where the root is put together before it moves to its place.
	tmpRoot = "/sysroot.tmp"
	// runState holds state that lives until the machine stops. In it, private is
	// closed to everybody.
	runState = "/run/ostree"
	private  = ".private"
	// mountVarMark makes us mount /var although the system has a generator
	// for it; written by initramfs scripts.
	mountVarMark = runState + "/initramfs-mount-var"
	// readonlyMark tells older ostree-remount programs that /sysroot is
	// read-only. Newer ones read bootedFile.
	readonlyMark = "/run/ostree-sysroot-ro.stamp"
	bootedFile   = "/run/ostree-booted"
	// varGenerator is the program of the new root which mounts /var, if it has
	// that program.
	varGenerator = "usr/lib/systemd/system-generators/ostree-system-generator"
	initProgram  = "/sbin/init"
)

// Options says what to prepare.
type Options struct {
	// Sysroot is where the physical root is mounted: "/sysroot" in an
	// initramfs. "/", or a link to it, means that there is no initramfs: the
	// deployment then becomes the root of this process.
	Sysroot string
	// Cmdline is the kernel command line.
	Cmdline string
	// Config is the configuration; see LoadConfig.
	Config Config
	// Log receives lines about what is done. nil discards them.
	Log io.Writer
	// Journal is the socket of the journal; "" for none.
	Journal string
}

// Run does the mounts. On error the mounts done so far stay, for a rescue
// shell to look at.
func Run(o Options) error {
	r, err := begin(o)
	if err != nil {
		return err
	}
	return inOrder(r.state, r.unshare, r.root, r.boot, r.etc, r.usr, r.sysroot, r.varDir, r.marks, r.move)
}

func inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// run is the state that the steps share.
type run struct {
	Options
	physical string // Sysroot without symbolic links
	newRoot  string // where the root is put together
	deploy   deployment
	readonly bool // /sysroot shall be read-only
	asInit   bool // there is no initramfs: physical is "/"
	booted   booted
}

func (r *run) logf(format string, a ...any) {
	if r.Log != nil {
		fmt.Fprintf(r.Log, format+"\n", a...)
	}
}

// begin decides everything that can be decided before the first mount.
func begin(o Options) (*run, error) {
	r := &run{Options: o, newRoot: tmpRoot}
	if err := o.Config.supported(); err != nil {
		return nil, err
	}
	target, err := Target(o.Cmdline)
	if err != nil {
		return nil, err
	}
	if r.physical, err = realpath(o.Sysroot); err != nil {
		return nil, err
	}
	if r.deploy, err = resolve(r.physical, target); err != nil {
		return nil, err
	}
	if r.asInit = r.physical == "/"; r.asInit {
		r.newRoot = r.deploy.path // the disk may be read-only yet: nothing can be made on it
	}
	r.tellTarget()
	r.readonly = r.wantReadonly()
	writable, err := isWritable(r.physical)
	if err != nil {
		return nil, err
	}
	r.logf("sysroot.readonly configuration value: %d (fs writable: %d)", flag(r.readonly), flag(writable))
	r.booted = booted{dev: r.deploy.dev, ino: r.deploy.ino, sysrootReadonly: r.readonly}
	return r, nil
}

// targetID is the kind of the message that names the deployment, as libostree numbers it.
const targetID = "7170336a73ba4601bad31af888aa0df7"

// tellTarget says which deployment was found, to the journal, too.
func (r *run) tellTarget() {
	text := "Resolved OSTree target to: " + r.deploy.path
	r.logf("%s", text)
	if r.Journal == "" {
		return
	}
	// Without an initramfs there is no journal yet.
	_ = journal.Entry{ID: targetID, Message: text, Fields: []journal.Field{
		{Name: "DEPLOYMENT_PATH", Value: strings.TrimPrefix(r.deploy.path, strings.TrimSuffix(r.physical, "/"))},
		{Name: "DEPLOYMENT_DEVICE", Value: strconv.FormatUint(r.deploy.dev, 10)},
		{Name: "DEPLOYMENT_INODE", Value: strconv.FormatUint(r.deploy.ino, 10)},
	}}.Send(r.Journal)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// wantReadonly asks prepare-root.conf and then, as the older way, the
// repository's configuration.
func (r *run) wantReadonly() bool {
	if r.Config.SysrootReadonly {
		return true
	}
	readonly, err := repoReadonly(path.Join(r.physical, "ostree/repo/config"))
	if err != nil {
		r.logf("%v", err)
	}
	if readonly {
		r.logf("Found legacy sysroot.readonly flag, not configured in %s", configPath)
	}
	return readonly
}

// state makes the directories in /run that other programs expect. Without
// initramfs there is no /run yet.
func (r *run) state() error {
	if r.asInit {
		return nil
	}
	if err := os.MkdirAll(runState, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(path.Join(runState, private), 0); err != nil && !os.IsExist(err) {
		return err
	}
	return nil
}

// unshare makes all mounts private: shared ones cannot be moved
// (sharedsubtree.rst in the kernel's documentation).
func (r *run) unshare() error { return mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }

// root binds the deployment to the place where the root is put together.
func (r *run) root() error {
	if !r.asInit {
		if err := os.Mkdir(r.newRoot, 0o755); err != nil && !os.IsExist(err) {
			return fmt.Errorf("couldn't create temporary sysroot %s: %v", r.newRoot, err)
		}
	}
	return bind(r.deploy.path, r.newRoot)
}

// boot shows /boot of the physical root, when the boot entries are there and
// not on a file system of their own, which is mounted later. A mount unit of
// Generate does the same where there was no initramfs, as after a soft reboot.
func (r *run) boot() error {
	if !isLink(path.Join(r.physical, "boot/loader")) || !isDir(path.Join(r.newRoot, "boot")) {
		return nil
	}
	return bind(path.Join(r.physical, "boot"), path.Join(r.newRoot, "boot"))
}

// etc gives /etc a mount of its own when it must stay writable in spite of a
// read-only /sysroot. Only then it may be an overlay that forgets changes: a
// writable /sysroot shows the deployment's own /etc in any case.
func (r *run) etc() error {
	etc := path.Join(r.newRoot, "etc")
	switch {
	case !r.readonly:
		return nil
	case r.Config.EtcTransient:
		dir, err := r.transientEtc(etc)
		r.booted.transientEtc = dir
		return err
	}
	return bindWritable(path.Join(r.deploy.path, "etc"), etc)
}

func (r *run) transientEtc(etc string) (string, error) {
	if err := os.MkdirAll(runState, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(runState, "transient-etc.")
	if err != nil {
		return "", err
	}
	for _, d := range []string{"upper", "work"} {
		if err := os.Mkdir(path.Join(dir, d), 0o755); err != nil {
			return "", err
		}
	}
	return dir, mount("overlay", etc, "overlay", 0,
		fmt.Sprintf("lowerdir=%s/usr/etc,upperdir=%s/upper,workdir=%s/work", r.newRoot, dir, dir))
}

// usr makes /usr read-only, or mounts the overlay of a hotfix.
func (r *run) usr() error {
	usr := path.Join(r.newRoot, "usr")
	upper, work := path.Join(r.deploy.path, ".usr-ovl-upper"), path.Join(r.deploy.path, ".usr-ovl-work")
	if !isDir(work) {
		if err := bind(usr, usr); err != nil {
			return err
		}
		return mount("", usr, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	writable, err := isWritable(r.newRoot)
	if err != nil {
		return err
	}
	var flags uintptr
	switch {
	case writable:
	case r.asInit: // nobody remounts before init starts, and an upper directory must be writable
		if err := mount("", r.newRoot, "", unix.MS_REMOUNT, ""); err != nil {
			return err
		}
	default:
		flags = unix.MS_RDONLY
	}
	return mount("overlay", usr, "overlay", flags, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", usr, upper, work))
}

// sysroot puts the physical root below the new one. A move would leave a cycle
// of mounts when the new root is an overlay on it, hence a bind mount and a
// lazy unmount. As process 1 we keep the mount: pivot_root does this.
func (r *run) sysroot() error {
	if r.asInit {
		return nil
	}
	inside := path.Join(r.newRoot, "sysroot")
	if err := bind(r.physical, inside); err != nil {
		return err
	}
	if err := unix.Unmount(r.physical, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("failed to detach %s: %v", r.physical, err)
	}
	target, err := Target(r.Cmdline)
	if err != nil {
		return err
	}
	r.deploy, err = resolve(inside, target)
	return err
}

// varDir shows the stateroot's var, unless a generator of the new root does.
func (r *run) varDir() error {
	state := path.Join(r.deploy.stateroot, "var")
	if r.readonly {
		if err := bindWritable(state, state); err != nil {
			return err
		}
	}
	if !r.asInit && !exists(mountVarMark) && exists(path.Join(r.newRoot, varGenerator)) {
		return nil
	}
	target := path.Join(r.newRoot, "var")
	if err := bind(state, target); err != nil {
		return err
	}
	// What is mounted below /var later must not show up in the stateroot.
	if err := mount("", target, "", unix.MS_SLAVE, ""); err != nil {
		return err
	}
	return mount("", target, "", unix.MS_SHARED, "")
}

// marks writes the files in /run that tell what was done.
func (r *run) marks() error {
	err := r.booted.write(bootedFile)
	if err == nil && r.readonly {
		err = os.WriteFile(readonlyMark, nil, 0o644)
	}
	if r.asInit {
		return nil // /run may be a directory of a read-only disk; see Generate
	}
	return err
}

// move puts the new root in its place.
func (r *run) move() error {
	if r.asInit {
		return r.pivot()
	}
	if err := mount(r.newRoot, r.physical, "", unix.MS_MOVE, ""); err != nil {
		return err
	}
	if err := os.Remove(r.newRoot); err != nil {
		return fmt.Errorf("couldn't remove temporary sysroot %s: %v", r.newRoot, err)
	}
	if !r.readonly {
		return nil
	}
	return mount("", path.Join(r.physical, "sysroot"), "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

// pivot swaps the root of this process with the new root.
func (r *run) pivot() error {
	if err := os.Chdir(r.newRoot); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "sysroot"); err != nil {
		return fmt.Errorf("failed to pivot_root to deployment: %v", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return mount("none", "sysroot", "", unix.MS_PRIVATE, "")
}

// Exec replaces this process by the init of the new root. It returns only on
// failure.
func Exec(env []string) error {
	err := unix.Exec(initProgram, []string{initProgram}, env)
	return fmt.Errorf("failed to exec init inside ostree: %v", err)
}
