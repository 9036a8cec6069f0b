package ostree

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

// TestAgainstC parses and writes back every metadata object and the summary of a
// repository that the C tool made, and checks the names of all objects.
func TestAgainstC(t *testing.T) {
	dir := t.TempDir()
	repo, tree := dir+"/repo", dir+"/tree"
	for i := range 300 {
		sub := fmt.Sprintf("%s/d%d/%s", tree, i%17, strings.Repeat("n", i))
		if i == 0 {
			sub = tree + "/d0/zero"
		}
		if i > 200 {
			sub = fmt.Sprintf("%s/d%d/%s", tree, i%17, strings.Repeat("n", i-100))
		}
		if i > 250 {
			sub = fmt.Sprintf("%s/e%03d/x", tree, i)
		}
		os.MkdirAll(filepath.Dir(sub), 0o755)
		if err := os.WriteFile(sub, []byte(sub), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	os.Symlink("../some/target", tree+"/link")
	treetest.Run(t, "ostree", "--repo="+repo, "init", "--mode=archive")
	rev := ""
	for i := range 2 {
		args := []string{"--repo=" + repo, "commit", "-b", "main", "-s", "subject", "-m", "body\nlines", "--tree=dir=" + tree,
			"--add-metadata-string=version=1." + fmt.Sprint(i), "--add-metadata=n=uint64 5", "--owner-uid=3", "--generate-sizes"}
		rev = treetest.Run(t, "ostree", args...)
	}
	treetest.Run(t, "ostree", "--repo="+repo, "summary", "-u")
	checkObjects(t, repo)
	b, err := os.ReadFile(repo + "/summary")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSummary(b)
	if err != nil || !bytes.Equal(s.Marshal(), b) {
		t.Fatalf("summary: %v", err)
	}
	if r, ok := s.Lookup("main"); !ok || r.Checksum.String() != rev {
		t.Errorf("summary has %v for main, want %s", r, rev)
	}
}

func checkObjects(t *testing.T, repo string) {
	paths, _ := filepath.Glob(repo + "/objects/*/*")
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		var again []byte
		switch filepath.Ext(p) {
		case ".dirtree":
			var x DirTree
			x, err = ParseDirTree(b)
			again = x.Marshal()
		case ".dirmeta":
			var x DirMeta
			x, err = ParseDirMeta(b)
			again = x.Marshal()
		case ".commit":
			var x Commit
			x, err = ParseCommit(b)
			again = x.Marshal()
			sizes, _ := x.Metadata.Lookup(KeySizes)
			list, err := ParseSizes(sizes)
			if err != nil || !bytes.Equal(SizesValue(list).Bytes(), sizes.Bytes()) {
				t.Errorf("sizes of %s: %v", p, err)
			}
		case ".filez":
			r := bytes.NewReader(b)
			var h []byte
			if h, err = ReadFramed(r); err != nil {
				t.Fatal(err)
			}
			var x ZFileHeader
			x, err = ParseZFileHeader(h)
			again = append(Framed(x.Marshal()), b[len(b)-r.Len():]...)
		}
		if err != nil {
			t.Errorf("%s: %v", p, err)
		} else if !bytes.Equal(b, again) {
			t.Errorf("%s: written back differently\n% x\n% x", p, b, again)
		}
		name := filepath.Base(filepath.Dir(p)) + strings.TrimSuffix(filepath.Base(p), filepath.Ext(p))
		if filepath.Ext(p) != ".filez" && ChecksumOf(again).String() != name {
			t.Errorf("%s: checksum is %s", p, ChecksumOf(again))
		}
	}
	if len(paths) < 300 {
		t.Errorf("only %d objects", len(paths))
	}
}
