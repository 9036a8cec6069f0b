package sysroot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
	"rpmostree/internal/journal"
	"rpmostree/ostree/bootloader"
)

// WriteOptions changes how a list of deployments is written.
type WriteOptions struct {
	// NoClean leaves what the new list does not need any more for a later
	// Cleanup.
	NoClean bool

	noEarlyPrune bool
	rewrite      bool // even if the list is the present one
}

// Write makes list the deployments of the sysroot, in boot order, and returns
// the new state. st is the present state. The lock must be held.
//
// Deployments of the list which Deploy has made become bootable, those of the
// state which are not in the list go. A staged deployment stays if it is the
// first of the list. The change is atomic: after a crash the machine boots by
// the old list or by the new one.
func (s *Sysroot) Write(ctx context.Context, st *State, list []Deployment, o WriteOptions) (*State, error) {
	if s.boot == nil {
		return nil, fmt.Errorf("opening %s/boot: %w", s.path, fs.ErrNotExist)
	}
	if err := s.checkBoot(); err != nil {
		return nil, err
	}
	if err := s.finishLoader(ctx, st); err != nil {
		return nil, fmt.Errorf("Finishing bootloader: %w", err)
	}
	st, err := s.pruneEarly(ctx, st, list, o)
	if err != nil {
		return nil, err
	}
	before, given := st, list
	st, list, dropped, err := s.takeStaged(st, list)
	if err != nil {
		return nil, err
	}
	if err := s.dropSoftReboot(before, given); err != nil {
		return nil, err
	}
	list = renumber(list)
	needsBoot, same := s.compareLists(st.Deployments, list)
	if same && !o.rewrite {
		if dropped {
			if err := s.touch(); err != nil {
				return nil, err
			}
		}
		return s.Load()
	}
	if err := s.checkList(st, list); err != nil {
		return nil, err
	}
	done, err := s.switchTo(ctx, st, list, needsBoot)
	if err != nil {
		return nil, err
	}
	s.record(done.entry(s.repo.BootConfig().Loader, len(st.Deployments), len(list)))
	if err := s.touch(); err != nil {
		return nil, err
	}
	next, err := s.Load()
	if err != nil {
		return nil, fmt.Errorf("Reloading deployments after commit: %w", err)
	}
	if o.NoClean {
		return next, nil
	}
	if err := s.Cleanup(ctx, next); err != nil {
		return nil, fmt.Errorf("Performing final cleanup: %w", err)
	}
	return next, nil
}

// checkBoot refuses file systems that have no symbolic links.
func (s *Sysroot) checkBoot() error {
	st, err := s.boot.Statfs()
	if err != nil {
		return err
	}
	if st.Type == unix.MSDOS_SUPER_MAGIC {
		return errors.New("/boot cannot currently be a vfat filesystem")
	}
	return nil
}

// takeStaged removes the staged deployment from both lists: it has no boot
// entry. If the new list does not begin with it, it is dropped for good.
func (s *Sysroot) takeStaged(st *State, list []Deployment) (*State, []Deployment, bool, error) {
	keep := len(list) > 0 && list[0].Staged
	list = withoutStaged(list)
	staged, ok := st.Staged()
	if !ok {
		return st, list, false, nil
	}
	if !keep {
		if err := s.dropStaged(staged); err != nil {
			return nil, nil, false, err
		}
	}
	rest := *st
	rest.Deployments = renumberOnly(withoutStaged(st.Deployments))
	return &rest, list, !keep, nil
}

func withoutStaged(list []Deployment) []Deployment {
	return slices.DeleteFunc(slices.Clone(list), func(d Deployment) bool { return d.Staged })
}

// renumber returns the list with the places and boot serials that it implies.
func renumber(list []Deployment) []Deployment {
	list = renumberOnly(slices.Clone(list))
	serials := make(map[string]int)
	for i := range list {
		csum := list[i].BootChecksum
		list[i].BootSerial = serials[csum]
		serials[csum]++
	}
	return list
}

func renumberOnly(list []Deployment) []Deployment {
	for i := range list {
		list[i].Index = i
	}
	return list
}

// compareLists reports whether the new list needs new boot entries, and
// whether it is the old one. Entries are not needed if all that they say
// stays true when the links in ostree/boot.V change.
func (s *Sysroot) compareLists(old, list []Deployment) (needsBoot, same bool) {
	if len(old) != len(list) {
		return true, false
	}
	same = true
	for i, d := range list {
		if !s.sameBoot(old[i], d) {
			return true, false
		}
		same = same && old[i].Same(d)
	}
	return false, same
}

