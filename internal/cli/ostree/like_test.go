package ostree

import (
	"archive/tar"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// likeC are command lines that both programs answer with the same words and status, one after
// the other. "\xff" is a byte that no text has, "∅" an empty argument. Those that end with the help are left out: the words of the help are our own.
const likeC = `
--repo=r init --mode=foo
--repo=r init --mode=archive
--repo=r init --mode=archive
--repo=r init --mode=bare
--repo=u init --mode=bare-user
--repo=r3 init --mode=archive --collection-id=bad
--repo=r3 init --mode=archive --collection-id=
--repo=r3 init --mode=foo --collection-id=bad
--repo=r3 init --collection-id=bad --no-such
--repo=nope refs
--repo=r commit -b x --no-such
--repo=r commit --timestamp=@1500000000 tree
--repo=r commit -b bad: tree
--repo=r commit -b x --timestamp=@1500000000 -s first --add-metadata-string=version=1 --canonical-permissions tree
--repo=r commit -b x --timestamp=@1500000001 -s second --canonical-permissions tree
--repo=r commit -b x --timestamp=garbage tree
--repo=r commit -b x --timestamp=@1500000001 --skip-if-unchanged --canonical-permissions tree
--repo=r commit -b x --add-metadata-string=bad tree
--repo=r commit -b x --parent=abc tree
--repo=r commit -b x --parent=x tree
--repo=r commit -b y --tree=ref=nope
--repo=r commit -b y --tree=foo=nope
--repo=r commit -b y --tree=nope
--repo=r commit -b x tree --statoverride=nope
--repo=r commit -b x tree --skip-list=nope
--repo=r commit -b x tree -F nope
--repo=r commit -b x tree -F nottext
--repo=r commit -b x tree --skip-list=nottext
--repo=r commit -b x tree --statoverride=nottext
--repo=r checkout -U x co --skip-list=nottext
--repo=r commit -b x tree --parent=
--repo=r commit -b x tree --subject=\xff
--repo=r commit -b x tree --add-metadata-string=a=\xff
--repo=r refs --collections x
--repo=r refs --delete --collections x
--repo=r commit -b x tree --owner-uid=abc
--repo=r commit -b x tree --fsync=maybe
--repo=r commit -b y --base=x --tree=ref=x --timestamp=@1500000002 --canonical-permissions
--repo=r commit -b x --keep-metadata=nope tree
--repo=r commit -b z --tree=tar=empty.tar
--repo=r commit -b z --tree=tar=layer.tar
--repo=r commit -b z --tree=dir=tree --tree=tar=layer.tar --timestamp=@1500000003 --canonical-permissions
--repo=r ls -R z
--repo=r commit -b z --tree=dir=tree --tree=tar=empty.tar --timestamp=@1500000003 --canonical-permissions
--repo=r commit -b z --base=x --tree=tar=layer.tar --timestamp=@1500000003 --canonical-permissions
--repo=r commit --orphan --statoverride=override --timestamp=@1500000003 --canonical-permissions tree
--repo=r commit --orphan --bootable kernels
--repo=q init --mode=archive
--repo=q commit --orphan --table-output --timestamp=@1500000004 --canonical-permissions tree
--repo=q commit --orphan --bind-ref=q --bind-ref=b --bind-ref=q --timestamp=@1500000003 --canonical-permissions tree
--repo=q commit --orphan --add-metadata-string==x tree
--repo=q commit --orphan --add-metadata=x=garbage tree
--repo=q commit --orphan --parent=none --keep-metadata=x tree
--repo=q commit --orphan --canonical-permissions --owner-uid=5 tree
--repo=q commit --orphan --tree=tar=nope
--repo=q commit --orphan --mode-ro-executables --statoverride=executables --timestamp=@1500000003 --owner-uid=0 --owner-gid=0 --no-xattrs special/d
--repo=o init --mode=bare-user-only
--repo=o commit -b x --timestamp=@1500000003 attributes
--repo=o diff x ./attributes
--repo=q commit -b attributes --timestamp=@1500000003 --no-xattrs attributes
--repo=q diff attributes ./attributes
--repo=q diff --no-xattrs attributes ./attributes
--repo=q diff --no-xattrs --owner-uid=5 attributes ./attributes
--repo=q refs --delete attributes
--repo=p init --mode=archive
--repo=p commit -b x --timestamp=@1500000200 --canonical-permissions tree
--repo=p commit -b x --timestamp=@1500000010 --canonical-permissions tree/sub
--repo=p prune --keep-younger-than=@1500000100
--repo=p commit --orphan special
--repo=p refs --create=n:ew x
--repo=p commit -b ew --timestamp=@1500000005 --canonical-permissions tree
--repo=p log ew
--repo=p refs --delete ew
--repo=p commit -b below/ew --timestamp=@1500000006 --canonical-permissions tree
--repo=p commit -b below --timestamp=@1500000006 --canonical-permissions tree
--repo=p refs --delete below/ew
--repo=r refs --delete z
--repo=r show x --print-sizes
--repo=r refs x
--repo=r refs nope
--repo=r refs --delete
--repo=r refs --delete nope
--repo=r refs --create=new
--repo=r refs --create=new nope
--repo=r refs --create=new x y
--repo=r refs --create=new x
--repo=r refs --create=n:ew y
--repo=r refs -A
--repo=r refs -A --create=al x
--repo=r refs -A --create=al2 nope
--repo=r refs -A --create=al2 rem:nope
--repo=r refs -A --create=rem:al2 x
--repo=r refs -A
--repo=r refs --delete x
--repo=r refs --delete al
--repo=r refs -c
--repo=r refs -c --create=org.a.B:foo x
--repo=r refs -c
--repo=r rev-parse x y x^
--repo=r rev-parse x^^^
--repo=r rev-parse nope
--repo=r rev-parse -S
--repo=r rev-parse deadbeef
--repo=r log nope
--repo=r ls x
--repo=r ls -RC x
--repo=r ls -RX x /sub
--repo=r ls -d x / /a
--repo=r ls x /nope
--repo=r ls x nope
--repo=r ls nope
--repo=r ls x /a/b
--repo=r cat x /a a
--repo=r cat x /sub
--repo=r cat x /nope
--repo=r cat nope /a
--repo=r checkout nope
--repo=r checkout -U x co
--repo=r checkout -U --union x co
--repo=r checkout -U --union-add x co
--repo=r checkout -U --union --union-add x co
--repo=r checkout -U --union-identical x co
--repo=r checkout -UH x coh
--repo=r checkout -U --subpath=/nope x no
--repo=r checkout -U --subpath=/nope --allow-noent x no
--repo=r checkout -U --skip-list=nope x no
--repo=r checkout -U --fsync=maybe x no
--repo=r checkout -UCH x no
--repo=r checkout -U --union --from-file=last many
--repo=r diff x ./many
--repo=r checkout -U --union --from-file=nope many
--repo=r checkout -U --union --from-file=wrong many
--repo=r checkout -U --union --from-file=wrongpath many
--repo=r diff x ./many
--repo=r diff x^ x
--repo=r diff x ./co
--repo=r diff --stats x ./co
--repo=r diff nope x
--repo=r config get core.mode
--repo=r config get core.nope
--repo=r config get nope.nope
--repo=r config get nodot
--repo=r config set core.foo bar
--repo=r config set a.b.c d
--repo=r config set core.bar foo
--repo=r config unset core.foo
--repo=r config unset core.foo
--repo=r config unset no.no
--repo=r config frob core.x
--repo=r show --print-metadata-key=version x^
--repo=r show --print-metadata-key=nope x
--repo=r show nope
--repo=r prune --depth=abc
--repo=r prune --static-deltas-only
--repo=r prune --keep-younger-than=garbage
--repo=r prune --only-branch=nope --depth=0
--repo=r prune --retain-branch-depth=x
--repo=r prune --retain-branch-depth=x=abc
--repo=r prune
--repo=r commit -b x tree --sign=abc --sign-type=nope
--repo=r reset nope x
--repo=r reset x nope
--repo=r reset x y
--repo=r reset x x^
--repo=r summary
--repo=r summary -v
--repo=r summary -u -m foo
--repo=u remote add a http://localhost:1
--repo=u remote add a http://localhost:1
--repo=u remote add --if-not-exists a http://localhost:1
--repo=u remote add b/d http://localhost:1
--repo=u remote add --set=foo s1 http://localhost:1
--repo=u remote add --set=foo=bar --no-gpg-verify s1 http://localhost:1
--repo=u remote add --no-sign-verify s2 http://localhost:1
--repo=u remote add --sign-verify=foo=inline:x s3 http://localhost:1
--repo=u remote add --sign-verify=ed25519=inline:x --no-sign-verify s3 http://localhost:1
--repo=u remote add --custom-backend=zz cb http://x/y
--repo=u remote list
--repo=u remote list -u
--repo=u remote show-url a
--repo=u remote show-url nope
--repo=u remote delete nope
--repo=u remote delete --if-exists nope
--repo=u remote delete a/b
--repo=u remote delete --if-exists a/b
--repo=u remote add --if-not-exists --set=foo a http://localhost:1
--repo=u remote add --force --nope a http://localhost:1
--repo=u remote add-cookie a example.com / name value
--repo=u remote delete-cookie a example.com / other
--repo=u remote delete-cookie a example.com / name
--repo=u remote list-cookies a
--repo=u remote delete s1
--repo=u remote refs nope
--repo=u remote summary nope
--repo=u pull nope
--repo=u pull nope x
--repo=u pull cb x
--repo=u pull a
--repo=u pull a x@abc
--repo=u remote add --set=k=v --set=a=b --no-sign-verify --contenturl=http://c --custom-backend=x --collection-id=org.x.Y all http://y b1 b2
--repo=u refs --delete --alias x/
--repo=u remote add --contenturl= --custom-backend= empty http://y
--repo=u remote add --gpg-import=nottext a/b http://y
--repo=u refs :
--repo=u refs ∅
--repo=u refs --delete ∅
--repo=u refs --delete --collections ∅
--repo=u rev-parse ∅
--repo=u refs bad%:
--repo=u refs --list a:b:c
--repo=u pull-local nope
--repo=u pull-local r nope
--repo=u pull-local r y
--repo=u pull-local --remote=q r y
--repo=u refs q:y
--repo=u fsck extra --nope
`

func TestCommandsLikeC(t *testing.T) {
	c := needC(t)
	dirs := [2]string{t.TempDir(), t.TempDir()}
	var layer strings.Builder // one file of a directory that is not in it
	tw := tar.NewWriter(&layer)
	if err := errors.Join(tw.WriteHeader(&tar.Header{Name: "sub/c", Mode: 0o644}), tw.Close()); err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		for name, data := range map[string]string{"a": "one\n", "sub/b": "two\n", "../override": "=420 /nope\n", "../executables": "73 /over\n=511 /tool\n",
			"../nottext": "a\xff\n", "../kernels/usr/lib/modules/1/vmlinuz": "", "../kernels/usr/lib/modules/2/vmlinuz": "",
			"../empty.tar": strings.Repeat("\x00", 1024), "../layer.tar": layer.String(),
			"../last": "x\x00/sub\x00x", "../wrong": "x\x00/\x00nope\x00/sub\x00", "../wrongpath": "x\x00/nope\x00x\x00/\x00"} {
			path := filepath.Join(dir, "tree", name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(data), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		for name, data := range map[string]string{"special/d/over": "", "special/d/tool": "", "attributes/x": "x"} {
			path := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(data), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.Symlink("a", filepath.Join(dir, "tree/link")), unix.Mkfifo(filepath.Join(dir, "special/fifo"), 0o644),
			os.Chmod(filepath.Join(dir, "special/d/tool"), 0o777), unix.Setxattr(filepath.Join(dir, "attributes/x"), "user.x", []byte("v"), 0)); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(likeC) {
		args := strings.Fields(strings.ReplaceAll(line, `\xff`, "\xff"))
		if len(args) == 0 {
			continue
		}
		for i, a := range args {
			args[i] = strings.TrimPrefix(a, "∅")
		}
		want, wantStatus := theirs(t, c, dirs[0], args...)
		got, status := ours(t, dirs[1], args...)
		want, got = strings.ReplaceAll(want, dirs[0], "DIR"), strings.ReplaceAll(got, dirs[1], "DIR")
		if got != want || status != wantStatus {
			t.Errorf("%s: status %d:\n%s\nwant %d:\n%s", strings.TrimSpace(line), status, got, wantStatus, want)
		}
	}
	for _, name := range []string{"r/config", "u/config"} {
		var config [2]string
		for i, dir := range dirs {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			config[i] = string(data)
		}
		if config[0] != config[1] {
			t.Errorf("%s:\n%s\nwant:\n%s", name, config[1], config[0])
		}
	}
}
