package rpmostree_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"rpmostree/internal/cli/ostree"
	"rpmostree/internal/cli/rpmostree"
	"rpmostree/test/mini"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"rpm-ostree": func() { os.Exit(rpmostree.Main(os.Args[1:], os.Stdout, os.Stderr)) },
		"ostree": func() {
			os.Exit(ostree.Main(context.Background(), os.Args[1:], ostree.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
		},
	})
}

// TestScripts runs the scripts in testdata/script. $MINI is the directory of a
// tiny distribution.
func TestScripts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	world := t.TempDir()
	if err := mini.Make(world); errors.Is(err, mini.ErrNoShell) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("MINI", world)
			e.Setenv("SOURCE_DATE_EPOCH", "1700000000")
			e.Setenv("OSTREE_SYSROOT_DEBUG", "mutable-deployments")
			return nil
		},
	})
}