func (s *Sysroot) sameBoot(a, b Deployment) bool {
	return a.BootChecksum == b.BootChecksum && a.OSName == b.OSName &&
		slices.Equal(a.Overlays, b.Overlays) &&
		kargsWithoutOstree(a) == kargsWithoutOstree(b) &&
		s.commitVersion(a) == s.commitVersion(b)
}

func kargsWithoutOstree(d Deployment) string {
	k := d.Kargs()
	k.Replace("ostree")
	return k.String()
}

func (s *Sysroot) checkList(st *State, list []Deployment) error {
	for _, d := range list {
		dir, err := s.ostree.OpenDirBeneath(d.path(), dirfd.NoSymlinks)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("Unable to find expected deployment root: %s", s.DeploymentPath(d))
		}
		if err != nil {
			return err
		}
		dir.Close()
	}
	booted, ok := st.Booted()
	if ok && !slices.ContainsFunc(list, booted.Same) {
		return errors.New("Attempting to remove booted deployment")
	}
	return nil
}

// switched is what there is to say of a new list of deployments.
type switched struct {
	links    string // directory of the links to the deployments
	bootSwap bool   // there are new boot entries
	loader   string // name of the boot loader that was told; "" if there is none
	atomic   bool   // the change is, or there was nothing to tell a boot loader
}

// entry returns the message for the user and the journal. config is the boot loader of the
// repository's configuration, before and after are the numbers of deployments.
func (w switched) entry(config string, before, after int) journal.Entry {
	what := "Bootloader updated"
	if w.atomic {
		what = "Transaction complete"
	}
	return journal.Entry{
		ID: completeID,
		Message: fmt.Sprintf("%s; bootconfig swap: %s; bootversion: %s, deployment count change: %d",
			what, yesNo(w.bootSwap), w.links, after-before),
		Fields: []journal.Field{
			field("OSTREE_BOOTLOADER", cmp.Or(w.loader, "none")),
			field("OSTREE_BOOTLOADER_CONFIG", config),
			field("OSTREE_BOOTLOADER_ATOMIC", yesNo(w.atomic)),
			field("OSTREE_DID_BOOTSWAP", yesNo(w.bootSwap)),
			field("OSTREE_N_DEPLOYMENTS", after),
		},
	}
}

// switchTo makes list what boots.
func (s *Sysroot) switchTo(ctx context.Context, st *State, list []Deployment, needsBoot bool) (done switched, err error) {
	if !needsBoot {
		name, err := s.switchLinks(st, list)
		return switched{links: name, atomic: true}, err
	}
	done.bootSwap = true
	version := 1 - st.BootVersion
	entries, err := s.writeEntries(version, st.Deployments, list)
	if err != nil {
		return done, err
	}
	sub, err := s.readSubBootVersion(version)
	if err != nil {
		return done, err
	}
	if done.links, err = s.writeLinks(version, sub, list); err != nil {
		return done, err
	}
	if err := s.swapLinks(version, done.links); err != nil {
		return done, err
	}
	loader, target, err := s.findLoader(version, list, entries)
	if err != nil {
		return done, err
	}
	if loader != nil {
		if err := loader.Write(ctx, target); err != nil {
			return done, fmt.Errorf("Bootloader write config: %w", err)
		}
		done.loader, done.atomic = loader.Name(), loader.Atomic()
	}
	if err := s.swapLoader(version); err != nil {
		return done, err
	}
	if loader != nil {
		err = loader.Finish(ctx, target)
	}
	return done, err
}

// switchLinks makes list what boots by the entries there are.
func (s *Sysroot) switchLinks(st *State, list []Deployment) (string, error) {
	name, err := s.writeLinks(st.BootVersion, st.SubBootVersion, list)
	if err != nil {
		return "", err
	}
	if err := s.sync(); err != nil {
		return "", err
	}
	if err := failpoint.At("sysroot.boot.linked"); err != nil {
		return "", err
	}
	return name, s.swapLinks(st.BootVersion, name)
}

