package sysroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"rpmostree/internal/treetest"

	"golang.org/x/sys/unix"
)

// tryWritable is the environment variable that makes this test program try to
// write to sysroot below the directory that it names, and nothing else.
const tryWritable = "SYSROOT_TEST_WRITABLE"

// beWriter is what the test program does then. With "outside" as its argument it
// makes a mount that the system sees, with "repo" it leaves boot alone.
func beWriter(root string) {
	names := []string{"sysroot", "boot"}
	switch strings.Join(os.Args[1:], " ") {
	case "repo":
		names = names[:1]
	case "outside":
		fmt.Println("mount:", inSystemMounts(func() error {
			return unix.Mount("tmpfs", root+"/run", "tmpfs", 0, "mode=700")
		}))
		return
	}
	err := ensureWritable(root, unix.MS_SLAVE, names...)
	if err == nil {
		err = os.WriteFile(root+"/sysroot/file", nil, 0o644)
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	fmt.Println("write:", err)
}

// TestEnsureWritable runs this test program in a root directory whose sysroot
// is read-only, once in the mount namespace of process 1 and once in its own.
func TestEnsureWritable(t *testing.T) {
	treetest.NeedRoot(t)
	if out, err := exec.Command("unshare", "-m", "-p", "-f", "true").CombinedOutput(); err != nil {
		treetest.Skip(t, "cannot make namespaces: ", string(out))
	}
	self, err := os.Executable()
	must(t, err)
	const prepare = `set -e
mount --make-rprivate /
mount -t tmpfs root "$R"
mkdir $R/sysroot $R/run
mount -t proc proc /proc
mount -t tmpfs disk $R/sysroot
mount -o remount,bind,ro $R/sysroot
cd $R
`
	const again = "$SELF\n(touch $R/sysroot/other) 2>/dev/null && echo leaked || echo kept\n"
	for _, tt := range []struct{ name, script, want string }{
		{"not booted", again, "write: read-only file system\nkept\n"},
		{"shared", "touch run/ostree-booted\n" + again, "write: <nil>\nkept\n"},
		{"broken boot", "touch run/ostree-booted; ln -s boot boot\n" + again, "write: too many levels of symbolic links\nkept\n"},
		{"broken boot, not needed", "touch run/ostree-booted; ln -s boot boot; SELF=\"$SELF repo\"\n" + again, "write: <nil>\nkept\n"},
		{"outside", "unshare -m --propagation private $SELF outside; stat -c %a run\n", "mount: <nil>\n700\n"},
		{"outside at once", "$SELF outside; stat -c %a run\n", "mount: <nil>\n700\n"},
		{"private", "touch run/ostree-booted\nunshare -m " + again, "write: <nil>\nkept\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			cmd := exec.Command("unshare", "-m", "-p", "-f", "sh", "-c", prepare+tt.script)
			cmd.Env = append(os.Environ(), "R="+root, "SELF="+self, tryWritable+"="+root)
			out, err := cmd.CombinedOutput()
			if err != nil || string(out) != tt.want {
				t.Errorf("%v\n%s\nwant\n%s", err, out, tt.want)
			}
		})
	}
}
