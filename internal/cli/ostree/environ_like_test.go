package ostree

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"

	"golang.org/x/sys/unix"
)

// environLikeC are command lines between changes of the environment: "$NAME=VALUE" and
// "-NAME". "{url}" is that of a web server with the repository "site". After "!" only the exit
// statuses are compared.
const environLikeC = `
$OSTREE_REPO=nowhere
refs
log x
$OSTREE_REPO=r
refs
rev-parse x
--repo=other refs
--repo=nowhere refs
-OSTREE_REPO
$OSTREE_SYSROOT=nowhere
refs
init --mode=bare
admin status
$OSTREE_SYSROOT=s
refs
remote list
admin status
admin cleanup
-OSTREE_SYSROOT
$SOURCE_DATE_EPOCH=1500000000
--repo=r commit -b epoch --canonical-permissions tree
--repo=r commit -b epoch --canonical-permissions --timestamp=@7 tree
$SOURCE_DATE_EPOCH=123abc
--repo=r commit -b epoch --canonical-permissions tree
$SOURCE_DATE_EPOCH=-5
--repo=r commit -b epoch --canonical-permissions tree
$SOURCE_DATE_EPOCH=abc
--repo=r commit -b epoch --canonical-permissions tree
$SOURCE_DATE_EPOCH=
--repo=r commit -b epoch --canonical-permissions tree
$SOURCE_DATE_EPOCH=99999999999999999999
--repo=r commit -b epoch --canonical-permissions tree
-SOURCE_DATE_EPOCH
--repo=r log epoch
--repo=r sign --sign-type=dummy x key
$OSTREE_DUMMY_SIGN_ENABLED=yes
--repo=r sign --sign-type=dummy x key
$OSTREE_DUMMY_SIGN_ENABLED=1
--repo=r sign --sign-type=dummy x key
--repo=r sign --sign-type=dummy --verify x key
--repo=r sign --sign-type=dummy --verify x other
-OSTREE_DUMMY_SIGN_ENABLED
--repo=r sign --sign-type=dummy --verify x key
--repo=split init --mode=bare-split-xattrs
!--repo=split commit -b x --timestamp=@1 --canonical-permissions tree
$OSTREE_EXP_WRITE_BARE_SPLIT_XATTRS=1
--repo=split commit -b x --timestamp=@1 --owner-uid=0 --owner-gid=0 tree
-OSTREE_EXP_WRITE_BARE_SPLIT_XATTRS
--repo=split refs
--repo=split show --raw x
!--repo=split fsck
$OSTREE_REPO_TEST_ERROR=pre-commit
--repo=r commit -b faulty --timestamp=@9 --canonical-permissions tree
--repo=r pull-local --remote=o site x
-OSTREE_REPO_TEST_ERROR
--repo=r refs
$OSTREE_EDITOR=printf␣'ours\n\nbody\n'␣>
$VISUAL=false
$EDITOR=false
$TERM=xterm
--repo=r commit -b edited --timestamp=@9 --canonical-permissions --editor tree
-OSTREE_EDITOR
$VISUAL=printf␣'visual\n'␣>
--repo=r commit -b edited --timestamp=@9 --canonical-permissions --editor tree
$TERM=dumb
$EDITOR=printf␣'editor\n'␣>
--repo=r commit -b edited --timestamp=@9 --canonical-permissions --editor tree
-VISUAL
-EDITOR
--repo=r commit -b edited --timestamp=@9 --canonical-permissions --editor tree
$EDITOR=false
--repo=r commit -b edited --timestamp=@9 --canonical-permissions --editor tree
-EDITOR
--repo=r log edited
--repo=p init --mode=bare-user
--repo=p remote add --no-gpg-verify web {url}
!--repo=p pull web x
$OSTREE_REPO_TEST_ERROR=invalid-cache
!--repo=p pull web x
-OSTREE_REPO_TEST_ERROR
!--repo=p pull web x
`

