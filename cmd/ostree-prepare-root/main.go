// Ostree-prepare-root makes the deployment that the kernel command line
// chooses the root file system.
//
//	ostree-prepare-root SYSROOT [KERNEL_CMDLINE]
//
// In an initramfs SYSROOT is /sysroot, where the disk is mounted. As process 1
// arguments are ignored: the disk is /, and /sbin/init of the deployment is
// started afterwards.
//
// It is two more programs, by the name that it is called with:
//
//	ostree-remount
//	ostree-system-generator [NORMAL_DIR EARLY_DIR LATE_DIR]
//
// The first restores the state of mounts when the system has come up, the second
// makes units for systemd; see systemd.generator(7).
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"rpmostree/internal/journal"
	"rpmostree/ostree/sysroot/prepareroot"
)

func main() {
	name, do := path.Base(os.Args[0]), run
	switch name {
	case "ostree-remount":
		do = remount
	case "ostree-system-generator":
		do = generate
	default:
		name = "ostree-prepare-root"
	}
	if err := do(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func remount([]string) error { return prepareroot.Remount(os.Stdout) }

// generate writes to /tmp without arguments, as all generators do.
func generate(args []string) error {
	dir := "/tmp"
	switch len(args) {
	case 0:
	case 3:
		dir = args[0]
	default:
		return errors.New("This program takes three or no arguments")
	}
	cmdline, err := procCmdline()
	if err != nil {
		return err
	}
	return prepareroot.Generator{Root: "/", Cmdline: cmdline, Dir: dir}.Run()
}

func run(args []string) error {
	if os.Getpid() == 1 {
		return runAsInit()
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return errors.New("usage: ostree-prepare-root SYSROOT [KERNEL_CMDLINE]")
	}
	var cmdline string
	if len(args) > 1 {
		cmdline = args[1]
	} else {
		var err error
		if cmdline, err = procCmdline(); err != nil {
			return err
		}
	}
	return prepare(args[0], cmdline, os.Stdout)
}

func runAsInit() error {
	cmdline, err := cmdlineAsInit()
	if err != nil {
		return err
	}
	if err := prepare("/", cmdline, nil); err != nil {
		return err
	}
	return prepareroot.Exec(os.Environ())
}

func prepare(sysroot, cmdline string, log io.Writer) error {
	config, err := prepareroot.LoadConfig("/", cmdline)
	if err != nil {
		return err
	}
	return prepareroot.Run(prepareroot.Options{Sysroot: sysroot, Cmdline: cmdline, Config: config, Log: log, Journal: journal.Socket})
}

func procCmdline() (string, error) {
	b, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return "", fmt.Errorf("Failed to read kernel cmdline: %v", err)
	}
	return strings.TrimSuffix(string(b), "\n"), nil
}

// cmdlineAsInit mounts /proc for as long as it reads from it: process 1 finds
// the file system as the kernel left it.
func cmdlineAsInit() (string, error) {
	cmdline, err := procCmdline()
	if err == nil {
		return cmdline, nil
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_SILENT, ""); err != nil {
		return "", fmt.Errorf("failed to mount proc on /proc: %v", err)
	}
	if cmdline, err = procCmdline(); err != nil {
		return "", err
	}
	if err := unix.Unmount("/proc", 0); err != nil {
		return "", fmt.Errorf("failed to umount proc from /proc: %v", err)
	}
	return cmdline, nil
}
