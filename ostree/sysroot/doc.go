// Package sysroot manages the deployments of a machine: bootable checkouts of
// commits that share a repository, with a /etc each and a /var for each
// stateroot.
//
//	ostree/repo                                 the repository
//	ostree/deploy/OS/var                        the stateroot's /var
//	ostree/deploy/OS/deploy/CSUM.SERIAL         a deployment
//	ostree/deploy/OS/deploy/CSUM.SERIAL.origin  where it came from
//	ostree/boot.V -> boot.V.S                   bootversion V, subbootversion S
//	ostree/boot.V.S/OS/BOOTCSUM/N               link to a deployment
//	boot/loader -> loader.V                     boot entries, highest version first
//	boot/ostree/OS-BOOTCSUM/                    kernel and initramfs
//
// The kernel argument ostree= of a boot entry names a link below ostree/boot.V.
// What the machine boots next therefore changes by one rename: of boot/loader
// if kernels or arguments change, of ostree/boot.V if not. All that happens
// before can be thrown away, and Cleanup does that.
//
// Open gives a Sysroot; Load reads its State, a value that does not change.
// Deploy and Write take a State to the next. Reading needs no privileges and
// writes nothing.
//
//   - A deployment's kernel, initramfs and device tree are in
//     usr/lib/modules/KVER or, older, in usr/lib/ostree-boot or boot.
//   - The bootchecksum (BOOTCSUM) is the digest of these files, or in the older
//     layouts a digest that is part of their names.
//   - The merge deployment is the one whose /etc and kernel arguments a new
//     deployment takes over.
//   - A staged deployment is checked out while the machine runs, and gets its
//     /etc and its boot entry when it shuts down.
package sysroot
