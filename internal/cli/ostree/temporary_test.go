package ostree

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

// temporary are command lines that need temporary files, of which those after "!" fail. A word
// has "␣" for a space; "{url}" is the repository's on a web server, which has lost a file of y,
// "{sign}" what signs. Lines with "$" set a variable of the environment.
const temporary = `
--repo=r commit -b x --tar-autocreate-parents --tree=tar=layer.tar
!--repo=r commit -b x --tar-autocreate-parents --tree=tar=cut.tar
!--repo=r commit -b x --tar-autocreate-parents --tree=tar=layer.tar --tree=dir=nowhere
$OSTREE_EDITOR=printf␣'text\n'␣>
--repo=r commit -b x -e tree
$OSTREE_EDITOR=false
!--repo=r commit -b x -e tree
$OSTREE_EDITOR=printf␣''␣>
!--repo=r commit -b x -e tree
--repo=r commit -b base tree
--repo=r commit -b x --base=base --selinux-policy-from-base --tree=dir=tree
--repo=r commit -b base policy
!--repo=r commit -b x --base=base --selinux-policy-from-base --tree=dir=tree
--repo=r commit -b x {sign} tree
!--repo=r commit -b x --gpg-sign=nobody@example.com --gpg-homedir=gpg tree
--repo=r summary -u {sign}
!--repo=r summary -u --gpg-sign=nobody@example.com --gpg-homedir=gpg
--repo=r static-delta generate --empty --to=x --filename=delta
--repo=r static-delta generate --from=x^ --to=x
!--repo=r static-delta generate --from=nope --to=x
!--repo=r static-delta generate --empty --to=x --filename=nowhere/delta
--repo=r static-delta reindex
--repo=r fsck
--repo=to init --mode=bare-user
--repo=to static-delta apply-offline delta
!--repo=to static-delta apply-offline key.asc
--repo=to remote add --gpg-import=key.asc web {url}
!--repo=to remote add --gpg-import=nowhere other {url}
--repo=to remote gpg-import web -k key.asc
!--repo=to remote gpg-import web -k key.asc nobody@example.com
--repo=to pull web x
!--repo=to pull web base
--repo=to remote add --no-gpg-verify any {url}
--repo=to pull any x
!--repo=to pull any y
--repo=to pull-local r x
!--repo=to pull-local r nope
--repo=to checkout -U any:x out
!--repo=to checkout -U any:x out
--repo=to export any:x -o out.tar
!--repo=to export any:x -o nowhere/out.tar
--repo=to prune
`

// TestNothingIsLeftBehind: the directories for temporary files, TMPDIR and those of repositories,
// are empty after each command, whether it fails or not.
func TestNothingIsLeftBehind(t *testing.T) {
	home, dir, tmp := gpgHome(t), treetest.FastDir(t), t.TempDir()
	gpg(t, home, "", "--quick-gen-key", "signer <signer@example.com>", "ed25519", "sign,cert", "never")
	plantOptions(t, dir)
	layer, err := os.ReadFile(filepath.Join(dir, "layer.tar"))
	err = errors.Join(err, os.WriteFile(filepath.Join(dir, "cut.tar"), layer[:1100], 0o644),
		os.WriteFile(filepath.Join(dir, "key.asc"), []byte(gpg(t, home, "", "--armor", "--export", "signer")), 0o644),
		os.MkdirAll(filepath.Join(dir, "policy/usr/etc/selinux/targeted"), 0o755),
		os.WriteFile(filepath.Join(dir, "policy/usr/etc/selinux/config"), []byte("SELINUX=enforcing\nSELINUXTYPE=targeted\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "policy/usr/etc/selinux/targeted/contexts"), []byte("no directory"), 0o644),
		os.Symlink(home, filepath.Join(dir, "gpg")))
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		t.Helper()
		if out, status := ours(t, dir, append([]string{"--repo=r"}, args...)...); status != 0 {
			t.Fatalf("%v: %s", args, out)
		}
	}
	run("init", "--mode=archive")
	run("commit", "-b", "y", "tree2")
	out, _ := ours(t, dir, "--repo=r", "ls", "-C", "y", "/new")
	sum := strings.Fields(out)[4]
	server := httptest.NewServer(http.StripPrefix("/r", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.Contains(req.URL.Path, sum[2:]) {
			http.NotFound(w, req)
			return
		}
		http.FileServer(http.Dir(filepath.Join(dir, "r"))).ServeHTTP(w, req)
	})))
	defer server.Close()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("TERM", "dumb")
	words := strings.NewReplacer("{url}", server.URL+"/r", "{sign}", "--gpg-sign=signer@example.com --gpg-homedir=gpg")
	for line := range strings.Lines(strings.TrimSpace(temporary)) {
		line = strings.TrimSpace(line)
		if set, ok := strings.CutPrefix(line, "$"); ok {
			name, value, _ := strings.Cut(set, "=")
			t.Setenv(name, strings.ReplaceAll(value, "␣", " "))
			continue
		}
		command, fails := strings.CutPrefix(line, "!")
		if out, status := ours(t, dir, strings.Fields(words.Replace(command))...); (status != 0) != fails {
			t.Errorf("%s: status %d: %s", line, status, out)
		}
		for _, name := range []string{tmp, filepath.Join(dir, "r/tmp"), filepath.Join(dir, "to/tmp")} {
			entries, err := os.ReadDir(name)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Name() != "cache" {
					t.Errorf("%s: %s is left", line, filepath.Join(name, e.Name()))
				}
			}
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), ".") }); i >= 0 {
			t.Errorf("%s: %s is left", line, entries[i].Name())
		}
	}
}