// TestEnvironmentLikeC runs both programs in the same environments. What is for proxies, the
// boot loaders, soft reboots and staging is tested where that is.
func TestEnvironmentLikeC(t *testing.T) {
	treetest.NeedRoot(t)
	c := needC(t)
	for _, name := range []string{"OSTREE_REPO", "OSTREE_SYSROOT", "SOURCE_DATE_EPOCH", "OSTREE_EDITOR", "VISUAL", "EDITOR"} {
		unset(t, name)
	}
	t.Setenv("LC_ALL", "C.UTF-8")
	t.Setenv("TZ", "UTC")
	dirs, urls := [2]string{t.TempDir(), t.TempDir()}, [2]string{}
	for i, dir := range dirs {
		sampleTree(t, filepath.Join(dir, "tree"))
		if err := errors.Join(os.Mkdir(filepath.Join(dir, "s"), 0o755), unix.Setxattr(filepath.Join(dir, "tree/a"), "user.x", []byte("y"), 0)); err != nil {
			t.Fatal(err)
		}
		for _, args := range []string{"admin init-fs s", "--repo=r init --mode=archive", "--repo=other init --mode=archive", "--repo=site init --mode=archive",
			"--repo=r commit -b x --timestamp=@5 --canonical-permissions tree", "--repo=site commit -b x --timestamp=@6 --canonical-permissions tree",
			"--repo=site commit -b y --timestamp=@7 --canonical-permissions tree/sub", "--repo=site summary -u"} {
			if out, status := theirs(t, c, dir, strings.Fields(args)...); status != 0 {
				t.Fatal(out)
			}
		}
		server := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(dir, "site"))))
		defer server.Close()
		urls[i] = server.URL
	}
	for line := range strings.Lines(environLikeC) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if name, ok := strings.CutPrefix(line, "-"); ok && name[0] != '-' {
			unset(t, name)
			continue
		}
		if set, ok := strings.CutPrefix(line, "$"); ok {
			name, value, _ := strings.Cut(set, "=")
			t.Setenv(name, strings.ReplaceAll(value, "␣", " "))
			continue
		}
		line, loose := strings.CutPrefix(line, "!")
		var said [2]string
		var status [2]int
		for i, dir := range dirs {
			said[i], status[i] = say(t, c, i == 1, dir, "", strings.Fields(strings.ReplaceAll(line, "{url}", urls[i])))
			said[i] = passingTimes.ReplaceAllString(strings.NewReplacer(dir, "DIR", urls[i], "URL").Replace(said[i]), "…")
		}
		if said[0] != said[1] && !loose || status[0] != status[1] {
			t.Errorf("%s: status %d:\n%s\nwant %d:\n%s", line, status[1], said[1], status[0], said[0])
		}
	}
	// This is for people, in words of each program.
	t.Setenv("OSTREE_DEBUG_HTTP", "1")
	out, status := say(t, self(t), false, dirs[1], "", []string{"--repo=p", "pull", "web", "y"})
	if status != 0 || !strings.Contains(out, "> GET "+urls[1]+"/objects/") {
		t.Errorf("OSTREE_DEBUG_HTTP: %d %s", status, out)
	}
}

// unset removes a variable until the test ends.
func unset(t *testing.T, name string) {
	t.Helper()
	t.Setenv(name, "") // which brings it back
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
}

// TestExtensionsLikeC has programs of commands that are not built in.
func TestExtensionsLikeC(t *testing.T) {
	c := needC(t)
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$0\"\nfor a; do echo \"<$a>\"; done\necho $FROM >&2\nexit 7\n"
	for _, name := range []string{"ostree-more", "ostree-log"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("FROM", "the environment")
	for _, args := range [][]string{{"more"}, {"--repo=x", "more", "-v", "a b", "--help"}, {"more", "more"}, {"log"}, {"./more"}, {"moreover"}} {
		want, wantStatus := say(t, c, false, dir, "", args)
		got, status := say(t, self(t), false, dir, "", args)
		if got != want || status != wantStatus {
			t.Errorf("%q: status %d:\n%s\nwant %d:\n%s", args, status, got, wantStatus, want)
		}
	}
}

// TestZonesLikeC reads local times and prints them, which only new processes do.
func TestZonesLikeC(t *testing.T) {
	c := needC(t)
	dir := t.TempDir()
	sampleTree(t, filepath.Join(dir, "tree"))
	for _, zone := range []string{"UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Kiritimati"} {
		t.Setenv("TZ", zone)
		for _, line := range []string{
			"init --mode=archive", "commit -b x --canonical-permissions --timestamp=2020-07-02␣03:04:05 tree",
			"commit -b x --canonical-permissions --timestamp=2020-01-02␣03:04:05 tree", "log x", "summary -u", "summary --view",
		} {
			var said [2]string
			for i, program := range []string{c, self(t)} {
				args := []string{"--repo=" + strings.ReplaceAll(zone, "/", "-") + []string{"c", "go"}[i]}
				for word := range strings.FieldsSeq(line) {
					args = append(args, strings.ReplaceAll(word, "␣", " "))
				}
				out, status := say(t, program, false, dir, "", args)
				if strings.HasSuffix(line, "--view") { // in the order of a hash table
					_, out, _ = strings.Cut(out, "Timestamp (")
					out, _, _ = strings.Cut(out, "\n")
				}
				said[i] = fmt.Sprint(status, " ", out)
			}
			if said[0] != said[1] {
				t.Errorf("%s: %s: %s, want %s", zone, line, said[1], said[0])
			}
		}
	}
}