// findLoader returns the boot loader that must be told of new entries, or nil.
func (s *Sysroot) findLoader(version int, list []Deployment, entries []*bootloader.Entry) (bootloader.Loader, bootloader.Target, error) {
	config := s.repo.BootConfig()
	t := bootloader.Target{
		Root: s.path, Boot: s.boot, Ostree: s.ostree, Version: version, Entries: entries, BootPrefix: config.Prefix, Env: os.Getenv,
	}
	if !s.booted && s.path != "/" && len(list) > 0 {
		t.Chroot = s.DeploymentPath(list[0])
	}
	l, err := bootloader.Find(config.Loader, t)
	return l, t, err
}

// writeEntries writes boot/loader.V, which nothing uses yet. old are the present deployments.
func (s *Sysroot) writeEntries(version int, old, list []Deployment) ([]*bootloader.Entry, error) {
	w := s.bootWriter(version, old, list)
	name := fmt.Sprintf("loader.%d", version)
	if err := s.boot.RemoveAll(name); err != nil { // of a change that was interrupted
		return nil, err
	}
	dir, err := s.boot.CreatePath(name+"/entries", 0o755)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	var entries []*bootloader.Entry
	for _, d := range list {
		e, err := w.write(dir, d)
		if err != nil {
			return nil, fmt.Errorf("Installing kernel: %w", err)
		}
		entries = append(entries, e)
	}
	return entries, failpoint.At("sysroot.boot.entries")
}

// writeLinks makes the links to the deployments in the directory boot.V.S that
// is not in use, and returns its name. sub is the subbootversion in use.
func (s *Sysroot) writeLinks(version, sub int, list []Deployment) (string, error) {
	name := fmt.Sprintf("boot.%d.%d", version, 1-sub)
	if err := s.ostree.RemoveAll(name); err != nil {
		return "", err
	}
	top, err := s.ostree.Create(name, 0o755)
	if err != nil {
		return "", err
	}
	defer top.Close()
	for _, d := range list {
		dir, err := top.CreatePath(d.OSName+"/"+d.BootChecksum, 0o755)
		if err != nil {
			return "", err
		}
		err = dir.Symlink("../../../"+d.path(), strconv.Itoa(d.BootSerial))
		dir.Close()
		if err != nil {
			return "", err
		}
	}
	return name, failpoint.At("sysroot.boot.links")
}

// swapLinks makes boot.V point to the directory name.
func (s *Sysroot) swapLinks(version int, name string) error {
	if err := replaceLink(s.ostree, name, fmt.Sprintf("boot.%d", version)); err != nil {
		return fmt.Errorf("Swapping new version bootlinks: %w", err)
	}
	return failpoint.At("sysroot.boot.linkswapped")
}

// swapLoader makes boot/loader point to loader.V. This is the moment at which
// the new deployments become those that boot.
func (s *Sysroot) swapLoader(version int) error {
	if err := s.boot.Symlink(".", "boot"); err != nil && !errors.Is(err, fs.ErrExist) {
		return err // boot/boot lets paths be the same with /boot on a file system of its own
	}
	if err := replaceLink(s.boot, fmt.Sprintf("loader.%d", version), "loader.tmp"); err != nil {
		return err
	}
	if err := s.sync(); err != nil {
		return err
	}
	if err := failpoint.At("sysroot.boot.written"); err != nil {
		return err
	}
	if err := s.boot.Rename("loader.tmp", s.boot, "loader"); err != nil {
		return fmt.Errorf("Final bootloader swap: %w", err)
	}
	if err := failpoint.At("sysroot.boot.swapped"); err != nil {
		return err
	}
	return s.syncBoot()
}

// replaceLink makes or replaces a symbolic link atomically.
func replaceLink(dir *dirfd.Dir, target, name string) error {
	tmp := name + ".tmp"
	if err := dir.Unlink(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := dir.Symlink(target, tmp); err != nil {
		return err
	}
	if err := dir.Rename(tmp, dir, name); err != nil {
		_ = dir.Unlink(tmp) // nobody else looks for it
		return err
	}
	return nil
}

// touch tells other processes, by the time of ostree/deploy, that something
// changed.
func (s *Sysroot) touch() error {
	now := unix.NsecToTimespec(time.Now().UnixNano())
	err := unix.UtimesNanoAt(s.ostree.FD(), "deploy", []unix.Timespec{now, now}, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return &fs.PathError{Op: "utimensat", Path: "ostree/deploy", Err: err}
	}
	return nil
}
