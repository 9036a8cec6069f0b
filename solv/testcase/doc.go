// Package testcase reads the testcase language of libsolv (".t" files, and the "testtags" form of
// repositories), runs the cases on package solv, and words the results the same way, so that
// cases written for libsolv, or by dnf's --debugsolver, can be checked.
package testcase
