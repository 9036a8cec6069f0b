// Package e2e holds the tests that boot what is composed and deployed.
package e2e
