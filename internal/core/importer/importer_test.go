package importer

import (
	"cmp"
	"context"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
	"rpmostree/rpm"
)

// importFile imports a package file and returns its tree and where its objects are.
func importFile(t *testing.T, name string, opt Options) (tree.Tree, *repo.Transaction) {
	t.Helper()
	r, err := repo.Init(filepath.Join(t.TempDir(), "repo"), repo.InitOptions{Mode: repo.BareUser})
	if err != nil {
		t.Fatal(err)
	}
	tx, err := r.Begin(context.Background(), repo.TransactionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Abort(); r.Close() })
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := rpm.Open(f, rpm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := Import(p, tx, opt)
	if err != nil {
		t.Fatal(err)
	}
	return tr, tx
}

// The signatures of files are those that rpm prints, on request only.
func TestFileSignatures(t *testing.T) {
	treetest.Oracle(t, "rpm")
	name := filepath.Join(cmp.Or(os.Getenv("RPMOSTREE_SHARED"), "../../../../shared"),
		"data/rpms/rpm-rs/v4/signed/rpm-basic-with-ima-2.3.4-5.el9.noarch.rpm")
	if _, err := os.Stat(name); err != nil {
		t.Skip("no shared test data")
	}
	want := map[string]string{}
	for line := range strings.Lines(treetest.Run(t, "rpm", "-qp", "--nosignature", "--qf", `[%{FILENAMES} %{FILEMODES:octal} %{FILESIGNATURES}\n]`, name)) {
		f := strings.Fields(line)
		if len(f) == 3 && strings.HasPrefix(f[1], "100") {
			want[f[0]] = f[2]
		}
	}
	if len(want) == 0 {
		t.Fatal("the package has no signatures")
	}
	for _, ima := range []bool{true, false} {
		tr, tx := importFile(t, name, Options{IMA: ima})
		for path, signature := range want {
			place, err := PlaceOf("rpm-basic", &rpm.File{Path: path, Mode: 0o100644})
			if err != nil {
				t.Fatal(err)
			}
			e, err := tr.Lookup(place.Path)
			if err != nil {
				t.Fatal(err)
			}
			h, err := tx.FileHeader(e.Checksum)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, x := range IMA(h.Xattrs) {
				got = hex.EncodeToString(x.Value)
			}
			if ima && got != signature || !ima && got != "" {
				t.Errorf("%s, %v: signature %s, want %s", path, ima, got, signature)
			}
		}
	}
}

func TestSigned(t *testing.T) {
	for value, want := range map[string]string{
		"":                     "",
		"0302041234567800aabb": "0302041234567800aabb",
		"00000000000000000000": "", // not signed
		"0302":                 "", // too short to be one
		"030":                  "error",
		"zz":                   "error",
	} {
		f := &rpm.File{Path: "/usr/f", Mode: 0o104755, User: "games", IMA: value, Caps: "cap_net_raw=ep"}
		h, err := importHeader(f)
		got := ""
		for _, x := range IMA(h.Xattrs) {
			got = hex.EncodeToString(x.Value)
		}
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %q (%v), want %q", value, got, err, want)
		}
		if err == nil && (h.Mode&modeSetID != 0 || len(h.Xattrs) != len(IMA(h.Xattrs))) {
			t.Errorf("%q: another owner's rights: %+v", value, h)
		}
	}
	f := &rpm.File{Path: "/usr/f", Mode: 0o100755, IMA: "0302041234567800aabb", Caps: "cap_net_raw=ep"}
	h, err := importHeader(f)
	if err != nil || len(h.Xattrs) != 2 || !slices.IsSortedFunc(h.Xattrs, ostree.CompareXattrs) {
		t.Errorf("%+v, %v", h, err)
	}
	f.Mode = 0o120777
	if h, err := signed(h, f); err != nil || len(h.Xattrs) != 2 {
		t.Errorf("a link is signed: %+v, %v", h, err)
	}
}
