package bootloader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
)

// grub2 is GRUB 2 with a generated configuration: boot/grub2/grub.cfg is a link
// to ../loader/grub.cfg, or a file on the EFI system partition, which has no
// links.
type grub2 struct {
	efi  string // directory of grub.cfg on the EFI system partition, below boot
	lost bool   // there is an efiConfig, but no such directory
}

// efiConfig, in boot/loader.V, is the configuration for the EFI system partition until that has
// it. It takes effect as the boot entries do, and is found without the partition.
const efiConfig = "grub.cfg.efi"

func (*grub2) Name() string   { return "grub2" }
func (g *grub2) Atomic() bool { return g.efi == "" }

// Active is false if bootupd has installed a static configuration. It is true of an efiConfig
// without its partition, too.
func (g *grub2) Active(t Target) (bool, error) {
	state, err := readBeneath(t.Boot, "bootupd-state.json")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("Failed to read bootupd config: %w", err)
	}
	if s := string(state); strings.Contains(s, `"static-configs"`) && !strings.Contains(s, `"static-configs":null`) {
		return false, nil
	}
	for _, dir := range []string{"grub2", "grub"} {
		f, err := t.Boot.OpenBeneath(dir+"/grub.cfg", unix.O_PATH, 0, dirfd.InRoot)
		if err == nil {
			f.Close()
			return true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
			return false, err
		}
	}
	if ok, err := g.findEFI(t); ok || err != nil {
		return ok, err
	}
	g.lost, err = existsBeneath(t.Boot, t.dir(), efiConfig)
	return g.lost, err
}

// findEFI looks for the configuration of some vendor.
func (g *grub2) findEFI(t Target) (bool, error) {
	vendors, err := t.Boot.OpenDirBeneath("efi/EFI", dirfd.InRoot)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer vendors.Close()
	entries, err := vendors.ReadDir()
	if err != nil {
		return false, err
	}
	slices.SortFunc(entries, func(a, b dirfd.Entry) int { return strings.Compare(a.Name, b.Name) })
	for _, e := range entries {
		if e.Name == "BOOT" {
			continue
		}
		ok, err := existsBeneath(vendors, e.Name, "grub.cfg")
		if err != nil {
			return false, err
		}
		if ok {
			g.efi = path.Join("efi/EFI", e.Name)
			return true, nil
		}
	}
	return false, nil
}

// Write runs GRUB's own generator, which calls back for the menu entries; see
// GRUB2Menu. What is not read from boot/loader is prepared on the EFI system partition,
// so that a full one is noticed before anything has changed.
func (g *grub2) Write(ctx context.Context, t Target) error {
	out := path.Join(t.dir(), "grub.cfg")
	if g.efi != "" {
		out = path.Join(t.dir(), efiConfig)
	}
	file := filepath.Join(t.Root, "boot", out)
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	cmd, err := g.command(ctx, t, out)
	if err != nil {
		return err
	}
	text, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", cmd.Args[0], err, text)
	}
	if t.env("OSTREE_DEBUG_GRUB2") != "" || t.env("INVOCATION_ID") != "" { // a unit of systemd has a journal
		_, _ = os.Stderr.Write(text)
	}
	if err := syncFile(file); err != nil || g.efi == "" {
		return err
	}
	return g.toEFI(t, func(_, to *dirfd.Dir, config []byte) error {
		_, err := prepareEFI(to, config)
		return err
	})
}

// Finish makes the configuration that of the EFI system partition. Until then the
// machine boots what that has, which is whole: had it the new one before, the next
// cleanup after an interruption would remove the kernels that it names.
func (g *grub2) Finish(_ context.Context, t Target) error {
	switch {
	case g.lost:
		return fmt.Errorf("boot/%[1]s/%[2]s may not be on the EFI system partition yet: mount that below boot/efi. "+
			"If there is none any more, set sysroot.bootloader to none if the boot loader reads boot entries, "+
			"or rename it to boot/%[1]s/grub.cfg if GRUB reads that", t.dir(), efiConfig)
	case g.efi == "":
		return nil
	}
	return g.toEFI(t, func(from, to *dirfd.Dir, config []byte) error {
		changed, err := prepareEFI(to, config)
		if err == nil && changed {
			// On FAT it is the file's inode that has the new place in the directory to be written,
			// so that a sync of the directory is not enough.
			err = errors.Join(to.Rename("grub.cfg.new", to, "grub.cfg"), to.SyncFS())
		}
		if err := errors.Join(err, failpoint.At("bootloader.finish")); err != nil {
			return err
		}
		return errors.Join(from.Unlink(efiConfig), from.Sync())
	})
}

