package ostree

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

// TestFsyncPolicies counts what both programs wait for on the disk.
func TestFsyncPolicies(t *testing.T) {
	strace, c := treetest.Oracle(t, "strace"), needC(t)
	dir := t.TempDir()
	sampleTree(t, filepath.Join(dir, "tree"))
	const files = 4 // of the tree that are regular, and differ
	for _, tt := range []struct {
		name          string
		config        []string // of core
		args          []string
		syncs, fsyncs bool // of the file system, and of each file
	}{
		{"usual", nil, nil, true, false},
		{"--fsync=false", nil, []string{"--fsync=false"}, false, false},
		{"--disable-fsync", nil, []string{"--disable-fsync"}, false, false},
		{"core.fsync=false", []string{"fsync=false"}, nil, false, false},
		{"core.fsync=false, --fsync=true", []string{"fsync=false"}, []string{"--fsync=true"}, false, false},
		{"core.per-object-fsync", []string{"per-object-fsync=true"}, nil, true, true},
		{"core.per-object-fsync, --fsync=false", []string{"per-object-fsync=true"}, []string{"--fsync=false"}, false, false},
	} {
		for i, program := range []string{c, self(t)} {
			repo := filepath.Join(t.TempDir(), "repo")
			if out, status := theirs(t, c, dir, "--repo="+repo, "init", "--mode=archive"); status != 0 {
				t.Fatal(out)
			}
			for _, kv := range tt.config {
				key, value, _ := strings.Cut(kv, "=")
				if out, status := theirs(t, c, dir, "--repo="+repo, "config", "set", "core."+key, value); status != 0 {
					t.Fatal(out)
				}
			}
			log := filepath.Join(t.TempDir(), "log")
			args := append([]string{"-f", "-q", "-o", log, "-e", "trace=syncfs,fsync,fdatasync,sync", program, "--repo=" + repo, "commit", "--branch=x", "tree"}, tt.args...)
			cmd := exec.CommandContext(t.Context(), strace, args...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			data, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			syncs, fsyncs := strings.Count(string(data), " syncfs("), strings.Count(string(data), " fsync(")+strings.Count(string(data), " fdatasync(")
			if (syncs > 0) != tt.syncs || (syncs+fsyncs > 0) != tt.syncs || tt.fsyncs && fsyncs < files {
				t.Errorf("%s: program %d: %d times the file system, %d times a file", tt.name, i, syncs, fsyncs)
			}
		}
	}
}
