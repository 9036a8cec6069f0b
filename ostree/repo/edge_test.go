package repo

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"rpmostree/internal/keyfile"
	"rpmostree/internal/treetest"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

// TestEdgesMatchReference commits what random trees do not have: attributes of
// symbolic links, sizes around those of buffers, many and long names, deep
// directories.
func TestEdgesMatchReference(t *testing.T) {
	treetest.Oracle(t, "ostree")
	treetest.NeedRoot(t)
	src := filepath.Join(t.TempDir(), "src")
	for _, n := range []int{bigBuf - maxInlineHeader - 1, bigBuf - maxInlineHeader, bigBuf - maxInlineHeader + 1, bigBuf, bigBuf + 1, 2*bigBuf + 7, 5 << 20} {
		writeFiles(t, src, "size"+FormatSize(uint64(n))+strings.Repeat("x", n%7), strings.Repeat("y", n))
	}
	for i := range 700 {
		writeFiles(t, src, "many/"+strings.Repeat("n", 1+i%200)+string(rune(0x100+i)), "")
	}
	writeFiles(t, src, strings.Repeat("deep/", 100)+"f", "f")
	link := filepath.Join(src, "link")
	if err := os.Symlink(strings.Repeat("t", 4000), link); err != nil {
		t.Fatal(err)
	}
	for _, x := range []string{"trusted.a", "security.b", "trusted.empty"} {
		value := []byte(x)
		if x == "trusted.empty" {
			value = nil
		}
		if err := unix.Lsetxattr(link, x, value, 0); err != nil {
			t.Fatal(err)
		}
	}
	big := filepath.Join(src, "big-xattr")
	writeFiles(t, src, "big-xattr", "b")
	unix.Lsetxattr(big, "user.big", []byte(strings.Repeat("v", 3000)), 0)
	unix.Lsetxattr(src, "trusted.root", []byte("r"), 0)
	os.Lchown(link, 5, 6)
	for _, mode := range []Mode{Bare, BareUser, Archive} {
		r := newRepo(t, mode)
		ours := commitDir(t, r, "x", src, ImportOptions{})
		theirs := cOstree(t, r.Path(), "commit", "--branch=y", "--no-bindings", "--timestamp=@0", src)
		if ours.String() != theirs {
			t.Errorf("%s: commit %s, reference %s", mode, ours, theirs)
		}
		cOstree(t, r.Path(), "fsck", "-q")
		fsckClean(t, r)
		a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
		if err := r.Checkout(t.Context(), ours, a, CheckoutOptions{}); err != nil {
			t.Fatal(err)
		}
		cOstree(t, r.Path(), "checkout", "x", b)
		treetest.Equal(t, a, b, treetest.Compare{})
	}
}

// TestReplaceRemote has a remote of the configuration, with a keyring, and one of a file that
// has another one too and that not everybody may read.
func TestReplaceRemote(t *testing.T) {
	r, err := Init(filepath.Join(t.TempDir(), "r"), InitOptions{Mode: Bare})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, url := range []string{"http://a", "http://b"} {
		if err := r.ReplaceRemote("x", [][2]string{{"url", url}, {url[7:], "1"}}); err != nil {
			t.Fatal(err)
		}
		keyring := filepath.Join(r.Path(), "x.trustedkeys.gpg")
		if url == "http://a" {
			err = os.WriteFile(keyring, nil, 0o644)
		} else {
			_, err = os.Stat(keyring)
		}
		if err != nil {
			t.Error(err)
		}
	}
	if text := string(r.Config().Bytes()); !strings.HasSuffix(text, "[remote \"x\"]\nurl=http://b\nb=1\n") {
		t.Error(text)
	}
	if err := r.ReplaceRemote("x", [][2]string{{"gpg-verify", "perhaps"}}); err == nil {
		t.Error("a wrong value was taken")
	}
	if m, err := r.Remote("x"); err != nil || m.URL != "http://b" {
		t.Errorf("%+v, %v", m, err)
	}
	dir := t.TempDir()
	r.SetRemotesDir(dir)
	file := filepath.Join(dir, "two.conf")
	if err := os.WriteFile(file, []byte("[remote \"y\"]\nurl=http://y\n[remote \"z\"]\nurl=http://z\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, url := range map[string]string{"y": "http://new", "v": "http://v"} {
		if err := r.ReplaceRemote(name, [][2]string{{"url", url}}); err != nil {
			t.Fatal(err)
		}
	}
	for name, url := range map[string]string{"v": "http://v", "x": "http://b", "y": "http://new", "z": "http://z"} {
		if m, err := r.Remote(name); err != nil || m.URL != url {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if fi, err := os.Stat(file); err != nil || fi.Mode() != 0o600 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
}

// TestNumbers is about numbers in the configuration: upstream takes what they begin with.
func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		text string
		want settings
		err  string
	}{
		{"", settings{locking: true, lockTimeout: 300e9, tmpExpiry: 86400e9, zlibLevel: 6, payloadThreshold: -1, minFree: minFree{percent: 3}}, ""},
		{"lock-timeout-secs=20s\ntmp-expiry-secs= 5\npayload-link-threshold=x\nmin-free-space-percent=07\n[archive]\nzlib-level=0\n",
			settings{locking: true, lockTimeout: 20e9, tmpExpiry: 5e9, zlibLevel: 1, minFree: minFree{percent: 7}}, ""},
		{"lock-timeout-secs=-2\ntmp-expiry-secs=99999999999999999999\npayload-link-threshold=+9\nmin-free-space-size=0MB\n[archive]\nzlib-level=12\n",
			settings{lockTimeout: -1e9, tmpExpiry: 1 << 32 * 1e9, zlibLevel: 9, payloadThreshold: 9, minFree: minFree{text: "0MB"}}, ""},
		{"lock-timeout-secs=-1\nmin-free-space-percent=\n", settings{locking: true, lockTimeout: -1e9, tmpExpiry: 86400e9, zlibLevel: 6, payloadThreshold: -1}, ""},
		{"lock-timeout-secs=-3\ntmp-expiry-secs=-1\npayload-link-threshold=-7\nmin-free-space-size=3TB\nmin-free-space-percent=5\n[archive]\nzlib-level=-1\n",
			settings{locking: true, lockTimeout: -1e9, tmpExpiry: 1 << 32 * 1e9, zlibLevel: 9, payloadThreshold: 1 << 62, minFree: minFree{5, 3 << 20, "3TB"}}, ""},
		{"min-free-space-size=17592186044416TB\n", settings{}, "Invalid min-free-space-size '17592186044416TB': Value was too high"},
		{"min-free-space-percent=3%\n", settings{}, "Invalid min-free-space-percent '3%': must be a number"},
		{"min-free-space-percent=100\n", settings{}, "Invalid min-free-space-percent '100'"},
		{"min-free-space-size=5\n", settings{}, "Invalid min-free-space-size '5'"},
	} {
		k, err := keyfile.Parse([]byte("[core]\nrepo_version=1\n" + tt.text))
		if err != nil {
			t.Fatal(err)
		}
		s, err := parseSettings(k, false, true)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: %v, want %q", tt.text, err, tt.err)
			}
			continue
		}
		got := settings{locking: s.locking, lockTimeout: s.lockTimeout, tmpExpiry: s.tmpExpiry, zlibLevel: s.zlibLevel, payloadThreshold: s.payloadThreshold, minFree: s.minFree}
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v, %v, want %+v", tt.text, got, err, tt.want)
		}
	}
}

