package ostree

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rpmostree/gvariant"
	"rpmostree/internal/treetest"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// oddRemotes are values of remotes that are wrong, or unusual. SERVER has nothing.
var oddRemotes = []string{
	"url=SERVER\ngpg-verify=perhaps", "url=SERVER\ngpg-verify-summary=perhaps", "url=SERVER\ntls-permissive=perhaps", "url=SERVER\nhttp2=perhaps",
	"url=SERVER\ntls-client-cert-path=/nope", "url=SERVER\nsign-verify=nope",
	"gpg-verify=false", "url=gopher://x\ngpg-verify=false", "url=SERVER\ngpg-verify=false\nunconfigured-state=pay",
}

// TestOddRemotesLikeC: what has nothing to do with a wrong value works, with the same words,
// and what has fails.
func TestOddRemotesLikeC(t *testing.T) {
	c := needC(t)
	dirs := [2]string{treetest.FastDir(t), treetest.FastDir(t)}
	for _, dir := range dirs {
		if out, status := theirs(t, c, dir, "--repo=r", "init", "--mode=archive"); status != 0 {
			t.Fatal(out)
		}
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for _, values := range oddRemotes {
		for _, command := range []string{
			"remote list", "remote list -u", "remote show-url x", "remote gpg-list-keys x", "remote add x http://y", "remote refs x", "pull x b", "summary -u",
			"remote add --force x http://y", "remote show-url x", "remote delete x",
		} {
			args := append([]string{"--repo=r"}, strings.Fields(command)...)
			var out [2]string
			var status [2]int
			for i, dir := range dirs {
				file := filepath.Join(dir, "r/config")
				if command == "remote list" { // the first one
					text := "[core]\nrepo_version=1\nmode=archive-z2\n\n[remote \"x\"]\n" + strings.ReplaceAll(values, "SERVER", server.URL) + "\n"
					if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if i == 0 {
					out[i], status[i] = theirs(t, c, dir, args...)
				} else {
					out[i], status[i] = ours(t, dir, args...)
				}
				out[i] = strings.ReplaceAll(out[i], dir, "DIR")
			}
			same := out[0] == out[1]
			if strings.HasPrefix(out[0], "error: While fetching") { // ours needs no configuration, and looks for the ref
				same = strings.HasPrefix(out[1], "error: ")
			}
			if command == "remote refs x" && strings.Contains(values, "gpg-verify=") { // which ours looks at too
				same = true
			}
			if !same || status[0] != status[1] {
				t.Errorf("%q: %s: status %d: %s\nwant %d: %s", values, command, status[1], out[1], status[0], out[0])
			}
		}
	}
}

// TestRefsInSummaryLikeC changes refs with auto-update-summary, and compares the refs of the
// summaries.
func TestRefsInSummaryLikeC(t *testing.T) {
	c := needC(t)
	dirs := [2]string{treetest.FastDir(t), treetest.FastDir(t)}
	for _, line := range []string{
		"--repo=r init --mode=archive --collection-id=org.example.A", "--repo=r config set core.auto-update-summary true",
		"--repo=r commit -b a --timestamp=@1500000000 --canonical-permissions tree", "--repo=r refs --create=b a", "--repo=r refs --create=o:b a",
		"--repo=r refs --alias --create=al a", "--repo=r refs --collections --create=org.example.B:m a", "--repo=r refs --delete b",
		"--repo=r commit -b a --timestamp=@1500000001 --add-metadata-string=version= --canonical-permissions tree", "--repo=r reset a a^",
		"--repo=r refs --delete o:b", "--repo=r refs --collections --delete org.example.B",
	} {
		var view [2]string
		for i, dir := range dirs {
			if err := os.MkdirAll(filepath.Join(dir, "tree"), 0o755); err != nil {
				t.Fatal(err)
			}
			run := func(args ...string) string {
				out, status := "", 0
				if i == 0 {
					out, status = theirs(t, c, dir, args...)
				} else {
					out, status = ours(t, dir, args...)
				}
				if status != 0 {
					t.Fatalf("%v: %s", args, out)
				}
				return out
			}
			run(strings.Fields(line)...)
			if _, err := os.Stat(filepath.Join(dir, "r/summary")); err != nil {
				continue
			}
			text, _ := theirs(t, c, dir, "--repo=r", "summary", "-v")
			view[i], _, _ = strings.Cut(text, "Last-Modified")
			view[i], _, _ = strings.Cut(view[i], "Repository Mode")
			view[i], _, _ = strings.Cut(view[i], "Static Deltas")
			view[i], _, _ = strings.Cut(view[i], "Collection ")
			view[i], _, _ = strings.Cut(view[i], "Has Tombstone")
			view[i], _, _ = strings.Cut(view[i], "ostree.summary.indexed-deltas")
			lines := strings.Split(view[i], "\n") // what is known of a ref has no order
			slices.Sort(lines)
			view[i] = strings.Join(lines, "\n")
		}
		if view[0] != view[1] {
			t.Errorf("%s:\n%s\nwant:\n%s", line, view[1], view[0])
		}
	}
}

// TestSummaryViewLikeC prints a summary in which what can be wrong is.
func TestSummaryViewLikeC(t *testing.T) {
	c := needC(t)
	dir := treetest.FastDir(t)
	for _, args := range [][]string{{"init", "--mode=archive"}, {"remote", "add", "local", "file://" + dir + "/r"}} {
		if out, status := theirs(t, c, dir, append([]string{"--repo=r"}, args...)...); status != 0 {
			t.Fatal(out)
		}
	}
	r, err := repo.Open(filepath.Join(dir, "r"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	dict := func(pairs ...any) gvariant.Value {
		var d gvariant.Dict
		for i := 0; i < len(pairs); i += 2 {
			d.Set(pairs[i].(string), pairs[i+1].(gvariant.Value))
		}
		return d.Value()
	}
	far := gvariant.Uint64(1 << 63 >> 8) // as big endian: 128 seconds
	for _, meta := range []gvariant.Value{
		dict(ostree.KeySummaryMode, gvariant.String("nope"), ostree.KeySummaryTombstones, gvariant.Bool(true)),
		dict(ostree.KeySummaryMode, gvariant.String("archive"), ostree.KeySummaryLastModified, gvariant.Uint64(0xff), ostree.KeySummaryExpires, far),
		dict(ostree.KeySummaryExpires, gvariant.Uint64(0xffffffff), "x.y", gvariant.Strings([]string{"a"})),
	} {
		s := ostree.Summary{Metadata: meta, Refs: []ostree.SummaryRef{{Name: "x", Size: 1 << 62, Metadata: dict(
			ostree.KeySummaryCommitTimestamp, gvariant.Uint64(0xffff), "z", gvariant.Bool(false))}}}
		if err := r.WriteSummary(s.Marshal(), nil); err != nil {
			t.Fatal(err)
		}
		for _, args := range []string{"summary -v", "summary --raw", "remote summary local"} {
			line := append([]string{"--repo=r"}, strings.Fields(args)...)
			want, wantStatus := theirs(t, c, dir, line...)
			got, status := ours(t, dir, line...)
			got = strings.TrimSuffix(got, "Summary is unsigned\n") // 2022 does not say it
			if strings.TrimSuffix(want, "Summary is unsigned\n") != got || status != wantStatus {
				t.Errorf("%s: status %d: %s\nwant %d: %s", args, status, got, wantStatus, want)
			}
		}
	}
}

// TestKeysOfKnownRemotes: keys are imported for a remote that is there already, too.
func TestKeysOfKnownRemotes(t *testing.T) {
	c := needC(t)
	home, dir := gpgHome(t), treetest.FastDir(t)
	gpg(t, home, "", "--quick-gen-key", "signer <signer@example.com>", "ed25519", "sign,cert", "never")
	if err := os.WriteFile(filepath.Join(dir, "key.asc"), []byte(gpg(t, home, "", "--armor", "--export", "signer")), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "notes"), []byte("no key\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	t.Setenv("GNUPGHOME", home)
	for _, args := range [][]string{
		{"init", "--mode=archive"}, {"remote", "add", "x", server.URL}, {"remote", "add", "--if-not-exists", "--gpg-import=key.asc", "x", "http://other"},
		{"remote", "add", "--if-not-exists", "--gpg-import=key.asc", "x", "http://other"}, {"remote", "show-url", "x"}, {"remote", "gpg-list-keys", "x"},
		{"remote", "add", "--gpg-import=key.asc", "x", "http://other"}, {"remote", "add", "--force", "--gpg-import=key.asc", "x", server.URL}, {"remote", "add", "--if-not-exists", "--gpg-import=nope", "x", "http://other"},
		{"remote", "gpg-import", "x", "-k", "key.asc", "nobody@example.com"}, {"remote", "gpg-import", "x", "-k", "key.asc", "signer@example.com"},
		{"remote", "gpg-import", "x", "-k", "notes"}, {"remote", "gpg-import", "x", "-k", "notes", "-k", "key.asc"}, {"remote", "gpg-import", "x", "-k", "notes", "signer@example.com"},
	} {
		want, wantStatus := theirs(t, c, dir, append([]string{"--repo=c"}, args...)...)
		got, status := ours(t, dir, append([]string{"--repo=go"}, args...)...)
		if args[len(args)-2] == "x" && wantStatus != 0 { // whose words differ for files
			want, got = want[:5], got[:min(len(got), 5)]
		}
		if got != want || status != wantStatus {
			t.Errorf("%v: status %d: %s\nwant %d: %s", args, status, got, wantStatus, want)
		}
	}
	// Without a file, keys are those of the user, as the manual says; the C program finds none.
	for _, tt := range []struct{ remote, key, want string }{
		{"mine", "nobody@example.com", "error: GPG: Unable to find key \"nobody@example.com\": GPGME: End of file\n"},
		{"mine", "signer@example.com", "Imported 1 GPG key to remote \"mine\"\n"}, {"mine", "", "Imported 0 GPG keys to remote \"mine\"\n"},
		{"all", "", "Imported 1 GPG key to remote \"all\"\n"},
	} {
		ours(t, dir, "--repo=go", "remote", "add", "--if-not-exists", tt.remote, server.URL)
		args := append([]string{"--repo=go", "remote", "gpg-import", tt.remote}, strings.Fields(tt.key)...)
		if got, status := ours(t, dir, args...); got != tt.want || (status == 0) != strings.HasPrefix(tt.want, "Imported") {
			t.Errorf("%v: status %d: %s", args, status, got)
		}
	}
	t.Setenv("GNUPGHOME", t.TempDir())
	if got, status := ours(t, dir, "--repo=go", "remote", "gpg-import", "all"); got != "error: GPG: Unable to export keys: GPGME: No data\n" || status != 1 {
		t.Errorf("a user without keys: status %d: %s", status, got)
	}
	// The C program leaves a remote without its keys.
	if got, status := ours(t, dir, "--repo=go", "remote", "add", "--gpg-import=notes", "new", server.URL); got != "error: GPG: Unable to export keys: GPGME: No data\n" || status != 1 {
		t.Errorf("no file of keys: status %d: %s", status, got)
	}
	if got, status := ours(t, dir, "--repo=go", "remote", "show-url", "new"); status == 0 {
		t.Errorf("a remote without its keys: %s", got)
	}
}
