package ostree

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

// TestSummaryVerificationLikeC asks a remote for its refs and its summary, and pulls from it,
// with every choice of what it verifies, while its summary is signed, or not, in every way.
// Both programs say the same.
func TestSummaryVerificationLikeC(t *testing.T) {
	c := needC(t)
	home, dir := gpgHome(t), treetest.FastDir(t)
	t.Setenv("OSTREE_DUMMY_SIGN_ENABLED", "1")
	t.Setenv("OSTREE_SKIP_CACHE", "1")
	t.Setenv("TZ", "UTC")
	sampleTree(t, filepath.Join(dir, "tree"))
	must := func(args ...string) {
		t.Helper()
		if out, status := theirs(t, c, dir, args...); status != 0 {
			t.Fatalf("%v: %s", args, out)
		}
	}
	for _, name := range []string{"signer", "stranger"} {
		gpg(t, home, "", "--faked-system-time=20200102T030405", "--quick-gen-key", name+" <"+name+"@example.com>", "ed25519", "sign,cert", "never")
	}
	key := filepath.Join(dir, "key.gpg")
	if err := os.WriteFile(key, []byte(gpg(t, home, "", "--export", "signer")), 0o644); err != nil {
		t.Fatal(err)
	}
	signed := func(by string) []string {
		return []string{"--gpg-sign=" + by + "@example.com", "--gpg-homedir=" + home}
	}
	dummy := []string{"--sign-type=dummy", "--sign=key"}
	must("--repo=from", "init", "--mode=archive")
	must(append(append([]string{"--repo=from", "commit", "-b", "x", "tree"}, signed("signer")...), dummy...)...)
	type state struct{ summary, sig []byte }
	states := map[string]state{"none": {}}
	record := func(name string, args ...string) {
		t.Helper()
		os.Remove(filepath.Join(dir, "from/summary.sig"))
		must(append([]string{"--repo=from", "summary", "-u"}, args...)...)
		summary, err := os.ReadFile(filepath.Join(dir, "from/summary"))
		sig, err2 := os.ReadFile(filepath.Join(dir, "from/summary.sig"))
		if err != nil || (err2 != nil) != (len(args) == 0) {
			t.Fatal(err, err2)
		}
		states[name] = state{summary, sig}
	}
	record("unsigned")
	record("by the key", signed("signer")...)
	record("by another key", signed("stranger")...)
	record("by both engines", append(signed("signer"), dummy...)...)
	record("by the other engine", dummy...)
	record("by the other engine's other key", "--sign-type=dummy", "--sign=nokey")
	states["with what is no signature"] = state{states["unsigned"].summary, []byte("garbage")}
	states["a signature alone"] = state{nil, states["by both engines"].sig}
	must("--repo=from", "commit", "-b", "y", "--no-bindings", "tree")
	record("later")
	states["another summary's signature"] = state{states["later"].summary, states["by both engines"].sig}
	delete(states, "later")
	var now state
	files := http.FileServer(http.Dir(filepath.Join(dir, "from")))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		data, ok := map[string][]byte{"/summary": now.summary, "/summary.sig": now.sig}[req.URL.Path]
		switch {
		case !ok:
			files.ServeHTTP(w, req)
		case data == nil:
			http.NotFound(w, req)
		default:
			w.Write(data)
		}
	}))
	defer server.Close()
	remotes := map[string]string{}
	for _, r := range []string{"--repo=c", "--repo=go"} {
		must(r, "init", "--mode=archive")
	}
	for i := range 16 {
		name := fmt.Sprintf("r%d", i)
		add := []string{"remote", "add", name, server.URL, "--set=gpgkeypath=" + key, "--set=verification-dummy-key=key"}
		for bit, option := range []string{"gpg-verify-summary=true", "sign-verify-summary=dummy", "gpg-verify=true", "sign-verify=dummy"} {
			if i>>bit&1 == 0 {
				option = option[:strings.Index(option, "=")] + "=false"
			} else {
				remotes[name] += " " + option
			}
			add = append(add, "--set="+option)
		}
		must(append([]string{"--repo=c"}, add...)...)
		must(append([]string{"--repo=go"}, add...)...)
		// What is verified of commits matters to pulls only.
		for signed, s := range states {
			if now = s; i > 3 && signed != "by both engines" && signed != "unsigned" {
				continue
			}
			for _, args := range [][]string{{"remote", "refs", name}, {"remote", "summary", name}, {"pull", "--commit-metadata-only", "--disable-static-deltas", name, "x"}} {
				want, wantStatus := theirs(t, c, dir, append([]string{"--repo=c"}, args...)...)
				got, status := ours(t, dir, append([]string{"--repo=go"}, args...)...)
				alone := args[0] == "pull" && signed == "a signature alone" && i&3 == 2
				if alone && status == 1 && strings.Contains(got, "Signature verification enabled, but no summary found") && wantStatus == 0 {
					continue // the C program takes it: whoever hides the summary need not sign it
				}
				got, want = transferred.ReplaceAllString(got, ""), transferred.ReplaceAllString(want, "")
				if got != want || status != wantStatus || alone {
					t.Errorf("%v with%s, summary signed %s: status %d: %s\nwant %d: %s", args, remotes[name], signed, status, got, wantStatus, want)
				}
			}
			for _, sub := range []string{"c/objects", "go/objects", "c/refs/remotes", "go/refs/remotes"} { // the next pull is of everything
				sub = filepath.Join(dir, sub)
				if err := errors.Join(os.RemoveAll(sub), os.Mkdir(sub, 0o755)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// transferred is what a pull says of bytes: of the server's, the C program counts those of
// objects only.
var transferred = regexp.MustCompile(`\d+ bytes transferred in \d+ seconds|\d+ B transferred in \d+ seconds`)
