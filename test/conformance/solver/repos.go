package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"rpmostree/internal/core/sack"
	"rpmostree/rpmmd"
	"rpmostree/solv"
	"rpmostree/solv/testcase"
)

// primary returns the file of a repository's primary metadata.
func primary(repo string) (string, error) {
	files, err := filepath.Glob(filepath.Join(repo, "repodata", "*primary.xml.gz"))
	if err == nil && len(files) != 1 {
		err = fmt.Errorf("%s: %d files of primary metadata", repo, len(files))
	}
	if err != nil {
		return "", err
	}
	return files[0], nil
}

// index makes the index of a repository's packages, as rpm-ostree has it in its cache.
func index(dir string) (*rpmmd.Index, error) {
	file, err := primary(dir)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := rpmmd.IndexPrimary(z, &b, file); err != nil {
		return nil, err
	}
	return rpmmd.OpenIndex(b.Bytes(), file)
}

// load adds the packages of an index to a sack.
func load(s *sack.Sack, name string, x *rpmmd.Index) *solv.Repo {
	s.AddRepo(name, 99, 1000)
	s.AddIndex(name, x)
	return s.Repo(name)
}

// save writes a repository for testsolv. libsolv's own format would be faster to read, but it sorts
// dependencies, and their order decides which of two recommended packages comes that conflict.
func save(p *solv.Pool, r *solv.Repo, name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := testcase.WriteTestTags(f, p, r); err != nil {
		return err
	}
	return f.Close()
}

// testsolv runs a case of several runs and returns the result lines of each.
func testsolv(ctx context.Context, name string) ([][]string, error) {
	cmd := exec.CommandContext(ctx, "testsolv", "-r", name)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("testsolv: %w\n%s", err, &stderr)
	}
	var runs [][]string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "test ") && strings.HasSuffix(line, ":"):
			runs = append(runs, nil)
		case len(runs) == 0: // a case of one run has no heading
			runs = append(runs, []string{line})
		default:
			runs[len(runs)-1] = append(runs[len(runs)-1], line)
		}
	}
	return runs, nil
}

// unsolved reports that the lines of a result tell of a problem.
func unsolved(lines []string) bool {
	for _, l := range lines {
		if strings.HasPrefix(l, "problem ") {
			return true
		}
	}
	return false
}
