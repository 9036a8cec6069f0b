package ostree

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rpmostree/internal/treetest"

	"golang.org/x/sys/unix"
)

// optionsLikeC are command lines that give options. A word has "␣" for a space, "{REV}" for
// the commit that the C program says REV is in the repository b, "{url}" for that of a web
// server with the directory "site"; "<FILE" is the standard input. After "!" only the exit
// statuses are compared: the C program is older, and counts otherwise. After "~" lines have no
// order: that of the C program is its hash table's, or the disk's.
const optionsLikeC = `
--repo=b init --mode=bare-user
--repo=site init --mode=archive --collection-id=org.example.Site
--repo=b commit --branch=x --timestamp=@1500000000 --canonical-permissions --table-output --add-metadata=h=[byte␣1,2,255] --add-metadata-string=s=text --add-detached-metadata-string=d=e tree
--repo=b commit --branch=x --timestamp=@1500000001 --canonical-permissions --table-output --subject=two --body=a␣body tree
--repo=b commit --branch=x --timestamp=@1500000002 --canonical-permissions --subject=three --body-file=text tree2
--repo=b log x
--repo=b show --print-detached-metadata-key=d x^^
--repo=b show --print-metadata-key=h x^^
--repo=b show --print-variant-type=s variant
--repo=b show --print-variant-type=(uu) variant
!--repo=b show --print-variant-type=s nope
--repo=b ls --dironly x /sub
--repo=b ls --recursive --checksum x
--repo=b ls --xattrs --recursive y
--repo=b ls --nul-filenames-only --recursive x
--repo=b rev-parse --single
--repo=b rev-parse from:{x}
--repo=b rev-parse from:{x}^
--repo=b diff --fs-diff x^ x
--repo=b diff --fs-diff --stats x^ x
!--repo=b diff x ./tree
--repo=b diff --owner-uid=0 --owner-gid=0 --no-xattrs x ./tree2
!--repo=b diff ./tree ./tree2
checksum tree/a
checksum --ignore-xattrs tree/a
checksum tree
checksum --ignore-xattrs tree
checksum nope
--repo=b commit --branch=owned --timestamp=@1500000003 --owner-uid=7 --owner-gid=8 tree
--repo=b commit --branch=old --timestamp=@1499212800 --canonical-permissions tree
--repo=b commit --branch=plain --timestamp=@1500000003 --owner-uid=0 --owner-gid=0 --no-xattrs tree
--repo=b commit --branch=ro --timestamp=@1500000003 --owner-uid=0 --owner-gid=0 --mode-ro-executables tree
--repo=b commit --branch=bound --timestamp=@1500000003 --canonical-permissions --bind-ref=other --bind-ref=another tree
--repo=b commit --branch=unbound --timestamp=@1500000003 --canonical-permissions --no-bindings --bind-ref=other tree
--repo=b commit --orphan --timestamp=@1500000003 --canonical-permissions --bind-ref=other tree
--repo=b commit --orphan --timestamp=@1500000004 --canonical-permissions --parent={x} tree
--repo=b commit --branch=kept --timestamp=@1500000005 --canonical-permissions --parent={x^^} --keep-metadata=s --keep-metadata=h tree
--repo=b commit --branch=based --timestamp=@1500000005 --canonical-permissions --base=x^ --tree=dir=tree2
--repo=b commit --branch=overridden --timestamp=@1500000005 --owner-uid=0 --owner-gid=0 --statoverride=override --skip-list=skip tree
--repo=b commit --branch=consumed --timestamp=@1500000005 --canonical-permissions --consume eaten
--repo=b commit --branch=fsync --timestamp=@1500000007 --canonical-permissions --fsync=false tree
--repo=b commit --branch=fsync --timestamp=@1500000008 --canonical-permissions --disable-fsync tree
--repo=b checkout --user-mode x co-user
--repo=b checkout --user-mode --require-hardlinks x co-hard
--repo=b commit --branch=linked --timestamp=@1500000009 --canonical-permissions --link-checkout-speedup co-hard
--repo=b commit --branch=linked --timestamp=@1500000010 --devino-canonical co-hard
--repo=b checkout --user-mode --union-identical --require-hardlinks x co-hard
--repo=b checkout --user-mode --force-copy x co-copy
--repo=b checkout --user-mode --force-copy-zerosized x co-zero
--repo=b checkout --user-mode --bareuseronly-dirs ro co-dirs
--repo=b checkout --user-mode --subpath=/sub x co-sub
--repo=b checkout --user-mode --subpath=/sub/b x co-subfile
--repo=b checkout --user-mode --skip-list=skip x co-skip
--repo=b checkout --user-mode --union x^ co-copy
--repo=b checkout --user-mode --union-add x co-copy
--repo=b checkout --user-mode --from-stdin co-many <last
--repo=b checkout --user-mode --union --from-file=last co-many
--repo=b checkout --user-mode --disable-cache --fsync=true x co-nocache
--repo=b commit --branch=layer --timestamp=@1500000011 --canonical-permissions layer
--repo=b checkout --user-mode --whiteouts --union layer co-copy
--repo=b export x --output=plain.tar
--repo=b export x --output=sub.tar --subpath=/sub
--repo=b export x -o prefixed.tar --prefix=pre/
--repo=b export plain --no-xattrs -o noxattrs.tar
--repo=b refs --list lin
--repo=b refs --create=new/one x
--repo=b refs --create=new/one x^
--repo=b refs --create=new/one --force x^
--repo=b refs --create=new/two --alias x
--repo=b refs --alias
--repo=b refs --alias --delete new
--repo=b refs --list new
--repo=b refs --create=new/two --alias x
--repo=b refs --alias new
--repo=b refs --create={x} x
--repo=b refs --create=new/three x
--repo=b refs --create=new/a --alias new/three
--repo=b refs --delete new/a new/three
--repo=b refs --create=new/three x
--repo=b refs --create=new/a --alias new/three
--repo=b refs --delete new
--repo=b refs --delete new/a
--repo=b refs --delete new/three
--repo=b prune --only-branch={x} --refs-only --depth=-1 --no-prune
--repo=b prune --only-branch=nope
--repo=b refs --delete new/two
--repo=b refs --delete new/one
--repo=b config --group=core get mode
--repo=b config --group=remote␣"a.b" set url http://example.com/
--repo=b config --group=remote␣"a.b" get url
--repo=b remote list --show-urls
--repo=b config --group=remote␣"a.b" unset url
--repo=b remote delete a.b
--repo=b reset fsync fsync^
--repo=site pull-local b x
!--repo=site pull-local --depth=-1 b x linked bound old
--repo=site pull-local --remote=from --commit-metadata-only b ro
--repo=site pull-local --disable-fsync --per-object-fsync --untrusted b plain
--repo=site pull-local --bareuseronly-files b owned
--repo=site pull-local --require-static-deltas b owned
--repo=site pull-local --disable-verify-bindings b unbound
--repo=site pull-local b unbound
~--repo=site refs --collections
!--repo=site fsck --verify-bindings
!--repo=site fsck --verify-back-refs
!--repo=site fsck --quiet --all
!--repo=site static-delta generate --disable-bsdiff x
--repo=site static-delta generate --if-not-exists x
!--repo=site static-delta generate --empty --inline --to=x
--repo=site static-delta list
!--repo=site summary --update --add-metadata=map={'a':␣<1>}
!--repo=site summary --view
--repo=b remote add --no-gpg-verify --contenturl={url} --collection-id=org.example.Site web {url} x
--repo=b remote add --no-sign-verify --if-not-exists web {url}
--repo=b remote add --no-gpg-verify --force --set=branches=x;bound web {url}
--repo=b remote show-url web
--repo=b remote refs web
!--repo=b remote summary --cache-dir=cache web
!--repo=b pull web nope
--repo=p init --mode=bare-user
--repo=p remote add --no-gpg-verify web {url} x
!--repo=p pull --commit-metadata-only web
!--repo=p fsck
!--repo=p pull --subpath=/sub --depth=1 web
!--repo=p ls --recursive web:x
!--repo=p pull --dry-run web
!--repo=p pull --dry-run --require-static-deltas web bound
!--repo=p pull --require-static-deltas web bound
!--repo=p pull --http-header=X-Y=1 --append-user-agent=z --update-frequency=100 --network-retries=2 --disable-static-deltas web x
!--repo=p pull --http-header=X-Y web x
!--repo=p pull --timestamp-check web x@{x^}
!--repo=p pull --timestamp-check-from-rev=web:x web x@{x^}
--repo=p pull --timestamp-check-from-rev=web:x web old
!--repo=p pull web old
!--repo=p pull --disable-verify-bindings web unbound
!--repo=p pull --untrusted --http-trusted --per-object-fsync --disable-fsync web linked
!--repo=p pull --bareuseronly-files web plain
!--repo=p pull --url={url} web bound
!--repo=p pull --url={url}nothing --network-retries=0 web bound
!--repo=p pull --localcache-repo=b web bound
!--repo=p pull --localcache-repo=nope web bound
--repo=m init --mode=archive
--repo=m remote add --no-gpg-verify web {url}
!--repo=m pull --mirror --cache-dir=cache --disable-static-deltas web
--repo=m refs --list
~--repo=m refs --collections
--repo=m fsck
--repo=m prune --no-prune
--repo=m prune --no-prune --refs-only --depth=0
--repo=m prune --no-prune --refs-only --commit-only --depth=0
--repo=m refs --delete bound
--repo=m prune --only-branch=x --depth=0
--repo=m prune --delete-commit={x}
--repo=m refs --delete x
--repo=m prune --delete-commit={x}
--repo=m prune --delete-commit={x}
--repo=m config get core.tombstone-commits
--repo=nobody sign x y
--repo=b sign x
--repo=b sign --sign-type=nope x y
--repo=b sign --delete x
--repo=b sign --verify --sign-type=dummy x y
--repo=b gpg-sign x
--repo=b create-usb
--repo=site create-usb volume org.example.Site x
--repo=site create-usb --destination-repo=else --disable-fsync --commit={x} volume org.example.Site x
~--repo=volume/.ostree/repo refs --collections
--repo=b find-remotes --finders=config org.example.Site x
--repo=b find-remotes --finders=config --mirror org.example.Site x
--repo=b find-remotes --finders=mount,zz org.example.Site x
--repo=b find-remotes --finders= org.example.Site x
--repo=b find-remotes --pull --finders=config org.example.Site x
--repo=b find-remotes org.example.Other x
`

