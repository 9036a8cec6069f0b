// Package prepareroot makes an OSTree deployment the root file system while
// the machine boots. It finds the deployment that the kernel argument ostree=
// names and arranges mounts as libostree's ostree-prepare-root does:
//
//	/            the deployment, a bind mount
//	/usr         read-only, or the overlay of "ostree admin unlock --hotfix"
//	/etc         the deployment's own, writable
//	/var         the stateroot's var directory
//	/boot        that of the physical root, if it is on the same file system
//	/sysroot     the physical root
//
// and leaves /run/ostree-booted for the programs that come later.
//
// It works in an initramfs, where the physical root is mounted at /sysroot and
// systemd switches to it afterwards, and as process 1 of a kernel without
// initramfs, where it starts /sbin/init itself. Roots that must be composefs
// images are refused. Only mounts and files below /run change.
//
// What must be done about mounts later is here as well: Remount and Generator
// in the new root, and PrepareNext for a soft reboot to another deployment.
package prepareroot
