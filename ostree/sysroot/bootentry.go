package sysroot

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
	"rpmostree/internal/selinux"
	"rpmostree/ostree/bootloader"
	"rpmostree/ostree/repo"
)

const overlaysDir = "ostree/initramfs-overlays" // below boot

// bootWriter writes the boot entries and kernels of a new bootversion.
type bootWriter struct {
	s          *Sysroot
	version    int
	old        []Deployment // that there were, in boot order
	count      int          // of deployments
	showOSName bool         // there are several stateroots
	prefix     string       // of paths in entries: "/", or "/boot/" if the loader sees the whole root
	config     repo.BootConfig
}

func (s *Sysroot) bootWriter(version int, old, list []Deployment) *bootWriter {
	w := &bootWriter{s: s, version: version, old: old, count: len(list), prefix: "/", config: s.repo.BootConfig()}
	if w.config.Prefix {
		w.prefix = "/boot/"
	}
	for _, d := range list {
		w.showOSName = w.showOSName || d.OSName != list[0].OSName
	}
	return w
}

// write installs the kernel of d and writes its entry into dir. It returns the
// entry.
func (w *bootWriter) write(dir *dirfd.Dir, d Deployment) (*bootloader.Entry, error) {
	root, err := w.s.ostree.OpenDirBeneath(d.path(), dirfd.NoSymlinks)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	k, err := findKernel(root, !w.s.opts.NoDeviceTree)
	if err != nil {
		return nil, err
	}
	policy, err := policyOf(root)
	if err != nil {
		return nil, err
	}
	if err := w.install(root, k, d, policy); err != nil {
		return nil, err
	}
	e, err := w.entry(root, k, d)
	if err != nil {
		return nil, err
	}
	text, err := e.Marshal()
	if err != nil {
		return nil, err
	}
	return e, dir.WriteFileAtomic(w.fileName(d), text, 0o644, false)
}

// bootDir is the directory of d's kernel, relative to boot.
func bootDir(d Deployment) string { return "ostree/" + d.OSName + "-" + d.BootChecksum }

// install puts the files of k into /boot, as far as they are not there: the
// name of the directory is their digest.
func (w *bootWriter) install(root *dirfd.Dir, k *kernel, d Deployment, p *selinux.Policy) error {
	to, err := w.s.boot.CreatePath(bootDir(d), 0o775)
	if err != nil {
		return err
	}
	defer to.Close()
	from, err := root.OpenDirBeneath(k.dir, dirfd.InRoot)
	if err != nil {
		return err
	}
	defer from.Close()
	for _, f := range k.files() {
		src, err := root.OpenBeneath(path.Join(k.dir, f.src), unix.O_RDONLY, 0, dirfd.InRoot)
		if err != nil {
			return err
		}
		err = w.installFile(int(src.Fd()), to, f.dst, p)
		src.Close()
		if err := errors.Join(err, failpoint.At("sysroot.boot.kernel")); err != nil {
			return err
		}
	}
	if k.devicetree.src != "" && k.devicetree.dst == "" {
		// Labels of the modules directory would be wrong in /boot.
		if err := (copier{times: true}).tree(from, to, k.devicetree.src, 0); err != nil {
			return err
		}
	}
	return w.installOverlays(d, p)
}