// passingTimes are what differs from one moment to the next, and a revToken is a revision in
// a command line.
var (
	passingTimes = regexp.MustCompile(`(?m)(^Last-Modified \(.*|^Expires: .*|Summary last modified: .*| in \d+ seconds|^GENERATED.*)`)
	revToken     = regexp.MustCompile(`\{([^{}']+)\}`)
)

// plantOptions makes what the command lines work on.
func plantOptions(t *testing.T, dir string) {
	t.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeReg, Name: "deep/er/file", Mode: 0o640, Size: 2, Uid: 5, Gid: 6},
		{Typeflag: tar.TypeDir, Name: "dir/", Mode: 0o750},
		{Typeflag: tar.TypeSymlink, Name: "dir/link", Linkname: "../deep/er/file", Mode: 0o777},
		{Typeflag: tar.TypeLink, Name: "dir/hard", Linkname: "deep/er/file", Mode: 0o640},
	} {
		err := w.WriteHeader(&h)
		_, err2 := w.Write([]byte("hi")[:h.Size])
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	for name, data := range map[string]string{
		"tree/a": "one\n", "tree/sub/b": "two\n", "tree/bin/tool": "#!/bin/sh\n", "tree/empty": "",
		"tree2/a": "three\n", "tree2/sub/b": "two\n", "tree2/new": "new\n", "eaten/a": "eaten\n", "eaten/sub/c": "c\n",
		"layer/.wh.a": "", "layer/sub/.wh..wh..opq": "", "layer/sub/only": "only\n",
		"text": "a body\n\nof a file\n", "variant": "\x01\x00\x00\x00abc\x00", "override": "=420 /bin/tool\n+1024 /a\n", "skip": "/sub/b\n",
		"last": "x\x00/sub\x00x^\x00/\x00", "layer.tar": layer.String(), "volume/keep": "", "cache/keep": "",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(data), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(filepath.Join(dir, "tree/bin/tool"), 0o755), os.Symlink("a", filepath.Join(dir, "tree/link")),
		unix.Setxattr(filepath.Join(dir, "tree/a"), "user.x", []byte("y"), 0), unix.Setxattr(filepath.Join(dir, "tree/sub"), "user.x", nil, 0)); err != nil {
		t.Fatal(err)
	}
}

