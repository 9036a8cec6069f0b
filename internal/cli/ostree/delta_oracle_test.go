package ostree

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
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
	for maker, generate := range programs(t, c, dir) {
		for _, options := range [][]string{nil, {"--swap-endianness"}, {"--set-endianness=B"}, {"--sign=" + text(secret)}, {"--sign=" + text(secret), "--inline"}} {
			signed := len(options) > 0 && strings.HasPrefix(options[0], "--sign=")
			if maker == "c" && signed && !signs {
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

// TestDeltaIndexesAgainstC pulls by deltas that only indexes tell of, made by each program, with
// each of them.
func TestDeltaIndexesAgainstC(t *testing.T) {
	c := needC(t)
	dir := t.TempDir()
	sampleTree(t, filepath.Join(dir, "tree"))
	programs := programs(t, c, dir)
	for maker, make := range programs {
		site := "--repo=by-" + maker
		make.must(t, site+" init --mode=archive")
		make.must(t, site+" config set core.no-deltas-in-summary true")
		make.must(t, site+" config set core.indexed-deltas true")
		make.must(t, site+" commit -b x --canonical-permissions --timestamp=@1 tree")
		if err := os.WriteFile(filepath.Join(dir, "tree/a"), []byte(maker), 0o644); err != nil {
			t.Fatal(err)
		}
		make.must(t, site+" commit -b x --canonical-permissions --timestamp=@2 tree")
		first, second := make.must(t, site+" rev-parse x^"), make.must(t, site+" rev-parse x")
		make.must(t, site+" static-delta generate --empty --to=x^")
		make.must(t, site+" static-delta generate x")
		make.must(t, site+" summary -u")
		for reader, read := range programs {
			for _, want := range []string{first, second} {
				if out := read.must(t, site+" static-delta indexes"); !strings.Contains(out, want) {
					t.Errorf("%s sees the indexes of %s: %s", reader, maker, out)
				}
			}
			if _, status := read(strings.Fields(site + " summary --print-metadata-key=ostree.static-deltas")...); status == 0 {
				t.Errorf("%s: the summary of %s lists deltas", reader, maker)
			}
		}
		server := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(dir, "by-"+maker))))
		defer server.Close()
		for puller, pull := range programs {
			to := "--repo=by-" + maker + "-to-" + puller
			pull.must(t, to+" init --mode=bare-user")
			pull.must(t, to+" remote add --no-gpg-verify web "+server.URL)
			pull.must(t, to+" pull --require-static-deltas web x@"+first)
			out := pull.must(t, to+" pull --require-static-deltas web x")
			if !strings.Contains(out, "1 delta parts") || pull.must(t, to+" rev-parse web:x") != second {
				t.Errorf("%s from %s: %s", puller, maker, out)
			}
			programs["c"].must(t, to+" fsck -q")
		}
		// What was deleted is in no index anymore.
		programs["go"].must(t, site+" static-delta delete "+first+"-"+second)
		programs["go"].must(t, site+" static-delta reindex")
		if out := programs["c"].must(t, site+" static-delta indexes"); strings.Contains(out, second) || !strings.Contains(out, first) {
			t.Errorf("after the deletion: %s", out)
		}
	}
}

// TestLargeFilesAgainstC makes deltas that leave large files out, or have them in parts of
// their own. Nothing makes the file smaller.
func TestLargeFilesAgainstC(t *testing.T) {
	c := needC(t)
	dir := t.TempDir()
	big := make([]byte, 1_100_000)
	rand.NewChaCha8([32]byte{2}).Read(big)
	for name, data := range map[string][]byte{"tree/big": big, "tree/small": []byte("small")} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	programs := programs(t, c, dir)
	for maker, make := range programs {
		from := "--repo=by-" + maker
		make.must(t, from+" init --mode=archive")
		make.must(t, from+" commit -b x --canonical-permissions --timestamp=@1 tree")
		for i, tt := range []struct{ options, want string }{
			{"--min-fallback-size=1", "Number of fallback entries: 1\n"}, {"--min-fallback-size=0", "Number of fallback entries: 0\nTotal"}, {"--min-fallback-size=3 --max-chunk-size=1", "PartMeta1: nobjects=1 size=11"},
		} {
			make.must(t, from+" static-delta generate --empty --to=x "+tt.options)
			name := make.must(t, from+" static-delta list")
			for reader, read := range programs {
				if out := read.must(t, from+" static-delta show "+name); !strings.Contains(out, tt.want) {
					t.Errorf("%s by %s: want %q in\n%s", tt.options, maker, tt.want, out)
				}
				to := fmt.Sprintf("--repo=%s-%s-%d", maker, reader, i)
				read.must(t, to+" init --mode=bare-user")
				if i > 0 {
					path, err := filepath.Glob(filepath.Join(dir, "by-"+maker, "deltas/*/*"))
					if err != nil || len(path) != 1 {
						t.Fatal(path, err)
					}
					read.must(t, to+" static-delta apply-offline "+path[0])
				} else {
					read.must(t, to+" pull-local by-"+maker+" x")
				}
				programs["c"].must(t, to+" fsck -q")
				programs["c"].must(t, to+" show "+make.must(t, from+" rev-parse x"))
			}
		}
	}
}
