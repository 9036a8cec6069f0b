package sysroot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"rpmostree/gvariant"
	"rpmostree/internal/dirfd"
	"rpmostree/internal/keyfile"
	"rpmostree/ostree"
	"rpmostree/ostree/bootloader"
)

// MaxEntries bounds the number of boot entries that are read.
const MaxEntries = 4096

// maxVariant bounds the size of the state files below /run.
const maxVariant = 1 << 20

// Load opens the sysroot at path, reads its state and closes it.
func Load(path string) (*State, error) {
	s, err := Open(path, Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Load()
}

// Load reads the state. That of a new sysroot has no deployments. A boot entry
// that leads to no deployment is an error, and so is a running system that has
// none.
func (s *Sysroot) Load() (*State, error) {
	st, err := s.load()
	if err != nil {
		return nil, fmt.Errorf("loading sysroot: %w", err)
	}
	return st, nil
}

func (s *Sysroot) load() (*State, error) {
	st := &State{}
	deploy, err := s.ostree.Stat("deploy")
	if err != nil {
		return nil, err
	}
	st.Changed = deploy.Mtim.Nano()
	if st.BootVersion, err = s.readBootVersion(); err != nil {
		return nil, err
	}
	if st.SubBootVersion, err = s.readSubBootVersion(st.BootVersion); err != nil {
		return nil, err
	}
	entries, err := s.readEntries(st.BootVersion)
	if err != nil {
		return nil, err
	}
	running, err := s.findRunning()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		d, err := s.deploymentOfEntry(e, running)
		if err != nil {
			return nil, err
		}
		st.Deployments = append(st.Deployments, d)
	}
	if err := s.markBooted(st, running); err != nil {
		return nil, err
	}
	if err := s.addStaged(st); err != nil {
		return nil, err
	}
	return st, s.markSoftReboot(st)
}

// readBootVersion reads the link boot/loader.
func (s *Sysroot) readBootVersion() (int, error) {
	if s.boot == nil {
		return 0, nil
	}
	st, err := s.boot.Stat("loader")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, err
	case st.Mode&unix.S_IFMT != unix.S_IFLNK:
		return 0, errors.New("Not a symbolic link: boot/loader")
	}
	switch target, err := s.boot.Readlink("loader"); {
	case err != nil:
		return 0, err
	case target == "loader.0":
		return 0, nil
	case target == "loader.1":
		return 1, nil
	default:
		return 0, fmt.Errorf("Invalid target '%s' in boot/loader", target)
	}
}

// readSubBootVersion reads the link ostree/boot.V.
func (s *Sysroot) readSubBootVersion(version int) (int, error) {
	name := fmt.Sprintf("boot.%d", version)
	target, err := s.ostree.Readlink(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("Reading current subbootversion: %w", err)
	case strings.HasSuffix(target, ".0"):
		return 0, nil
	case strings.HasSuffix(target, ".1"):
		return 1, nil
	}
	return 0, fmt.Errorf("Reading current subbootversion: Invalid target '%s' in ostree/%s", target, name)
}

// BootEntries returns the boot entries of a bootversion, 0 or 1, in boot order;
// -1 stands for the one in use.
func (s *Sysroot) BootEntries(version int) ([]*bootloader.Entry, error) {
	if version < 0 {
		var err error
		if version, err = s.readBootVersion(); err != nil {
			return nil, err
		}
	}
	return s.readEntries(version)
}

// readEntries returns the boot entries of a bootversion in boot order.
func (s *Sysroot) readEntries(version int) ([]*bootloader.Entry, error) {
	if s.boot == nil {
		return nil, nil
	}
	at := fmt.Sprintf("loader.%d/entries", version)
	dir, err := s.boot.OpenDirBeneath(at, dirfd.InRoot)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	files, err := dir.ReadDir()
	if err != nil {
		return nil, err
	}
	if len(files) > MaxEntries {
		return nil, fmt.Errorf("more than %d boot entries", MaxEntries)
	}
	slices.SortFunc(files, func(a, b dirfd.Entry) int { return strings.Compare(a.Name, b.Name) })
	var entries []*bootloader.Entry
	for _, f := range files {
		if !strings.HasPrefix(f.Name, "ostree-") || !strings.HasSuffix(f.Name, ".conf") {
			continue
		}
		e, err := s.readEntry(at, f.Name)
		if err != nil {
			return nil, fmt.Errorf("Parsing %s: %w", f.Name, err)
		}
		if e != nil {
			entries = append(entries, e)
		}
	}
	bootloader.SortEntries(entries)
	return entries, nil
}

