package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// wrappers are shell scripts that stand before programs of the machine, or of the project,
// in PATH. $real is the program itself.
var wrappers = map[string]string{
	// test-delta.sh makes a delta of the program that it finds as ostree, and counts on it to
	// be smaller than the 4 MB from which on a file is left out of deltas.
	"ostree": `exec "$real" "$@"`,
	// test-switchroot.sh makes a link for each name in the list, beside a copy of busybox:
	// Debian's names itself, too.
	"busybox": `[ "$*" = --list ] || exec "$real" "$@"
"$real" --list | grep -vx busybox`,
}

// labelWrappers let scripts see a machine whose files have labels: libtest.sh leaves out
// all extended attributes where a new file has none.
var labelWrappers = map[string]string{
	"getfattr": `for file; do :; done
case "$LABELS $*" in
yes*"-n security.selinux "*) "$real" -n security.selinux "$file" >/dev/null 2>&1 || setfattr -n security.selinux -v label "$file" ;;
esac
exec "$real" "$@"`,
	// basic-test.sh shows attributes of a file that it has given one, the label first.
	"setfattr": `for file; do :; done
case "$LABELS $*" in
yes*"-n user."*) "$real" -n security.selinux -v label "$file" 2>/dev/null ;;
esac
exec "$real" "$@"`,
}

// wrap puts the wrappers into a directory, of those programs that there are. own has the
// project's.
func wrap(dir, own string, scripts map[string]string) error {
	for name, script := range scripts {
		program := filepath.Join(own, name)
		if _, err := os.Stat(program); err != nil {
			if program, err = exec.LookPath(name); err != nil {
				continue
			}
		}
		text := fmt.Sprintf("#!/bin/sh\nreal='%s'\n%s\n", program, script)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// canLabel tells whether labels can be given to files below a directory although no security
// module gives them any.
func canLabel(dir string) (bool, error) {
	if _, err := os.Stat("/sys/fs/selinux/enforce"); err == nil {
		return false, nil
	}
	file := filepath.Join(dir, "label")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		return false, err
	}
	err := unix.Setxattr(file, "security.selinux", []byte("label"), 0)
	return err == nil, os.Remove(file)
}