// TestOptionsLikeC gives both programs the same options one after the other. They say the
// same, and leave the same.
func TestOptionsLikeC(t *testing.T) {
	treetest.NeedRoot(t)
	c := needC(t)
	t.Setenv("TZ", "UTC")
	t.Setenv("LC_ALL", "C.UTF-8")
	dirs, urls := [2]string{treetest.FastDir(t), treetest.FastDir(t)}, [2]string{}
	for i, dir := range dirs {
		plantOptions(t, dir)
		server := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(dir, "site"))))
		defer server.Close()
		urls[i] = server.URL
	}
	for line := range strings.Lines(optionsLikeC) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		line, loose := strings.CutPrefix(line, "!")
		line, shuffled := strings.CutPrefix(line, "~")
		line, input, _ := strings.Cut(line, " <")
		var said [2]string
		var status [2]int
		for i, dir := range dirs {
			args := strings.Fields(line)
			for j, a := range args {
				a = strings.ReplaceAll(strings.ReplaceAll(a, "␣", " "), "{url}", urls[i])
				args[j] = revToken.ReplaceAllStringFunc(a, func(rev string) string {
					out, status := theirs(t, c, dir, "--repo=b", "rev-parse", strings.Trim(rev, "{}"))
					if status != 0 {
						t.Fatalf("%s: %s", line, out)
					}
					return strings.TrimSpace(out)
				})
			}
			said[i], status[i] = say(t, c, i == 1, dir, input, args)
			said[i] = passingTimes.ReplaceAllString(strings.NewReplacer(dir, "DIR", urls[i], "URL").Replace(said[i]), "…")
			if shuffled {
				lines := strings.Split(said[i], "\n")
				slices.Sort(lines)
				said[i] = strings.Join(lines, "\n")
			}
		}
		if said[0] != said[1] && !loose || status[0] != status[1] {
			t.Errorf("%s: status %d:\n%s\nwant %d:\n%s", line, status[1], said[1], status[0], said[0])
		}
	}
	for _, name := range []string{"b", "p"} { // the others have commits of their summaries
		got, want := objectNames(t, filepath.Join(dirs[1], name)), objectNames(t, filepath.Join(dirs[0], name))
		if !slices.Equal(got, want) {
			t.Errorf("%s has\n%q, want\n%q", name, got, want)
		}
		if out, status := theirs(t, c, dirs[1], "--repo="+name, "fsck", "-q"); status != 0 && name != "p" {
			t.Errorf("%s: %s", name, out)
		}
	}
	for _, name := range []string{"plain.tar", "sub.tar", "prefixed.tar", "noxattrs.tar"} {
		if got, want := tarNames(t, filepath.Join(dirs[1], name)), tarNames(t, filepath.Join(dirs[0], name)); got != want {
			t.Errorf("%s has\n%s, want\n%s", name, got, want)
		}
	}
	for i, dir := range dirs { // what is not compared as files
		for _, name := range []string{"b", "site", "p", "m", "cache", "plain.tar", "sub.tar", "prefixed.tar", "noxattrs.tar", "volume"} {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(i, err)
			}
		}
	}
	treetest.Equal(t, dirs[1], dirs[0], treetest.Compare{})
}