// readEntry reads the boot entry name in a directory below boot. It returns nil if
// that is no regular file, nor a link to one below boot.
func (s *Sysroot) readEntry(dir, name string) (*bootloader.Entry, error) {
	f, err := s.boot.OpenBeneath(path.Join(dir, name), unix.O_RDONLY|unix.O_NONBLOCK, 0, dirfd.InRoot)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, bootloader.MaxEntrySize+1))
	if err != nil {
		return nil, err
	}
	return bootloader.ParseEntry(name, text)
}

// ostreeArg returns the kernel argument ostree= of a boot entry as the initramfs
// finds it: the first one, whatever is quoted.
func ostreeArg(e *bootloader.Entry) (string, bool) {
	options, _ := e.Get("options")
	for arg := range strings.SplitSeq(options, " ") {
		if target, ok := strings.CutPrefix(arg, "ostree="); ok {
			return target, true
		}
	}
	return "", false
}

// deploymentOfEntry follows the kernel argument ostree= of a boot entry.
func (s *Sysroot) deploymentOfEntry(e *bootloader.Entry, running running) (Deployment, error) {
	arg, ok := ostreeArg(e)
	if !ok {
		return Deployment{}, errors.New("No ostree= kernel argument found")
	}
	link, err := parseBootlink(arg)
	if err != nil {
		return Deployment{}, err
	}
	d, err := s.deploymentOfLink(link, running)
	if err != nil {
		return Deployment{}, fmt.Errorf("Parsing deployment %s in stateroot '%s': %w", arg, link.osname, err)
	}
	d.Entry = e
	for _, o := range e.Overlays {
		csum, ok := strings.CutSuffix(path.Base(o), ".img")
		if _, err := ostree.ParseChecksum(csum); !ok || err != nil {
			return Deployment{}, fmt.Errorf("Malformed overlay initrd filename: %s", path.Base(o))
		}
		d.Overlays = append(d.Overlays, csum)
	}
	return d, nil
}

func (s *Sysroot) deploymentOfLink(link bootlink, running running) (Deployment, error) {
	rel := strings.TrimPrefix(link.String(), "/ostree/")
	dir, err := s.ostree.OpenDirBeneath(path.Dir(rel), dirfd.Beneath)
	if err != nil {
		return Deployment{}, err
	}
	defer dir.Close()
	target, err := dir.Readlink(path.Base(rel))
	if err != nil {
		return Deployment{}, err
	}
	d := Deployment{OSName: link.osname, BootChecksum: link.checksum, BootSerial: link.serial}
	if d.Checksum, d.Serial, err = parseName(path.Base(target)); err != nil {
		return Deployment{}, err
	}
	root, err := s.ostree.OpenDirBeneath(rel, dirfd.Beneath)
	if err != nil {
		return Deployment{}, err
	}
	defer root.Close()
	var st unix.Stat_t
	if err := unix.Fstat(root.FD(), &st); err != nil {
		return Deployment{}, err
	}
	// What is not at its place would be taken for garbage.
	at, err := statBeneath(s.ostree, d.path())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Deployment{}, err
	}
	if err != nil || at.Dev != st.Dev || at.Ino != st.Ino {
		return Deployment{}, fmt.Errorf("the link leads to %s, and not to ostree/%s", target, d.path())
	}
	d.Booted = running.known && uint64(st.Dev) == running.dev && st.Ino == running.ino
	return d, s.loadDetails(&d)
}

// loadDetails reads what lies beside a deployment.
func (s *Sysroot) loadDetails(d *Deployment) error {
	var err error
	if d.Origin, err = s.readOrigin(*d); err != nil {
		return err
	}
	d.Unlocked = UnlockedNone
	switch state := filepath.Join(s.host.run, "ostree/deployment-state", d.Name()); {
	case lexists(filepath.Join(state, "unlocked-development")):
		d.Unlocked = UnlockedDevelopment
	case lexists(filepath.Join(state, "unlocked-transient")):
		d.Unlocked = UnlockedTransient
	case d.Origin != nil && d.Origin.Get("origin", "unlocked") == string(UnlockedHotfix):
		d.Unlocked = UnlockedHotfix
	}
	return nil
}