// installOverlays moves additional initramfs images from /run to /boot.
func (w *bootWriter) installOverlays(d Deployment, p *selinux.Policy) error {
	if len(d.Overlays) == 0 {
		return nil
	}
	to, err := w.s.boot.CreatePath(overlaysDir, 0o755)
	if err != nil {
		return err
	}
	defer to.Close()
	for _, csum := range d.Overlays {
		name := csum + ".img"
		if ok, err := to.Exists(name); ok || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		from, err := dirfd.Open(w.s.stagedInitrds())
		if err != nil {
			return err
		}
		src, err := from.OpenFile(csum, unix.O_RDONLY, 0)
		from.Close()
		if err != nil {
			return err
		}
		err = w.installFile(int(src.Fd()), to, name, p)
		src.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// installFile links or copies an open file, unless the name is taken. A copy gets
// the label of files in /boot and, where that is wanted and possible, fs-verity.
func (w *bootWriter) installFile(src int, to *dirfd.Dir, name string, p *selinux.Policy) error {
	if ok, err := to.Exists(name); ok || err != nil {
		return err
	}
	err := dirfd.LinkFD(src, to.FD(), name)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, unix.EXDEV) && !errors.Is(err, unix.EMLINK) && !errors.Is(err, unix.EPERM):
		return fmt.Errorf("linkat(%s): %w", name, err)
	}
	dst, err := to.TmpFile(0o600)
	if err != nil {
		return err
	}
	defer dst.Close()
	if err := dirfd.CopyFile(int(dst.Fd()), src); err != nil {
		return fmt.Errorf("Copying %s: %w", name, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(src, &st); err != nil {
		return err
	}
	if err := (copier{}).attributes(src, int(dst.Fd()), &st); err != nil {
		return fmt.Errorf("Copying attributes of %s: %w", name, err)
	}
	if err := setLabel(p, int(dst.Fd()), "/boot/"+name, unix.S_IFREG|0o644); err != nil {
		return err
	}
	if err := unix.Fdatasync(int(dst.Fd())); err != nil {
		return err
	}
	if err := dst.Link(to, name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if w.s.repo.Verity() == repo.VerityNo {
		return nil
	}
	dst.Close() // only what nobody writes can have it
	_, err = enableVerity(to.ProcPath(name))
	return err
}

// entry makes the boot entry of d from the one that it has.
func (w *bootWriter) entry(root *dirfd.Dir, k *kernel, d Deployment) (*bootloader.Entry, error) {
	e := &bootloader.Entry{}
	if d.Entry != nil {
		e = d.Entry.Clone()
	}
	title, err := w.title(root, d)
	if err != nil {
		return nil, err
	}
	e.Set("title", title)
	e.Set("version", strconv.Itoa(w.count-d.Index))
	at := w.prefix + bootDir(d) + "/"
	e.Set("linux", at+k.image.dst)

	kargs := e.Options()
	link := bootlink{w.version, d.OSName, d.BootChecksum, d.BootSerial}.String()
	e.Unset("initrd")
	e.Overlays = nil
	if k.initramfs.dst != "" {
		e.Set("initrd", at+k.initramfs.dst)
		for _, csum := range d.Overlays {
			e.Overlays = append(e.Overlays, w.prefix+overlaysDir+"/"+csum+".img")
		}
	} else {
		kargs.ReplaceVisible("init=" + link + "/usr/lib/ostree/ostree-prepare-root")
	}
	w.devicetree(e, k, at)
	if k.android.dst != "" {
		e.Set("aboot", "/"+bootDir(d)+"/"+k.android.dst)
		e.Set("abootcfg", "/"+d.Path()+"/usr/lib/ostree-boot/aboot.cfg")
	}
	// What is inherited may have a quotation mark that is not closed, or this key within quotation
	// marks. That is no reason to fail when the system shuts down.
	kargs.ReplaceVisible("ostree=" + link)
	e.Set("options", kargs.String())
	if arg, _ := ostreeArg(e); arg != link {
		return nil, fmt.Errorf("kernel arguments hide ostree=%s: %s", link, kargs)
	}
	switch {
	case d.Index > 0:
		for _, kv := range w.config.Append {
			e.Set(kv[0], kv[1])
		}
	case slices.ContainsFunc(w.old, d.Same) && !d.Same(w.old[0]): // it was not the default before
		unsetAppended(e, w.config)
	}
	e.Name = w.fileName(d)
	return e, nil
}

// unsetAppended takes the keys for all entries but the default one back from an entry that had them.
func unsetAppended(e *bootloader.Entry, config repo.BootConfig) {
	for _, kv := range config.Append {
		if have, ok := e.Get(kv[0]); ok && have == kv[1] {
			e.Unset(kv[0])
		}
	}
}

func (w *bootWriter) devicetree(e *bootloader.Entry, k *kernel, at string) {
	e.Unset("devicetree")
	e.Unset("fdtdir")
	switch {
	case k.devicetree.dst != "":
		e.Set("devicetree", at+k.devicetree.dst)
	case k.devicetree.src != "":
		e.Set("fdtdir", at+k.devicetree.src)
	}
}

// title is what a boot menu shows. Some loader configurations look for
// "(ostree" in it.
func (w *bootWriter) title(root *dirfd.Dir, d Deployment) (string, error) {
	title, err := readOSName(root)
	if err != nil {
		return "", err
	}
	if v := w.s.commitVersion(d); v != "" && !strings.Contains(title, v) {
		title += " " + v
	}
	osname := ""
	if w.showOSName {
		osname = ":" + d.OSName
	}
	return fmt.Sprintf("%s (ostree%s:%d)", title, osname, d.Index), nil
}

// fileName names the entry so that loaders which go by file names, as GRUB 2
// does, show them in the right order.
func (w *bootWriter) fileName(d Deployment) string {
	name := fmt.Sprintf("ostree-%d", w.count-d.Index)
	if w.s.opts.OldEntryNames {
		name += "-" + d.OSName
	}
	if w.config.Tries == 0 {
		return name + ".conf"
	}
	switch e := d.Entry; {
	case e == nil || e.Name == "":
		return fmt.Sprintf("%s+%d.conf", name, w.config.Tries)
	case e.TriesLeft == 0 && e.TriesDone == 0:
		return name + ".conf"
	default:
		return fmt.Sprintf("%s+%d-%d.conf", name, e.TriesLeft, e.TriesDone)
	}
}
