package ostree

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"rpmostree/ostree/bootloader"
	"rpmostree/ostree/sysroot"
)

func adminUnlockCommand() *command {
	c := &command{name: "unlock", about: "Make the current deployment mutable (as a hotfix or development)", scope: sysrootScope}
	var hotfix, transient bool
	c.flag(&hotfix, "hotfix", 0, "Retain changes across reboots")
	c.flag(&transient, "transient", 0, "Mount overlayfs read-only by default")
	c.run = func(e *env) error {
		if len(e.args) > 0 {
			return usagef("This command takes no extra arguments")
		}
		mode, text := sysroot.UnlockedDevelopment, "Development mode enabled.  A writable overlayfs is now mounted on /usr.\nAll changes there will be discarded on reboot.\n"
		switch {
		case hotfix && transient:
			return errors.New("Cannot specify both --hotfix and --transient")
		case hotfix:
			mode, text = sysroot.UnlockedHotfix, "Hotfix mode enabled.  A writable overlayfs is now mounted on /usr\nfor this booted deployment.  A non-hotfixed clone has been created\nas the non-default rollback target.\n"
		case transient:
			mode, text = sysroot.UnlockedTransient, "A writable overlayfs is prepared for /usr, but is mounted read-only by default.\nAll changes there will be discarded on reboot.\n"
		}
		if err := sysroot.EnsureWritableShared(); err != nil {
			return err
		}
		err := e.withLock(func(s *sysroot.Sysroot, st *sysroot.State) error { return s.Unlock(e.ctx, st, mode) })
		if err == nil {
			e.printf("%s", text)
		}
		return err
	}
	return c
}

func adminLockFinalizationCommand() *command {
	c := &command{name: "lock-finalization", about: "Change the finalization locking state of the staged deployment", scope: sysrootScope}
	unlock := false
	c.flag(&unlock, "unlock", 'u', "Unlock finalization")
	c.run = func(e *env) error {
		return e.withState(func(s *sysroot.Sysroot, st *sysroot.State) error {
			d, ok := st.Staged()
			switch {
			case !ok:
				return errors.New("No staged deployment")
			case unlock && !d.FinalizationLocked:
				e.printf("Staged deployment is already prepared for finalization\n")
				return nil
			case !unlock && d.FinalizationLocked:
				e.printf("Staged deployment is already finalization locked\n")
				return nil
			}
			if err := s.SetFinalizationLock(d, !unlock); err != nil {
				return err
			}
			if unlock {
				e.printf("Staged deployment is now queued to apply on shutdown\n")
			} else {
				e.printf("Staged deployment is now finalization locked\n")
			}
			return nil
		})
	}
	return c
}

// grub2GenerateCommand is called by GRUB's configuration generator.
func grub2GenerateCommand() *command {
	c := &command{name: "grub2-generate", args: "[BOOTVERSION]", about: "Generate GRUB2 configuration from given BLS entries", scope: sysrootScope}
	c.run = func(e *env) error {
		for _, name := range []string{"GRUB2_BOOT_DEVICE_ID", "GRUB2_PREPARE_ROOT_CACHE"} {
			if _, ok := os.LookupEnv(name); !ok {
				return fmt.Errorf("%s is not set: this command is for a script of grub2-mkconfig", name)
			}
		}
		version := -1
		text := os.Getenv("_OSTREE_GRUB2_BOOTVERSION")
		if len(e.args) > 0 {
			text = e.args[0]
		}
		if text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 || n > 1 {
				return errors.New("Invalid bootversion: " + text)
			}
			version = n
		}
		s, err := e.openAsRoot()
		if err != nil {
			return err
		}
		defer s.Close()
		entries, err := s.BootEntries(version)
		if err != nil {
			return err
		}
		menu, err := bootloader.GRUB2Menu{
			Entries: entries, DeviceID: os.Getenv("GRUB2_BOOT_DEVICE_ID"),
			PrepareRoot: os.Getenv("GRUB2_PREPARE_ROOT_CACHE"), EFI: os.Getenv("_OSTREE_GRUB2_IS_EFI") != "",
		}.Marshal()
		if err == nil {
			e.printf("%s", menu)
		}
		return err
	}
	return c
}