func lexists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// readOrigin returns nil if there is no origin file, or a link that leads nowhere. A link may
// lead to one, but not out of the ostree directory.
func (s *Sysroot) readOrigin(d Deployment) (*keyfile.File, error) {
	f, err := s.ostree.OpenBeneath(d.originPath(), unix.O_RDONLY|unix.O_NONBLOCK, 0, dirfd.InRoot)
	if errors.Is(err, fs.ErrNotExist) {
		if _, outside := os.Stat(s.DeploymentPath(d) + ".origin"); errors.Is(outside, fs.ErrNotExist) {
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, keyfile.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	origin, err := keyfile.Parse(b)
	if err == nil && !utf8.Valid(b) {
		err = errors.New("Invalid UTF-8")
	}
	if err != nil {
		return nil, fmt.Errorf("Parsing ostree/%s: %w", d.originPath(), err)
	}
	return origin, nil
}

// running identifies the directory of the running deployment.
type running struct {
	known    bool
	dev, ino uint64
}

// findRunning asks /run/ostree-booted, which names the directory below overlays
// that may hide it, and else takes the root directory as it is.
func (s *Sysroot) findRunning() (running, error) {
	if !s.booted {
		return running{}, nil
	}
	b, err := readVariantFile(filepath.Join(s.host.run, "ostree-booted"))
	if err != nil {
		return running{}, err
	}
	if v, ok := b.Lookup("backing-root-device-inode"); ok && v.Type() == "(tt)" {
		return running{true, v.Index(0).Uint64(), v.Index(1).Uint64()}, nil
	}
	var st unix.Stat_t
	if err := unix.Stat(s.host.root, &st); err != nil {
		return running{}, err
	}
	return running{true, uint64(st.Dev), st.Ino}, nil
}

// readVariantFile reads an a{sv}; an empty file is an empty one.
func readVariantFile(path string) (gvariant.Value, error) {
	f, err := os.Open(path)
	if err != nil {
		return gvariant.Value{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxVariant+1))
	if err != nil {
		return gvariant.Value{}, err
	}
	if len(b) > maxVariant {
		return gvariant.Value{}, fmt.Errorf("%s is larger than %d bytes", path, maxVariant)
	}
	return gvariant.New("a{sv}", b, hostOrder()), nil
}

// markBooted makes sure that one deployment is the booted one if the sysroot
// is that of the running system. If none has the right directory, as below an
// overlay, the kernel command line tells which it is.
func (s *Sysroot) markBooted(st *State, running running) error {
	if _, ok := st.Booted(); ok || !s.booted {
		return nil
	}
	cmdline, err := os.ReadFile(s.host.cmdline)
	if err == nil {
		kargs := bootloader.ParseKargs(strings.TrimSpace(string(cmdline)))
		if arg, ok := kargs.Last("ostree"); ok && s.markByLink(st, arg) {
			return nil
		}
	}
	if s.boot == nil || !s.has(s.boot, "loader") {
		return errors.New("Unexpected state: /run/ostree-booted found, but no /boot/loader directory")
	}
	return errors.New("Unexpected state: /run/ostree-booted found and in / sysroot, but bootloader entry not found")
}

func (s *Sysroot) markByLink(st *State, arg string) bool {
	link, err := parseBootlink(arg)
	if err != nil {
		return false
	}
	booted, err := s.deploymentOfLink(link, running{})
	if err != nil {
		return false
	}
	for i := range st.Deployments {
		if st.Deployments[i].Same(booted) {
			st.Deployments[i].Booted = true
			return true
		}
	}
	return false
}

func (s *Sysroot) has(dir *dirfd.Dir, name string) bool {
	ok, err := dir.Exists(name)
	return ok && err == nil
}

// addStaged puts the staged deployment first and numbers all of them.
func (s *Sysroot) addStaged(st *State) error {
	staged, ok, err := s.readStaged()
	if err != nil {
		return fmt.Errorf("Loading staged deployment: %w", err)
	}
	if ok {
		st.Deployments = slices.Insert(st.Deployments, 0, staged.deployment)
		st.stagedMerge = staged.merge
	}
	for i := range st.Deployments {
		st.Deployments[i].Index = i
	}
	return nil
}
