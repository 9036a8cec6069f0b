package rpmdb

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/rpm"
)

// shared returns the path of test data that is not part of the project.
func shared(t testing.TB, path string) string {
	t.Helper()
	root := os.Getenv("RPMOSTREE_SHARED")
	if root == "" {
		root = "../../../shared"
	}
	path = filepath.Join(root, "data", path)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no test data: %v", err)
	}
	return path
}

// oracle skips the test if a program of the reference implementation is
// missing, which CI does not forgive.
func oracle(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", program)
	}
	t.Skipf("%s is not installed", program)
}

// run returns the standard output of a program, which must succeed.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := tryRun(name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return out
}

func tryRun(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	// rpm reports the zone-dependent and the translated; neither is wanted.
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	out, err := cmd.Output()
	if err != nil {
		err = &runError{err, stderr.String()}
	}
	return string(out), err
}

type runError struct {
	err    error
	stderr string
}

func (e *runError) Error() string { return e.err.Error() + ": " + e.stderr }

// sampleDBs are databases of real systems.
var sampleDBs = []struct {
	name, file string
	format     Format
	packages   int
	keys       int
}{
	{"fedora35", "fedora35/rpmdb.sqlite", SQLite, 137, 1},
	{"rockylinux-9", "rockylinux-9/rpmdb.sqlite", SQLite, 142, 0},
	{"rpm-upstream", "rpm-upstream-misc/rpmdb.sqlite", SQLite, 2, 1},
	{"sle15-bci", "sle15-bci/Packages.db", NDB, 35, 0},
	{"centos5", "centos5-plain/Packages", BDB, 110, 0},
	{"ubi8-s390x", "ubi8-s390x/Packages", BDB, 181, 2},
	{"libuuid", "libuuid/Packages", BDB, 1, 0},
}

func openSample(t testing.TB, file string) *DB {
	t.Helper()
	db, err := Open(shared(t, filepath.Join("rpmdbs", file)))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// copySample copies a database of a sample to a new directory, which the
// programs of rpm may write to.
func copySample(t testing.TB, file string) (dir string) {
	t.Helper()
	data, err := os.ReadFile(shared(t, filepath.Join("rpmdbs", file)))
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), data, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// readPackage returns the two headers of a package file.
func readPackage(path string) (sig, hdr *rpm.Header, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if _, err := f.Seek(96, io.SeekStart); err != nil { // the lead
		return nil, nil, err
	}
	if sig, err = rpm.ReadSignatureHeader(f); err != nil {
		return nil, nil, err
	}
	hdr, err = rpm.ReadHeader(f)
	return sig, hdr, err
}

// samplePackages returns the paths of all binary packages in the test data.
func samplePackages(t testing.TB) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(shared(t, "rpms"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".rpm") && !strings.HasSuffix(path, ".src.rpm") {
			out = append(out, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
