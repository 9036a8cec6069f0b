package ostree

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rpmostree/gvariant"
	"rpmostree/internal/treetest"
	"rpmostree/ostree/sign"
)

// gpgHome makes a directory of GnuPG, whose agent ends with the test. Its path is short: it
// has sockets.
func gpgHome(t *testing.T) string {
	t.Helper()
	treetest.Oracle(t, "gpg")
	home, err := os.MkdirTemp("/tmp", "gpg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		os.RemoveAll(home)
	})
	return home
}

func gpg(t *testing.T, home, in string, args ...string) string {
	t.Helper()
	cmd := exec.Command("gpg", append([]string{"--homedir", home, "--batch", "--yes", "--no-tty", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
	cmd.Stdin = strings.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("gpg %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// fingerprint returns that of the primary key of a user.
func fingerprint(t *testing.T, home, user string) string {
	for line := range strings.Lines(gpg(t, home, "", "--with-colons", "--fingerprint", user)) {
		if f := strings.Split(line, ":"); f[0] == "fpr" {
			return f[9]
		}
	}
	t.Fatal("no key of ", user)
	return ""
}

// TestGPGAgainstC signs commits with keys of all states, by both programs, and compares
// what they say about the signatures, and about the keys.
func TestGPGAgainstC(t *testing.T) {
	c := needC(t)
	home, dir := gpgHome(t), t.TempDir()
	sampleTree(t, filepath.Join(dir, "tree"))
	must := func(out string, status int) string {
		t.Helper()
		if status != 0 {
			t.Fatal(out)
		}
		return out
	}
	same := func(args ...string) string {
		t.Helper()
		want, wantStatus := theirs(t, c, dir, args...)
		got, status := ours(t, dir, args...)
		if got != want || status != wantStatus {
			t.Errorf("%v: status %d:\n%s\nwant %d:\n%s", args, status, got, wantStatus, want)
		}
		return want
	}
	keys := map[string]string{}
	for _, k := range []struct{ name, algorithm, expires string }{
		{"good", "ed25519", "never"}, {"rsa", "rsa2048", "2y"}, {"expired", "ed25519", "never"}, {"revoked", "rsa2048", "never"}, {"stranger", "ed25519", "never"},
		{"subkey", "ed25519", "never"}, {"nosubkey", "ed25519", "never"},
	} {
		gpg(t, home, "", "--quick-gen-key", k.name+" <"+k.name+"@example.com>", k.algorithm, "sign,cert", k.expires)
		keys[k.name] = fingerprint(t, home, k.name)
	}
	gpg(t, home, "", "--quick-add-key", keys["subkey"], "ed25519", "sign", "1y")
	gpg(t, home, "", "--quick-add-key", keys["nosubkey"], "rsa2048", "sign", "never")
	must(theirs(t, c, dir, "--repo=repo", "init", "--mode=archive"))
	for name := range keys {
		must(theirs(t, c, dir, "--repo=repo", "commit", "-b", "c-"+name, "tree", "--gpg-sign="+keys[name], "--gpg-homedir="+home))
		must(ours(t, dir, "--repo=repo", "commit", "-b", "go-"+name, "tree", "--gpg-sign="+keys[name], "--gpg-homedir="+home))
	}
	must(ours(t, dir, "--repo=repo", "commit", "-b", "all", "tree"))
	for name := range keys {
		must(ours(t, dir, "--repo=repo", "gpg-sign", "all", keys[name], "--gpg-homedir="+home))
	}
	// Only after they have signed is the end of some of them.
	gpg(t, home, "", "--quick-set-expire", keys["expired"], "seconds=1")
	time.Sleep(2 * time.Second) // both tools look at the clock
	revocation, err := os.ReadFile(filepath.Join(home, "openpgp-revocs.d", keys["revoked"]+".rev"))
	if err != nil {
		t.Fatal(err)
	}
	gpg(t, home, strings.Replace(string(revocation), ":-----BEGIN", "-----BEGIN", 1), "--import")
	gpg(t, home, "key 1\nrevkey\ny\n0\n\ny\nsave\n", "--no-batch", "--command-fd", "0", "--edit-key", keys["nosubkey"])
	for name := range keys {
		if name != "stranger" {
			if err := os.WriteFile(filepath.Join(dir, name+".asc"), []byte(gpg(t, home, "", "--armor", "--export", keys[name])), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for remote, run := range programs(t, c, dir) {
		must(run("--repo=repo", "remote", "add", remote, "http://example.com"))
		for name := range keys {
			if name != "stranger" {
				must(run("--repo=repo", "remote", "gpg-import", remote, "-k", name+".asc"))
			}
		}
		if out := must(run("--repo=repo", "remote", "gpg-import", remote, "-k", "good.asc")); !strings.Contains(out, "Imported 0 GPG keys") {
			t.Errorf("%s: %s", remote, out)
		}
		list := same("--repo=repo", "remote", "gpg-list-keys", remote)
		for _, word := range []string{"(revoked)", "Expired: ", "Expires: ", "Subkey: "} {
			if !strings.Contains(list, word) {
				t.Errorf("no %q in the list of keys", word)
			}
		}
		for name := range keys {
			for _, by := range []string{"c-", "go-"} {
				same("--repo=repo", "show", by+name, "--gpg-verify-remote="+remote)
			}
		}
		all := same("--repo=repo", "show", "all", "--gpg-verify-remote="+remote)
		for _, word := range []string{"Found 7 signatures", "Good signature from", "Can't check signature: public key not found", "Key revoked", "Key expired", "Primary key ID"} {
			if !strings.Contains(all, word) {
				t.Errorf("no %q in:\n%s", word, all)
			}
		}
	}
	// A remote without keys has those of the system.
	system := filepath.Join(dir, "system")
	if err := errors.Join(os.Mkdir(system, 0o755), os.WriteFile(filepath.Join(system, "good.gpg"), []byte(gpg(t, home, "", "--export", keys["good"])), 0o644)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OSTREE_GPG_HOME", system)
	must(ours(t, dir, "--repo=repo", "remote", "add", "keyless", "http://example.com"))
	for name, want := range map[string]string{"good": "Good signature from", "rsa": "public key not found"} {
		if text := same("--repo=repo", "show", "c-"+name, "--gpg-verify-remote=keyless"); !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	must(ours(t, dir, "--repo=repo", "summary", "-u", "--gpg-sign="+keys["good"], "--gpg-homedir="+home))
	// The C program looks for keys in files *.gpg of the directory, of which today's GPG has none.
	if out, status := ours(t, dir, "--repo=repo", "gpg-sign", "all", keys["good"], "--gpg-homedir="+home); status != 1 || !strings.Contains(out, "Commit is already signed with GPG key "+keys["good"]) {
		t.Errorf("signed again: %d, %s", status, out)
	}
	same("--repo=repo", "gpg-sign", "all", "nobody@example.com", "--gpg-homedir="+home)
	out := must(ours(t, dir, "--repo=repo", "gpg-sign", "-d", "all", keys["good"], keys["rsa"], "--gpg-homedir="+home))
	if out != "Signatures deleted: 2\n" {
		t.Error(out)
	}
	same("--repo=repo", "show", "all", "--gpg-verify-remote=c")
}

// TestSignedPullsAgainstC has each program pull what the other has signed, commits and
// summary, and compares what they say if a signature is missing, or is another's.
func TestSignedPullsAgainstC(t *testing.T) {
	c := needC(t)
	home, dir := gpgHome(t), t.TempDir()
	sampleTree(t, filepath.Join(dir, "tree"))
	for _, name := range []string{"signer", "stranger"} {
		gpg(t, home, "", "--quick-gen-key", name+" <"+name+"@example.com>", "ed25519", "sign,cert", "never")
		if err := os.WriteFile(filepath.Join(dir, name+".asc"), []byte(gpg(t, home, "", "--armor", "--export", name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	programs := programs(t, c, dir)
	n := 0
	// try pulls with the key of a signer.
	try := func(program, url, key string) (string, int) {
		t.Helper()
		n++
		run, to := programs[program], "--repo="+fmt.Sprint("to-", n)
		for _, args := range [][]string{
			{"init", "--mode=bare-user"}, {"remote", "add", "origin", url, "--set=gpg-verify-summary=true", "--gpg-import=" + key + ".asc"},
		} {
			if out, status := run(append([]string{to}, args...)...); status != 0 {
				t.Fatalf("%s %v: %s", program, args, out)
			}
		}
		return run(to, "pull", "origin", "x")
	}
	for signer, run := range programs {
		must := func(args ...string) {
			t.Helper()
			if out, status := run(append([]string{"--repo=by-" + signer}, args...)...); status != 0 {
				t.Fatalf("%s %v: %s", signer, args, out)
			}
		}
		sign := []string{"--gpg-sign=signer@example.com", "--gpg-homedir=" + home}
		must("init", "--mode=archive")
		must(append([]string{"commit", "-b", "x", "tree"}, sign...)...)
		must(append([]string{"summary", "-u"}, sign...)...)
		from := filepath.Join(dir, "by-"+signer)
		server := httptest.NewServer(http.FileServer(http.Dir(from)))
		defer server.Close()
		for program := range programs {
			if out, status := try(program, server.URL, "signer"); status != 0 {
				t.Errorf("%s pulls what %s has signed: %s", program, signer, out)
			}
		}
		same := func(what, key, want string) {
			t.Helper()
			theirs, status1 := try("c", server.URL, key)
			ours, status2 := try("go", server.URL, key)
			if ours != theirs || status1 == 0 || status2 == 0 || !strings.Contains(ours, want) {
				t.Errorf("%s, signed by %s: %d, %q; %d, %q", what, signer, status1, theirs, status2, ours)
			}
		}
		same("another's key", "stranger", "public key not found")
		must("summary", "-u")
		same("a summary without a signature", "signer", "no summary.sig found")
		must(append([]string{"summary", "-u"}, sign...)...)
		must("commit", "-b", "x", "tree")
		must(append([]string{"summary", "-u"}, sign...)...)
		same("a commit without a signature", "signer", "no signatures found")
	}
}

// TestWithdrawnKeysAgainstC has both programs pull commits that a key signed before it was
// revoked, or expired, or whose signature has expired: first with the key as it was, then with
// what was imported since. They say the same, and what is not good any more stays where it is.
func TestWithdrawnKeysAgainstC(t *testing.T) {
	c := needC(t)
	home, dir := gpgHome(t), treetest.FastDir(t)
	t.Setenv("TZ", "UTC")
	sampleTree(t, filepath.Join(dir, "tree"))
	must := func(out string, status int) string {
		t.Helper()
		if status != 0 {
			t.Fatal(out)
		}
		return out
	}
	export := func(user, file string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, file), []byte(gpg(t, home, "", "--armor", "--export", user)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Each on a day of its own, so that they are in order; the days have one digit, which messages pad.
	const past, later, latest = "--faked-system-time=20200102T030405!", "--faked-system-time=20200103T030405!", "--faked-system-time=20200104T030405!"
	must(theirs(t, c, dir, "--repo=from", "init", "--mode=archive"))
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(dir, "from"))))
	defer server.Close()
	const end = "20210203T000000"
	users := []struct{ name, before, after string }{ // what is said of its signature with each state of its key
		{"revoked", "", "Key revoked"},
		{"subkey", "", "Key revoked"},
		{"expired", "", "Key expired Wed Feb \u20073 00:00:00 2021"},
		{"prolonged", "Key expired Wed Feb \u20073 00:00:00 2021", ""},
		{"timed", "Signature expired Wed Feb \u20073 00:00:00 2021", "Expired signature from"},
	}
	for _, u := range users {
		gpg(t, home, "", past, "--quick-gen-key", u.name+" <"+u.name+"@example.com>", "ed25519", "sign,cert", "never")
		key, sig := fingerprint(t, home, u.name), filepath.Join(dir, u.name+".sig")
		if u.name == "subkey" {
			gpg(t, home, "", past, "--quick-add-key", key, "ed25519", "sign", "never")
		}
		commit := strings.TrimSpace(must(theirs(t, c, dir, "--repo=from", "commit", "-b", u.name, "--timestamp=@1500000000", "tree")))
		args := []string{past, "--local-user", u.name, "--output", sig}
		if u.name == "timed" {
			args = append(args, "--default-sig-expire="+end)
		}
		object := filepath.Join(dir, "from/objects", commit[:2], commit[2:])
		gpg(t, home, "", append(args, "--detach-sign", object+".commit")...)
		data, err := os.ReadFile(sig)
		if err == nil {
			err = os.WriteFile(object+".commitmeta", sign.Append(gvariant.Value{}, sign.GPG, data).Bytes(), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		if u.name == "prolonged" {
			gpg(t, home, "", later, "--quick-set-expire", key, end)
		}
		export(u.name, u.name+"-before.asc")
		switch u.name {
		case "revoked":
			revocation, err := os.ReadFile(filepath.Join(home, "openpgp-revocs.d", key+".rev"))
			if err != nil {
				t.Fatal(err)
			}
			gpg(t, home, strings.Replace(string(revocation), ":-----BEGIN", "-----BEGIN", 1), "--import")
		case "subkey":
			gpg(t, home, "key 1\nrevkey\ny\n0\n\ny\nsave\n", "--no-batch", "--command-fd", "0", "--edit-key", key)
		case "expired":
			gpg(t, home, "", later, "--quick-set-expire", key, end)
		case "prolonged":
			gpg(t, home, "", latest, "--quick-set-expire", key, "never")
		}
		export(u.name, u.name+"-after.asc")
	}
	programs := programs(t, c, dir)
	for _, u := range users {
		// Into a new repository, or one that has the commit already.
		for _, steps := range []string{"before", "before after", "both", "both show"} {
			said, status := map[string]string{}, map[string]int{}
			for name, run := range programs {
				at := "--repo=" + name + "-" + u.name + "-" + strings.Fields(steps)[0]
				if !strings.Contains(steps, " ") {
					must(run(at, "init", "--mode=archive"))
					must(run(at, "remote", "add", "origin", server.URL))
					must(run(at, "remote", "gpg-import", "origin", "-k", u.name+"-before.asc"))
				}
				if steps == "before after" || steps == "both" {
					if out := must(run(at, "remote", "gpg-import", "origin", "-k", u.name+"-after.asc")); out != "Imported 0 GPG keys to remote \"origin\"\n" {
						t.Errorf("%s: %s", name, out)
					}
				}
				if strings.Contains(steps, "show") {
					must(run(at, "pull-local", "from", u.name))
					said[name], status[name] = run(at, "show", "--gpg-verify-remote=origin", u.name)
				} else {
					said[name], status[name] = run(at, "pull", "--disable-static-deltas", "origin", u.name)
				}
				said[name] = transferred.ReplaceAllString(said[name], "")
			}
			want := u.after
			if steps == "before" {
				want = u.before
			}
			good := want == "" || strings.Contains(steps, "show")
			if said["c"] != said["go"] || status["c"] != status["go"] || (status["c"] == 0) != good || !strings.Contains(said["go"], want) {
				t.Errorf("%s, %s: status %d: %s\nwant %d, with %q: %s", u.name, steps, status["go"], said["go"], status["c"], want, said["c"])
			}
		}
	}
}
