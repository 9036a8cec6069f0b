// Boot boots the deployment of a sysroot directory, runs commands in it, and shuts down:
//
//	go run ./test/e2e/boot -sysroot DIR 'rpm -qa | wc -l' REBOOT 'systemctl --failed'
//
// With -qemu it makes a disk of the sysroot and boots that in an emulated machine, with
// the deployment's own kernel. The word REBOOT reboots, CRASH cuts the power and boots.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"rpmostree/test/e2e/initramfs"
	"rpmostree/test/e2e/machine"
	"rpmostree/test/e2e/nspawn"
	"rpmostree/test/e2e/qemu"
)

type options struct {
	sysroot       string
	entry         int
	qemu, fast    bool
	allowDegraded bool
}

func main() {
	var o options
	flag.StringVar(&o.sysroot, "sysroot", "/", "directory with the deployments")
	flag.IntVar(&o.entry, "entry", 0, "boot entry, 0 is the default")
	flag.BoolVar(&o.qemu, "qemu", false, "emulate a machine with a disk made of the sysroot")
	flag.BoolVar(&o.fast, "fast", false, "with -qemu, use a small initramfs in place of the deployment's")
	flag.BoolVar(&o.allowDegraded, "degraded", false, "accept failed units")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, commands []string) (err error) {
	start := time.Now()
	m, clean, err := o.boot(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close(), clean()) }()
	fmt.Printf("up after %.1f s\n", time.Since(start).Seconds())
	for _, c := range commands {
		start := time.Now()
		switch c {
		case "REBOOT":
			err = m.Reboot(ctx)
		case "CRASH":
			if err = m.Crash(); err == nil {
				err = m.Start(ctx)
			}
		default:
			var r machine.Result
			r, err = m.Run(ctx, c)
			fmt.Print(r.Output)
			if r.Status != 0 {
				fmt.Printf("[status %d] ", r.Status)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		fmt.Printf("[%.1f s] %s\n", time.Since(start).Seconds(), c)
	}
	return m.Shutdown(ctx)
}

func (o options) boot(ctx context.Context) (m machine.Machine, clean func() error, err error) {
	clean = func() error { return nil }
	if !o.qemu {
		m, err = nspawn.Boot(ctx, nspawn.Config{Sysroot: o.sysroot, Entry: o.entry, AllowDegraded: o.allowDegraded})
		return m, clean, err
	}
	dir, err := os.MkdirTemp("", "boot-")
	if err != nil {
		return nil, clean, err
	}
	clean = func() error { return os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			err = errors.Join(err, clean())
		}
	}()
	c := qemu.Config{Disk: filepath.Join(dir, "disk.img"), Entry: o.entry, AllowDegraded: o.allowDegraded}
	if err := qemu.MakeDisk(ctx, o.sysroot, c.Disk, 0); err != nil {
		return nil, clean, err
	}
	if o.fast {
		// the first deployment's modules will do: all kernels have the same few
		modules, err := filepath.Glob(filepath.Join(o.sysroot, "ostree/deploy/*/deploy/*/usr/lib/modules/*"))
		if err != nil {
			return nil, clean, err
		}
		if len(modules) == 0 {
			return nil, clean, fmt.Errorf("%s: no deployment with a kernel", o.sysroot)
		}
		c.Initrd = filepath.Join(dir, "initrd")
		if err := initramfs.Build(ctx, modules[0], c.Initrd); err != nil {
			return nil, clean, err
		}
	}
	m, err = qemu.Boot(ctx, c)
	return m, clean, err
}