// TestLateKeys: what is wrong with keys that are looked at late is told late, and the repository
// can be used till then.
func TestLateKeys(t *testing.T) {
	ctx := context.Background()
	r := newRepo(t, Archive)
	dir := t.TempDir()
	commitDir(t, r, "x", dir, ImportOptions{CanonicalPermissions: true})
	for key, use := range map[string]func(*Repo) error{
		"tombstone-commits":     func(r *Repo) error { _, err := r.BuildSummary(nil); return err },
		"no-deltas-in-summary":  func(r *Repo) error { _, err := r.BuildSummary(nil); return err },
		"auto-update-summary":   func(r *Repo) error { return r.autoSummary(ctx) },
		"commit-update-summary": func(r *Repo) error { return r.autoSummary(ctx) },
		"collection-id":         nil,
	} {
		config := "[core]\nrepo_version=1\nmode=archive-z2\n" + key + "=perhaps\n"
		if err := os.WriteFile(filepath.Join(r.Path(), "config"), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		odd, err := Open(r.Path())
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		if err := odd.Checkout(ctx, tip(t, odd, "x"), filepath.Join(t.TempDir(), "co"), CheckoutOptions{UserMode: true}); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		if use != nil {
			if err := use(odd); err == nil || !strings.Contains(err.Error(), "“"+key+"”") {
				t.Errorf("%s: used: %v", key, err)
			}
		}
		odd.Close()
	}
}

func tip(t *testing.T, r *Repo, rev string) ostree.Checksum {
	t.Helper()
	c, err := r.ResolveRev(rev)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestBootConfig is about the group sysroot of the configuration.
func TestBootConfig(t *testing.T) {
	for _, tt := range []struct {
		text string
		want BootConfig
		err  string
	}{
		{"", BootConfig{Loader: "auto"}, ""},
		{"bootloader=none\nbootprefix=true\nboot-counting-tries=5\nbls-append-except-default=a=b;c=d=e;\n", BootConfig{"none", true, 5, [][2]string{{"a", "b"}, {"c", "d=e"}}}, ""},
		{"bootloader=lilo\n", BootConfig{}, "Invalid bootloader configuration: 'lilo'"},
		{"bootloader=\n", BootConfig{}, "Invalid bootloader configuration: ''"},
		{"boot-counting-tries=6\n", BootConfig{}, "Parsing sysroot.boot-counting-tries: Number “6” is out of bounds [0, 5]"},
		{"boot-counting-tries=-1\n", BootConfig{}, "Parsing sysroot.boot-counting-tries: “-1” is not an unsigned number"},
		{"bls-append-except-default=a=b;c\n", BootConfig{}, "bls-append-except-default key must be of the form"},
		{"bootprefix=perhaps\n", BootConfig{}, "bootprefix"},
	} {
		r, err := Init(t.TempDir(), InitOptions{Mode: Bare})
		if err != nil {
			t.Fatal(err)
		}
		k, err := keyfile.Parse(append(r.Config().Bytes(), "[sysroot]\n"+tt.text...))
		if err != nil {
			t.Fatal(err)
		}
		err = r.SetConfig(k)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: %v, want %q", tt.text, err, tt.err)
			}
		} else if got := r.BootConfig(); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v, %v", tt.text, got, err)
		}
		r.Close()
	}
}
