package ostree

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

// oddConfigs are configurations in which something is wrong or unusual. Each is that of a
// repository with a commit; "[core]" and what must be in it are put before those that do not
// begin with a group.
var oddConfigs = []string{
	"tombstone-commits=perhaps", "auto-update-summary=perhaps", "commit-update-summary=perhaps", "auto-update-summary=true\ncommit-update-summary=perhaps",
	"no-deltas-in-summary=perhaps", "indexed-deltas=perhaps", "collection-id=bad", "fsync=perhaps", "per-object-fsync=perhaps",
	"disable-xattrs=perhaps", "locking=perhaps", "locking=false\nlock-timeout-secs=x", "lock-timeout-secs=x",
	"enable-uncompressed-cache=perhaps", "add-remotes-config-dir=perhaps", "archive=true", "archive=perhaps", "mode=foo", "mode=archive-z2",
	"tmp-expiry-secs=x", "tmp-expiry-secs=-1", "payload-link-threshold=x", "min-free-space-percent=100", "min-free-space-percent=",
	"min-free-space-size=5", "min-free-space-size=99999999999999999999TB", "min-free-space-size=0MB", "min-free-space-size=18446744073709551615MB",
	"default-repo-finders=x", "default-repo-finders=", "default-repo-finders=config;lan;", "parent=/nope", "parent=",
	"fsync=true ", "fsync=TRUE", "fsync=yes", "repo_version=2", "repo_version=1 ", "fsync", "=x", "[remote \"x\"]\ngpg-verify=perhaps\nurl=x", "[remote \"x]\nurl=x",
	"[archive]\nzlib-level=x", "[archive]\nzlib-level=-1", "[ex-fsverity]\nrequired=perhaps", "[ex-fsverity]\nopportunistic=perhaps",
	"[sysroot]\nbootloader=lilo", "[sysroot]\nbootloader=", "[sysroot]\nbls-append-except-default=a=b;c=d",
	"[core]\nmode=archive", "[else]\nrepo_version=1", "garbage",
}

// TestOddConfigLikeC lets both programs use repositories with such configurations: they fail
// at the same command, with the same words. Where the C program crashes, ours does not.
func TestOddConfigLikeC(t *testing.T) {
	c := needC(t)
	dirs := [2]string{treetest.FastDir(t), treetest.FastDir(t)}
	for _, dir := range dirs {
		if err := os.Mkdir(filepath.Join(dir, "tree"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, args := range []string{"--repo=r init --mode=archive", "--repo=r commit -b x --timestamp=@1500000000 --canonical-permissions tree"} {
			if out, status := theirs(t, c, dir, strings.Fields(args)...); status != 0 {
				t.Fatal(out)
			}
		}
	}
	for _, text := range oddConfigs {
		whole := "[core]\nrepo_version=1\nmode=archive\n" + text + "\n"
		if strings.HasPrefix(text, "[core]") || strings.HasPrefix(text, "[else]") || text == "garbage" {
			whole = text + "\n"
		}
		for _, command := range []string{"refs", "commit -b y --orphan --timestamp=@1500000001 --canonical-permissions tree", "summary -u", "prune --refs-only"} {
			var out [2]string
			var status [2]int
			args := append([]string{"--repo=r"}, strings.Fields(command)...)
			for i, dir := range dirs {
				if err := os.WriteFile(filepath.Join(dir, "r/config"), []byte(whole), 0o644); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					out[i], status[i] = theirs(t, c, dir, args...)
				} else {
					out[i], status[i] = ours(t, dir, args...)
				}
				if status[i] == 0 { // what is in the repositories differs after crashes
					out[i] = ""
				}
				out[i] = strings.ReplaceAll(out[i], dir, "DIR")
			}
			if crashed := status[0] < 0; crashed && strings.Contains(out[1], "panic") || !crashed && (out[0] != out[1] || status[0] != status[1]) {
				t.Errorf("%q: %s: status %d: %s\nwant %d: %s", text, command, status[1], out[1], status[0], out[0])
			}
		}
	}
}
