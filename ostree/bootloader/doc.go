// Package bootloader holds what an OSTree sysroot tells a boot loader: kernel
// argument lists and the entries of the Boot Loader Specification, type 1.
//
// Both follow libostree: arguments keep their order, entries are written with
// a fixed order of keys, and entries sort by their version, highest first.
package bootloader
