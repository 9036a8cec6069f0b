// Package bootloader holds what an OSTree sysroot tells a boot loader: kernel
// argument lists, the entries of the Boot Loader Specification, type 1, and the
// configurations of boot loaders that do not read such entries.
//
// All follow libostree: arguments keep their order, entries are written with a
// fixed order of keys and sort by their version, highest first. Find returns
// the Loader of a sysroot: Syslinux, GRUB 2, U-Boot, zipl or aboot.
package bootloader
