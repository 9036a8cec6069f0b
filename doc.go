// Package rpmostree is the root of the module. It holds no code: the libraries
// are in the folders below it, and deps_test.go states which may import which.
package rpmostree
