package prepareroot

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

var errNoTarget = errors.New("No ostree target found")

// Android boot loaders choose a slot in place of a deployment; these links
// lead to it.
const (
	slotA = "/ostree/root.a"
	slotB = "/ostree/root.b"
)

// Target returns the path below the physical root of the link to the
// deployment that a kernel command line chooses: the value of ostree=, or the
// link of an Android slot.
func Target(cmdline string) (string, error) {
	switch slot, ok := kernelArg(cmdline, "androidboot.slot_suffix"); {
	case ok && slot == "_a":
		return slotA, nil
	case ok && slot == "_b":
		return slotB, nil
	case ok:
		return "", fmt.Errorf("androidboot.slot_suffix invalid: %s", slot)
	}
	for arg := range strings.FieldsSeq(cmdline) {
		if strings.HasPrefix(arg, "androidboot.") {
			return slotA, nil // not an A/B device
		}
	}
	target, ok := kernelArg(cmdline, "ostree")
	if !ok || target == "" {
		return "", errNoTarget
	}
	return target, nil
}

// kernelArg returns the value of the first argument key=value.
func kernelArg(cmdline, key string) (string, bool) {
	for arg := range strings.FieldsSeq(cmdline) {
		if value, ok := strings.CutPrefix(arg, key+"="); ok {
			return value, true
		}
	}
	return "", false
}

// deployment is where a deployment lies.
type deployment struct {
	path      string // absolute, no symbolic links
	stateroot string // absolute path of the stateroot, which has var
	dev, ino  uint64
}

// resolve follows the link target below the physical root. It refuses what
// is not at STATEROOT/deploy/NAME in that root; upstream does not look at the name either.
func resolve(root, target string) (deployment, error) {
	link := path.Join(root, path.Clean("/"+target))
	st, err := os.Lstat(link)
	if err != nil {
		return deployment{}, fmt.Errorf("Couldn't find specified OSTree root '%s': %v", link, err)
	}
	if st.Mode()&os.ModeSymlink == 0 {
		return deployment{}, fmt.Errorf("OSTree target is not a symbolic link: %s", link)
	}
	dir, err := filepath.EvalSymlinks(link)
	if err != nil {
		return deployment{}, fmt.Errorf("realpath(%s) failed: %v", link, err)
	}
	parent := path.Dir(dir)
	stateroot := path.Dir(parent)
	if path.Base(parent) != "deploy" || path.Dir(stateroot) != path.Join(root, "ostree/deploy") {
		return deployment{}, fmt.Errorf("OSTree target %s leads to %s, which is not a deployment", link, dir)
	}
	var s unix.Stat_t
	if err := unix.Stat(dir, &s); err != nil {
		return deployment{}, fmt.Errorf("stat(%s) failed: %v", dir, err)
	}
	if s.Mode&unix.S_IFMT != unix.S_IFDIR {
		return deployment{}, fmt.Errorf("OSTree target %s is not a directory", dir)
	}
	return deployment{dir, stateroot, uint64(s.Dev), s.Ino}, nil
}
