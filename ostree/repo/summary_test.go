package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/gvariant"
	"rpmostree/ostree"
)

// commitTo writes a commit without files to a branch.
func commitTo(t *testing.T, r *Repo, branch string, c ostree.Commit) ostree.Checksum {
	t.Helper()
	tx, err := r.Begin(context.Background(), TransactionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	if c.Meta, err = tx.WriteDirMeta(&ostree.DirMeta{Mode: 0o40755}); err == nil {
		c.Tree, err = tx.WriteDirTree(&ostree.DirTree{})
	}
	if err != nil {
		t.Fatal(err)
	}
	sum, err := tx.WriteCommit(&c)
	if err == nil {
		err = tx.SetRef("", branch, sum)
	}
	if err == nil {
		_, err = tx.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func setConfig(t *testing.T, r *Repo, pairs ...string) {
	t.Helper()
	k := r.Config()
	for i := 0; i < len(pairs); i += 2 {
		if err := k.Set("core", pairs[i], pairs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.SetConfig(k); err != nil {
		t.Fatal(err)
	}
}

// summaryNames are the refs of the summary that is there, those of other collections with
// their names.
func summaryNames(t *testing.T, r *Repo) string {
	t.Helper()
	data, _, err := r.ReadSummary()
	if err != nil || data == nil {
		t.Fatalf("summary %q, %v", data, err)
	}
	s, err := ostree.ParseSummary(data)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, ref := range s.Refs {
		names = append(names, ref.Name)
	}
	others, err := s.CollectionMap()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range others {
		for _, ref := range c.Refs {
			names = append(names, c.Collection+":"+ref.Name)
		}
	}
	return strings.Join(names, " ")
}

// TestAutoUpdateSummary changes refs in all ways: the summary always has them, and there is no
// branch that nobody has made.
func TestAutoUpdateSummary(t *testing.T) {
	for _, key := range []string{"auto-update-summary", "commit-update-summary"} {
		for _, collection := range []string{"", "org.example.Own"} {
			r := newRepo(t, Archive)
			setConfig(t, r, key, "true", "collection-id", collection)
			c := commitTo(t, r, "a", ostree.Commit{})
			for _, step := range []struct {
				change func() error
				want   string
			}{
				{func() error { return nil }, "a"},
				{func() error { return r.SetRef("", "b/c", c) }, "a b/c"},
				{func() error { return r.SetAlias("z", "a") }, "a b/c z"},
				{func() error { return r.SetRef("", "z", ostree.Checksum{}) }, "a b/c"},
				{func() error { return r.SetRef("origin", "d", c) }, "a b/c"},
				{func() error {
					tx, err := r.Begin(context.Background(), TransactionOptions{})
					if err != nil {
						return err
					}
					defer tx.Abort()
					if err := tx.SetMirrorRef(ostree.CollectionRef{Collection: "org.example.Other", Ref: "m"}, c); err != nil {
						return err
					}
					_, err = tx.Commit()
					return err
				}, "a b/c org.example.Other:m"},
				{func() error { return r.SetRef("", "a", ostree.Checksum{}) }, "b/c org.example.Other:m"},
			} {
				if err := step.change(); err != nil {
					t.Fatal(err)
				}
				if got := summaryNames(t, r); got != step.want {
					t.Errorf("%s, collection %q: refs %q, want %q", key, collection, got, step.want)
				}
			}
		}
	}
}

// TestSummaryTells has what is not in every summary.
func TestSummaryTells(t *testing.T) {
	r := newRepo(t, Archive)
	setConfig(t, r, "mode", "archive", "collection-id", "org.example.Own")
	meta := func(version string) gvariant.Value {
		var d gvariant.Dict
		d.Set(ostree.KeyVersion, gvariant.String(version))
		return d.Value()
	}
	commitTo(t, r, "empty-version", ostree.Commit{Metadata: meta("")})
	commitTo(t, r, "version", ostree.Commit{Metadata: meta("1.2"), Timestamp: 253402300799})
	c := commitTo(t, r, "far-away", ostree.Commit{Timestamp: 253402300800})
	newest := commitTo(t, r, "long-ago", ostree.Commit{Timestamp: math.MaxUint64})
	// Refs of the repository's own collection, which were pulled from elsewhere.
	for name, id := range map[string]string{"origin": "org.example.Own", "other": "org.example.Other", "broken": "org.example.Broken", "none": ""} {
		keys := [][2]string{{"url", "http://x"}}
		if id != "" {
			keys = append(keys, [2]string{"collection-id", id})
		}
		if err := r.AddRemote(name, keys); err != nil {
			t.Fatal(err)
		}
		if err := r.SetRef(name, "of-"+name, c); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.SetRef("origin", "version", newest); err != nil {
		t.Fatal(err)
	}
	k := r.Config()
	k.Set(`remote "broken"`, "gpg-verify", "perhaps")
	if err := r.SetConfig(k); err != nil {
		t.Fatal(err)
	}
	if err := r.RegenerateSummary(context.Background(), SummaryOptions{}); err != nil {
		t.Fatal(err)
	}
	want := "empty-version far-away long-ago of-origin version org.example.Broken:of-broken org.example.Other:of-other"
	if got := summaryNames(t, r); got != want {
		t.Errorf("refs %q, want %q", got, want)
	}
	data, _, _ := r.ReadSummary()
	s, err := ostree.ParseSummary(data)
	if err != nil {
		t.Fatal(err)
	}
	if mode, _ := s.Metadata.Lookup(ostree.KeySummaryMode); mode.Str() != "archive" {
		t.Errorf("mode %q", mode.Str())
	}
	for name, want := range map[string]string{
		"empty-version": "true true ", "far-away": "false false ", "long-ago": "true false ", "version": "true false ",
	} {
		ref, ok := s.Lookup(name)
		_, dated := ref.Timestamp()
		version, named := ref.Metadata.Lookup(ostree.KeySummaryCommitVersion)
		if got := fmt.Sprint(dated, " ", named, " ", version.Str()); got != want || !ok {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if ref, _ := s.Lookup("version"); ref.Checksum != newest {
		t.Error("the ref that was pulled does not come first")
	}
	// The C program reads it.
	if view := cOstree(t, r.Path(), "summary", "--view"); !strings.Contains(view, "* (org.example.Own, of-origin)") {
		t.Error(view)
	}
	cOstree(t, r.Path(), "summary", "-u")
	if got := summaryNames(t, r); got != strings.Replace(want, "of-origin", "of-origin ostree-metadata", 1) {
		t.Errorf("refs of the C program: %q", got)
	}
}

// TestUnsignedSummary: if there is no signature, there is no summary, and no commit, either.
func TestUnsignedSummary(t *testing.T) {
	ctx := context.Background()
	r := newRepo(t, Archive)
	setConfig(t, r, "collection-id", "org.example.Own")
	commitTo(t, r, "a", ostree.Commit{})
	var d gvariant.Dict
	d.Set("key", gvariant.String("value"))
	signed := func(b []byte) ([]byte, error) { return d.Value().Bytes(), nil }
	if err := r.UpdateSummary(ctx, SummaryOptions{Extra: &d, Sign: signed, SignCommit: signed}); err != nil {
		t.Fatal(err)
	}
	before, err := r.LookupRef("", MetadataRef)
	if err != nil {
		t.Fatal(err)
	}
	if meta, err := r.DetachedMetadata(before); err != nil || !bytes.Equal(meta, d.Value().Bytes()) {
		t.Errorf("metadata of the commit: %q, %v", meta, err)
	}
	summary, sig, err := r.ReadSummary()
	if err != nil || !bytes.Equal(sig, d.Value().Bytes()) {
		t.Errorf("signature %q, %v", sig, err)
	}
	commitTo(t, r, "b", ostree.Commit{})
	noKey := errors.New("no key")
	fails := func([]byte) ([]byte, error) { return nil, noKey }
	if err := r.UpdateSummary(ctx, SummaryOptions{Sign: signed, SignCommit: fails}); !errors.Is(err, noKey) {
		t.Errorf("error %v", err)
	}
	if after, err := r.LookupRef("", MetadataRef); err != nil || after != before {
		t.Errorf("the branch is %s, %v", after, err)
	}
	if err := r.RegenerateSummary(ctx, SummaryOptions{Sign: fails}); !errors.Is(err, noKey) {
		t.Errorf("error %v", err)
	}
	if now, nowSig, err := r.ReadSummary(); err != nil || !bytes.Equal(now, summary) || !bytes.Equal(nowSig, sig) {
		t.Errorf("the summary was changed: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(r.Path(), "tmp/summary-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := r.UpdateSummary(ctx, SummaryOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, sig, err := r.ReadSummary(); err != nil || sig != nil {
		t.Errorf("the old signature %q is still there, %v", sig, err)
	}
}

// TestSummaryBesidePulls: who pulls does not keep others from updating the summary.
func TestSummaryBesidePulls(t *testing.T) {
	r := newRepo(t, Archive)
	commitTo(t, r, "a", ostree.Commit{})
	setConfig(t, r, "lock-timeout-secs", "0")
	puller, err := Open(r.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer puller.Close()
	tx, err := puller.Begin(context.Background(), TransactionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	r, err = Open(r.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.UpdateSummary(context.Background(), SummaryOptions{}); err != nil {
		t.Error(err)
	}
}