// toEFI calls do with the target's directory, that on the EFI system partition, and what the
// latter shall have. Without an efiConfig nothing is done.
func (g *grub2) toEFI(t Target, do func(from, to *dirfd.Dir, config []byte) error) error {
	from, err := t.Boot.OpenDirBeneath(t.dir(), dirfd.NoSymlinks)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer from.Close()
	config, err := from.ReadFile(efiConfig, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	to, err := t.Boot.OpenDirBeneath(g.efi, dirfd.InRoot)
	if err != nil {
		return err
	}
	defer to.Close()
	return do(from, to, config)
}

// command returns the generator, to write the file out, a path below /boot.
func (g *grub2) command(ctx context.Context, t Target, out string) (*exec.Cmd, error) {
	boot := filepath.Join(t.Root, "boot")
	program := t.env("OSTREE_GRUB2_EXEC")
	var cmd *exec.Cmd
	switch {
	case program != "" && !strings.HasSuffix(program, "grub2-mkconfig"), program != "" && t.Chroot == "":
		cmd = exec.CommandContext(ctx, program, "-o", filepath.Join(boot, out))
	case t.Chroot != "":
		if program == "" {
			program = "grub2-mkconfig"
		}
		cmd = t.chroot(ctx, boot, program, "-o", path.Join("/boot", out))
	default:
		found, err := exec.LookPath("grub2-mkconfig")
		if err != nil {
			if found, err = exec.LookPath("grub-mkconfig"); err != nil { // as Debian calls it
				return nil, errors.New("grub2-mkconfig is not found; OSTREE_GRUB2_EXEC may name another generator, such as /usr/lib/ostree/ostree-grub-generator")
			}
		}
		cmd = exec.CommandContext(ctx, found, "-o", filepath.Join(boot, out))
	}
	cmd.Env = append(os.Environ(), "_OSTREE_GRUB2_BOOTVERSION="+strconv.Itoa(t.Version))
	if g.efi != "" {
		cmd.Env = append(cmd.Env, "_OSTREE_GRUB2_IS_EFI=1")
	}
	return cmd, nil
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Fdatasync(int(f.Fd()))
}

// prepareEFI writes a configuration beside grub.cfg, as grub.cfg.new, and keeps the present one as
// grub.cfg.old. It reports whether they differ.
func prepareEFI(dir *dirfd.Dir, config []byte) (changed bool, err error) {
	old, err := dir.ReadFile("grub.cfg", maxConfig)
	if err != nil || bytes.Equal(old, config) {
		return false, err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{"grub.cfg.new", config}, {"grub.cfg.old", old}} {
		if err := writeFAT(dir, f.name, f.data); err != nil {
			_ = dir.Unlink(f.name) // there may be a part of it
			_ = dir.Unlink("grub.cfg.new")
			return false, err
		}
	}
	return true, nil
}

// writeFAT writes a file where there are neither modes nor files without a name. One that is the
// same is only synced, which who wrote it may not have lived to do.
func writeFAT(dir *dirfd.Dir, name string, data []byte) error {
	have, err := dir.ReadFile(name, maxConfig)
	same := err == nil && bytes.Equal(have, data)
	flags := unix.O_WRONLY
	if !same {
		flags |= unix.O_CREAT | unix.O_TRUNC
	}
	f, err := dir.OpenFile(name, flags, 0o644)
	if err != nil {
		return err
	}
	if !same {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// GRUB2Menu describes the menu entries that GRUB's generator asks for.
type GRUB2Menu struct {
	Entries []*Entry
	// DeviceID and PrepareRoot are results of the generator's own functions
	// grub_get_device_id and prepare_grub_to_access_device.
	DeviceID, PrepareRoot string
	EFI                   bool
}

// Marshal returns the menu entries as commands of GRUB.
func (m GRUB2Menu) Marshal() ([]byte, error) {
	var b strings.Builder
	suffix := ""
	switch x86 := runtime.GOARCH == "amd64" || runtime.GOARCH == "386"; {
	case x86 && m.EFI:
		suffix = "efi"
	case x86:
		suffix = "16" // the protocol of BIOS machines
	}
	for i, e := range m.Entries {
		linux, err := required(e, "linux")
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "menuentry %s --class gnu-linux --class gnu --class os --unrestricted %s {\n",
			shellQuote(title(e)), shellQuote(fmt.Sprintf("ostree-%d-%s", i, m.DeviceID)))
		b.WriteString("load_video\nset gfxpayload=keep\ninsmod gzio\n" + m.PrepareRoot + "\n")
		b.WriteString("linux" + suffix + " " + linux)
		if v, ok := e.Get("options"); ok {
			b.WriteString(" " + v)
		}
		b.WriteByte('\n')
		if v, ok := e.Get("initrd"); ok {
			b.WriteString("initrd" + suffix + " " + v + "\n")
		}
		if v, ok := e.Get("devicetree"); ok {
			b.WriteString("devicetree " + v + "\n")
		}
		b.WriteString("}\n")
	}
	return []byte(b.String()), nil
}

// shellQuote puts s in single quotes.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
