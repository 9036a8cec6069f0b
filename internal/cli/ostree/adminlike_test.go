package ostree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// adminLikeC are command lines of the life of a host that both programs answer with the same words
// and status, one after the other. DIR is where they run, {REV} the checksum of a revision of the
// repository that is followed. "> NAME TEXT" writes a file, "/" stands for a line break in it.
const adminLikeC = `
admin init-fs root
--repo=root/ostree/repo config set core.fsync false
admin os-init --sysroot=root os
admin os-init --sysroot=root os
admin status --sysroot=root
admin upgrade --sysroot=root --os=os
admin config-diff --sysroot=root
admin config-diff --sysroot=root --os=os
--repo=up init --mode=archive
--repo=up config set core.fsync false
--repo=up commit -b main --timestamp=@1000001 --add-metadata-string=version=1 --owner-uid=0 --owner-gid=0 tree
--repo=root/ostree/repo remote add --no-gpg-verify origin file://DIR/up
--repo=root/ostree/repo pull origin main
admin deploy --sysroot=root --os=os nope
admin deploy --sysroot=root origin:main
admin deploy --sysroot=root --os=os --karg=root=x --karg-append=console=a --karg-append=console=b origin:main
admin status --sysroot=root
admin config-diff --sysroot=root --os=os
> root/ostree/deploy/os/deploy/{main}.0/etc/conf mine/
> root/ostree/deploy/os/deploy/{main}.0/etc/new mine/
admin config-diff --sysroot=root --os=os
admin upgrade --sysroot=root
admin upgrade --sysroot=root --os=os
> tree/usr/etc/conf default 2/
--repo=up commit -b main --timestamp=@1000002 --add-metadata-string=version=2 --owner-uid=0 --owner-gid=0 tree
admin upgrade --sysroot=root --os=os --pull-only --deploy-only
admin upgrade --sysroot=root --os=os --pull-only
admin status --sysroot=root
admin upgrade --sysroot=root --os=os --deploy-only
admin status --sysroot=root
> tree/usr/bin/tool 3/
--repo=up commit -b main --timestamp=@1000001 --owner-uid=0 --owner-gid=0 tree
admin upgrade --sysroot=root --os=os
admin upgrade --sysroot=root --os=os --allow-downgrade
admin upgrade --sysroot=root --os=os --override-commit=x
admin upgrade --sysroot=root --os=os --override-commit={main^^}
admin upgrade --sysroot=root --os=os --override-commit={main^^} --allow-downgrade
admin status --sysroot=root
admin upgrade --sysroot=root --os=os
admin status --sysroot=root
--repo=up commit -b other --timestamp=@1000005 --owner-uid=0 --owner-gid=0 tree
admin switch --sysroot=root --os=os origin:main
admin switch --sysroot=root --os=os main
admin switch --sysroot=root --os=os origin:nope
admin switch --sysroot=root --os=os none:
admin switch --sysroot=root --os=os other
admin status --sysroot=root
--repo=root/ostree/repo rev-parse origin:main
--repo=up commit -b newer --timestamp=@1000006 --owner-uid=0 --owner-gid=0 tree
--repo=up commit -b other --timestamp=@1000007 --add-metadata-string=ostree.endoflife-rebase=newer --owner-uid=0 --owner-gid=0 tree
admin upgrade --sysroot=root --os=os
admin status --sysroot=root
> unconfigured [origin]/refspec=origin:newer/unconfigured-state=Please log in/
admin deploy --sysroot=root --os=os --origin-file=unconfigured origin:newer
admin upgrade --sysroot=root --os=os
admin switch --sysroot=root --os=os origin:other
admin status --sysroot=root
admin pin --sysroot=root 0
admin pin --sysroot=root 0
admin pin --sysroot=root 9
admin pin --sysroot=root x
admin pin --sysroot=root -u 1
admin status --sysroot=root
admin deploy --sysroot=root --os=os --retain origin:newer
admin deploy --sysroot=root --os=os --not-as-default --retain-pending origin:newer
admin deploy --sysroot=root --os=os --retain-rollback --karg=a=1 --karg=a=2 origin:newer
admin deploy --sysroot=root --os=os --karg-delete=console origin:newer
admin deploy --sysroot=root --os=os --karg-delete=console=b --karg-delete=nope --no-prune origin:newer
admin deploy --sysroot=root --os=os --karg-none --karg-append=q="x origin:newer
admin status --sysroot=root
admin instutil set-kargs --sysroot=root --merge --replace=a=3 --append=b
admin instutil set-kargs --sysroot=root c= d
admin undeploy --sysroot=root 99
admin undeploy --sysroot=root 0
admin status --sysroot=root
admin set-origin --sysroot=root new http://localhost/ branch
admin set-origin --sysroot=root --index=0 new http://localhost/ branch
admin set-origin --sysroot=root --index=99 new http://localhost/
admin status --sysroot=root
> root/ostree/deploy/os/deploy/{newer}.1.origin [origin]/refspec=a b/
admin status --sysroot=root
> root/ostree/deploy/os/deploy/{newer}.1.origin [origin]/refspec=/unlocked=x
admin status --sysroot=root
> root/ostree/deploy/os/deploy/{newer}.1.origin [libostree-transient]/pinned=maybe/
admin status --sysroot=root
admin upgrade --sysroot=root --os=os
admin unlock --sysroot=root
admin cleanup --sysroot=root
--repo=root/ostree/repo rev-parse origin:main
admin --sysroot=root --print-current-dir
`