// say runs a command with a file as its standard input.
func say(t *testing.T, c string, isOurs bool, dir, input string, args []string) (string, int) {
	t.Helper()
	var in []byte
	if input != "" {
		var err error
		if in, err = os.ReadFile(filepath.Join(dir, input)); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	var stdout, stderr bytes.Buffer
	var status int
	if isOurs {
		status = Main(t.Context(), args, IO{In: bytes.NewReader(in), Out: &stdout, Err: &stderr})
	} else {
		cmd := exec.CommandContext(t.Context(), c, args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &stdout, &stderr
		if err := cmd.Run(); err != nil {
			status = cmd.ProcessState.ExitCode()
		}
	}
	text := stderr.String()
	if strings.HasPrefix(text, "Usage:\n") { // with words of our own
		text = text[strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n")+1:]
	}
	return stdout.String() + text, status
}

// objectNames lists the objects of a repository, and the files of its refs.
func objectNames(t *testing.T, path string) (names []string) {
	t.Helper()
	for _, pattern := range []string{"objects/*/*", "refs/*/*", "refs/*/*/*", "refs/*/*/*/*", "state/*", "deltas/*/*/superblock"} {
		list, err := filepath.Glob(filepath.Join(path, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range list {
			names = append(names, strings.TrimPrefix(name, path))
		}
	}
	return names
}

// tarNames describes what is in a tar file.
func tarNames(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b strings.Builder
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%c %s %s %o %d %d %d %q", h.Typeflag, h.Name, h.Linkname, h.Mode, h.Uid, h.Gid, h.ModTime.Unix(), data)
		for _, k := range slices.Sorted(maps.Keys(h.PAXRecords)) {
			if strings.HasPrefix(k, "SCHILY.xattr.") {
				fmt.Fprintf(&b, " %s=%q", k, h.PAXRecords[k])
			}
		}
		b.WriteByte('\n')
	}
}
