package repo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rpmostree/internal/keyfile"
)

// TestBrokenRemote: who pulls from a remote gets no remote that demands less than its owner
// may have wanted; others get what they ask for.
func TestBrokenRemote(t *testing.T) {
	for text, want := range map[string]func(m *Remote) bool{
		"gpg-verify=perhaps":             func(m *Remote) bool { return m.GPGVerify },
		"gpg-verify-summary=perhaps":     func(m *Remote) bool { return m.GPGVerifySummary },
		"gpg-verify=":                    func(m *Remote) bool { return m.GPGVerify },
		"tls-permissive=perhaps":         func(m *Remote) bool { return !m.NoTLSVerify },
		"http2=perhaps":                  func(m *Remote) bool { return !m.HTTP1 },
		`sign-verify=\q`:                 func(m *Remote) bool { return len(m.SignVerify) == 1 },
		`sign-verify-summary=\q`:         func(m *Remote) bool { return len(m.SignSummary) == 1 },
		"tls-client-cert-path=/etc/cert": func(m *Remote) bool { return m.TLSCert != "" },
	} {
		r := newRepo(t, Archive)
		data := append(r.Config().Bytes(), "[remote \"x\"]\nurl=http://x\n"+text+"\n"...)
		if err := os.WriteFile(filepath.Join(r.Path(), "config"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := r.ReloadConfig(); err != nil {
			t.Fatal(err)
		}
		m, err := r.Remote("x")
		if !errors.Is(err, ErrRemoteValue) || m == nil || m.URL != "http://x" || !want(m) {
			t.Errorf("%s: %+v, %v", text, m, err)
		}
		if err := r.AddRemote("x", nil); !errors.Is(err, fs.ErrExist) || !strings.HasSuffix(err.Error(), "already exists: (in config)") {
			t.Errorf("%s: added again: %v", text, err)
		}
		if err := r.ReplaceRemote("x", [][2]string{{"url", "http://y"}}); err != nil {
			t.Errorf("%s: replaced: %v", text, err)
		}
		if m, err := r.Remote("x"); err != nil || m.URL != "http://y" {
			t.Errorf("%s: replaced: %+v, %v", text, m, err)
		}
	}
}

// TestSignTypes is about sign-verify: what is no is said in no other way.
func TestSignTypes(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, "false": nil, "0": nil, "true": {"true"}, "1": {"true"}, "ed25519": {"ed25519"}, "ed25519;spki": {"ed25519", "spki"}, "ed25519;spki;": {"ed25519", "spki"},
		"false ": nil, "true ": {"true"}, "0\t": nil, "false x": {"false x"}, "no": {"no"}, ";": {""}, "ed25519,spki": {"ed25519,spki"}, "False": {"False"},
	} {
		k, err := keyfile.Parse([]byte("[g]\nsign-verify=" + text + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := signTypes(k, "g", "sign-verify"); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if got, err := signTypes(&keyfile.File{}, "g", "sign-verify"); err != nil || got != nil {
		t.Errorf("not set: %q, %v", got, err)
	}
}

// TestInheritedRemote: what a remote does not say is what one of that name says in the parent.
func TestInheritedRemote(t *testing.T) {
	parent := newRepo(t, Archive)
	for name, keys := range map[string][][2]string{
		"both": {{"url", "http://parent"}, {"gpg-verify", "false"}, {"sign-verify", "ed25519"}, {"branches", "a;b;"}}, "theirs": {{"url", "http://theirs"}},
	} {
		if err := parent.AddRemote(name, keys); err != nil {
			t.Fatal(err)
		}
	}
	child := newRepo(t, Archive)
	setConfig(t, child, "parent", parent.Path())
	child, err := Open(child.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	if err := child.AddRemote("both", [][2]string{{"url", "http://child"}, {"branches", "c;"}}); err != nil {
		t.Fatal(err)
	}
	m, err := child.Remote("both")
	if err != nil || m.URL != "http://child" || m.GPGVerify || !slices.Equal(m.SignVerify, []string{"ed25519"}) || !slices.Equal(m.Branches, []string{"c"}) {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := child.Remote("theirs"); err != nil || m.URL != "http://theirs" {
		t.Errorf("%+v, %v", m, err)
	}
	if strings.Contains(string(child.Config().Bytes()), "sign-verify") {
		t.Error("the configuration was changed")
	}
	// One of the parent is no obstacle for one here.
	if err := child.AddRemote("theirs", [][2]string{{"url", "http://mine"}}); err != nil {
		t.Error(err)
	}
	if names, err := child.Remotes(); err != nil || !slices.Equal(names, []string{"both", "theirs"}) {
		t.Errorf("%v, %v", names, err)
	}
}

// TestInheritedRemoteUnknown: what the parent says is not taken for nothing if it cannot be read.
func TestInheritedRemoteUnknown(t *testing.T) {
	parent, dir := newRepo(t, Archive), t.TempDir()
	parent.SetRemotesDir(dir)
	child := newRepo(t, Archive)
	if err := child.AddRemote("x", [][2]string{{"url", "http://x"}}); err != nil {
		t.Fatal(err)
	}
	child.parent = parent
	defer func() { child.parent = nil }()
	for text, want := range map[string]func(*Remote, error) bool{
		"": func(m *Remote, err error) bool { return err == nil && !m.GPGVerifySummary },
		"[remote \"x\"]\ngpg-verify-summary=true": func(m *Remote, err error) bool { return err == nil && m.GPGVerifySummary },
		"[remote \"x\"]\ngpg-verify-summary=?":    func(m *Remote, err error) bool { return errors.Is(err, ErrRemoteValue) && m.GPGVerifySummary },
		"garbage":                                 func(m *Remote, err error) bool { return m == nil && err != nil && !errors.Is(err, ErrRemoteValue) },
	} {
		if err := os.WriteFile(filepath.Join(dir, "x.conf"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if m, err := child.Remote("x"); !want(m, err) {
			t.Errorf("%q: %+v, %v", text, m, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "x.conf")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "x.conf")); err != nil {
		t.Fatal(err)
	}
	if m, err := child.Remote("x"); err == nil {
		t.Errorf("a link to nothing: %+v", m)
	}
}

// TestRemoteFiles says what is wrong with the files of remotes.
func TestRemoteFiles(t *testing.T) {
	r := newRepo(t, Archive)
	dir := t.TempDir()
	r.SetRemotesDir(dir)
	for text, want := range map[string]string{
		"[remote \"a\"]\nurl=x\n[remote \"b\"]\nurl=y\n": "",
		"[remote \"\"]\nurl=x\n":                         "",
		"garbage":                                        "opening repo: Reloading remotes: Failed to parse " + filepath.Join(dir, "one.conf") + ": ",
		"[remote \"a\"]\nurl=x\n":                        "",
	} {
		if err := os.WriteFile(filepath.Join(dir, "one.conf"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Remotes(); want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, name := range []string{"one.conf", "two.conf"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("[remote \"a\"]\nurl=x\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Remote("a"); err == nil || err.Error() != `opening repo: Reloading remotes: Multiple specifications found for remote "a"` {
		t.Errorf("twice: %v", err)
	}
}
