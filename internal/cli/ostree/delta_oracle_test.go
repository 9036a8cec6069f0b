package ostree

import (
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDeltasAgainstC shows, lists and verifies the deltas of both programs by both.
func TestDeltasAgainstC(t *testing.T) {
	c := needC(t)
	dir := t.TempDir()
	sampleTree(t, filepath.Join(dir, "tree"))
	must := func(out string, status int) string {
		t.Helper()
		if status != 0 {
			t.Fatal(out)
		}
		return out
	}
	must(theirs(t, c, dir, "--repo=repo", "init", "--mode=archive"))
	must(theirs(t, c, dir, "--repo=repo", "commit", "-b", "x", "tree"))
	old := strings.TrimSpace(must(theirs(t, c, dir, "--repo=repo", "rev-parse", "x")))
	if err := os.WriteFile(filepath.Join(dir, "tree/sub/b"), []byte("x y z\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	must(theirs(t, c, dir, "--repo=repo", "commit", "-b", "x", "tree"))
	id := old + "-" + strings.TrimSpace(must(theirs(t, c, dir, "--repo=repo", "rev-parse", "x")))
	same := func(args ...string) {
		t.Helper()
		want, wantStatus := theirs(t, c, dir, args...)
		got, status := ours(t, dir, args...)
		if got != want || status != wantStatus {
			t.Errorf("%v: status %d:\n%s\nwant %d:\n%s", args, status, got, wantStatus, want)
		}
	}
	fails := func(args ...string) { // each with words of its own
		t.Helper()
		want, wantStatus := theirs(t, c, dir, args...)
		got, status := ours(t, dir, args...)
		if status != 1 || wantStatus != 1 || !strings.HasPrefix(got, "error: ") {
			t.Errorf("%v: status %d:\n%s\nwant %d:\n%s", args, status, got, wantStatus, want)
		}
	}
	public, secret, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.StdEncoding.EncodeToString
	version, _ := theirs(t, c, dir, "--version")
	signs := strings.Contains(version, "- sign-ed25519") // not every build of it
	same("--repo=repo", "static-delta", "list")
	for i, generate := range []func(args ...string) (string, int){
		func(args ...string) (string, int) { return theirs(t, c, dir, args...) },
		func(args ...string) (string, int) { return ours(t, dir, args...) },
	} {
		for _, options := range [][]string{nil, {"--swap-endianness"}, {"--set-endianness=B"}, {"--sign=" + text(secret)}, {"--sign=" + text(secret), "--inline"}} {
			signed := len(options) > 0 && strings.HasPrefix(options[0], "--sign=")
			if i == 0 && signed && !signs {
				continue
			}
			must(generate(append([]string{"--repo=repo", "static-delta", "generate", "x"}, options...)...))
			same("--repo=repo", "static-delta", "list")
			if len(options) < 2 {
				same("--repo=repo", "static-delta", "show", id)
			}
			for _, key := range []ed25519.PublicKey{public, other} {
				if signs {
					same("--repo=repo", "static-delta", "verify", id, text(key))
				} else if out, status := ours(t, dir, "--repo=repo", "static-delta", "verify", id, text(key)); (status == 0) != (signed && key.Equal(public)) {
					t.Errorf("%v: verify: status %d: %s", options, status, out)
				}
			}
			must(generate("--repo=repo", "static-delta", "generate", "x", "-n"))
		}
	}
	same("--repo=repo", "static-delta", "generate", "x", "-n")
	same("--repo=repo", "static-delta", "reindex")
	same("--repo=repo", "static-delta", "indexes")
	must(ours(t, dir, "--repo=repo", "static-delta", "delete", id))
	same("--repo=repo", "static-delta", "delete", id)
	same("--repo=repo", "static-delta", "list")
	same("--repo=repo", "static-delta", "delete", "GARBAGE")
	fails("--repo=repo", "static-delta", "show", id[:64])
	same("--repo=repo", "static-delta", "generate", "x", "--empty", "--from=x")
	same("--repo=repo", "static-delta", "generate")
	same("--repo=repo", "static-delta", "generate", "x", "--set-endianness=b")
	same("--repo=repo", "static-delta", "apply-offline")
	fails("--repo=repo", "static-delta", "apply-offline", "nowhere")
	fails("--repo=repo", "static-delta", "apply-offline", "tree", "--sign-type=nosuch")
}
