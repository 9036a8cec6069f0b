package scripts

import "strings"

// ignored are scripts that must not run in an image build, by PACKAGE.KIND:
// they migrate the state of a running system, or do what the image pipeline
// does itself. The set is rpm-ostree's; a package name that ends in * is a
// prefix.
var ignored = map[string]bool{
	"glibc.prein": true, "coreutils.prein": true, "ca-certificates.prein": true,
	"libgcc.post": true, "filesystem.posttrans": true, "setup.post": true,
	"pinentry.prein": true, "bash.post": true, "gdb.prein": true,
	"systemd.transfiletriggerin": true, "man-db.transfiletriggerin": true,
	"filesystem.transfiletriggerin": true,
	"nfs-utils.post":                true, "microcode_ctl.post": true, "microcode_ctl.posttrans": true,
	"glibc-headers.prein": true, "fedora-release.posttrans": true,
	"kernel.posttrans": true, "kernel-core.posttrans": true, "kernel-modules.posttrans": true,
	"kernel-modules-core.posttrans": true, "kernel-modules-extra.posttrans": true,
	"kernel-rt-core.posttrans": true, "kernel-rt-modules.posttrans": true,
}

// ignoredPrefixes are package names by prefix, with the kind.
var ignoredPrefixes = [...][2]string{{"vagrant", "prein"}}

// Ignored reports whether a script of that kind ("prein", "post", "posttrans",
// "transfiletriggerin", ...) of the package is never run.
func Ignored(pkg, kind string) bool {
	if ignored[pkg+"."+kind] {
		return true
	}
	for _, p := range ignoredPrefixes {
		if strings.HasPrefix(pkg, p[0]) && kind == p[1] {
			return true
		}
	}
	return false
}

// luaReplacements are shell scripts that do what well-known <lua> scripts do.
// They are written from what the packages need, not from the Lua text.
var luaReplacements = map[string]string{
	"fedora-release.post":             osRelease,
	"fedora-release-atomichost.post":  osRelease,
	"fedora-release-coreos.post":      osRelease,
	"fedora-release-workstation.post": osRelease,
	"glibc.posttrans":                 "exit 0\n",
	"glibc-common.transfiletriggerin": "/sbin/ldconfig\n",
	"glibc.post":                      iconvCache,
	"glibc-gconv-extra.post":          iconvCache,
	"authselect-libs.prein":           "exit 0\n",
	"crypto-policies.post": `cd /etc/crypto-policies/back-ends || exit 0
for f in /usr/share/crypto-policies/DEFAULT/*.txt; do
  b=$(basename "$f" .txt)
  test -e "$b.config" || ln -sf "$f" "$b.config"
done
`,
}

const (
	osRelease = `set -e
if test -e /usr/lib/os.release.d/os-release-fedora; then
  ln -sf os.release.d/os-release-fedora /usr/lib/os-release
fi
`
	iconvCache = `if test -x /usr/sbin/iconvconfig; then
  for d in /usr/lib64/gconv /usr/lib/gconv; do
    test -d "$d" && /usr/sbin/iconvconfig -o "$d/gconv-modules.cache" --nostdlib "$d"
  done
fi
exit 0
`
)

// luaSkip, in the first lines of a Lua script, lets its author say that an
// image does not need it.
const luaSkip = "-- rpm-ostree-skip"

func skipsItself(body string) bool {
	lines := strings.SplitN(body, "\n", 11)
	for _, l := range lines[:min(10, len(lines))] {
		if strings.Contains(l, luaSkip) {
			return true
		}
	}
	return false
}