var (
	// newerWords are what the C program of 2022 does not say yet.
	newerWords = strings.NewReplacer("Deploying tree: ", "", "Initializing deployment: ", "", "Finalizing deployment: ", "", "OSTree stateroot", "OSTree root", "Deployment 0: ", "")
	// olderLines are what it says, and newer ones do not.
	olderLines = regexp.MustCompile(`(?m)^Freed objects: .*\n`)
)

func TestAdminLikeC(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	c := needC(t)
	t.Setenv("OSTREE_SYSROOT_OPTS", "skip-sync,bootloader-naming-1")
	t.Setenv("OSTREE_SYSROOT_DEBUG", "mutable-deployments")
	dirs := [2]string{t.TempDir(), t.TempDir()}
	for _, dir := range dirs {
		for name, text := range map[string]string{
			"usr/lib/modules/1/vmlinuz": "kernel", "usr/lib/modules/1/initramfs.img": "initramfs", "usr/lib/os-release": "PRETTY_NAME=Test\n",
			"usr/etc/conf": "default\n", "usr/bin/tool": "1\n", "boot/x": "", "sysroot/x": "",
		} {
			writeFile(t, filepath.Join(dir, "tree", name), text)
		}
		if err := errors.Join(os.Mkdir(filepath.Join(dir, "tree/var"), 0o755), os.Mkdir(filepath.Join(dir, "root"), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	revision := regexp.MustCompile(`\{[^}]+\}`)
	for line := range strings.Lines(adminLikeC) {
		line = revision.ReplaceAllStringFunc(strings.TrimSpace(line), func(rev string) string {
			sum, _ := ours(t, dirs[1], "--repo=up", "rev-parse", strings.Trim(rev, "{}"))
			return strings.TrimSpace(sum)
		})
		if line == "" {
			continue
		}
		if file, ok := strings.CutPrefix(line, "> "); ok {
			name, text, _ := strings.Cut(file, " ")
			for _, dir := range dirs {
				writeFile(t, filepath.Join(dir, name), strings.ReplaceAll(text, "/", "\n"))
			}
			continue
		}
		args := func(dir string) []string { return strings.Fields(strings.ReplaceAll(line, "DIR", dir)) }
		want, wantStatus := theirs(t, c, dirs[0], args(dirs[0])...)
		got, status := ours(t, dirs[1], args(dirs[1])...)
		want, got = olderLines.ReplaceAllString(strings.ReplaceAll(want, dirs[0], "DIR"), ""), newerWords.Replace(strings.ReplaceAll(got, dirs[1], "DIR"))
		if got != want || status != wantStatus {
			t.Errorf("%s: status %d: %q\nwant %d: %q", line, status, got, wantStatus, want)
		}
	}
	theirs, ours := listTree(t, dirs[0]), listTree(t, dirs[1])
	for _, line := range theirs {
		if !slices.Contains(ours, line) {
			t.Errorf("only the C program makes %s", line)
		}
	}
	for _, line := range ours {
		if !slices.Contains(theirs, line) {
			t.Errorf("only we make %s", line)
		}
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(name) // never through a hard link
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// listTree lists the files of a sysroot, with the content of those that say what boots.
func listTree(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(filepath.Join(dir, "root"), func(path string, e fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(path, dir)
		if err != nil || strings.Contains(rel, "/repo/tmp/") || strings.Contains(rel, "/repo/state") || strings.Contains(rel, "/backing") || strings.HasSuffix(rel, "lock") {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprint(rel, " ", info.Mode())
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			line += fmt.Sprint(" -> ", target, err)
		case strings.HasSuffix(rel, ".conf"), strings.HasSuffix(rel, ".origin"), strings.Contains(rel, "/refs/"), strings.Contains(rel, "/etc/"):
			text, err := os.ReadFile(path)
			if info.Mode().IsRegular() {
				line += fmt.Sprintf(" %q %v", text, err)
			}
		}
		list = append(list, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
