package sign_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rpmostree/gvariant"
	"rpmostree/internal/openpgp"
	"rpmostree/ostree"
	"rpmostree/ostree/delta"
	"rpmostree/ostree/pull"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sign"
	"rpmostree/ostree/tree"
)

// A key signs with OpenPGP.
type key struct {
	t *testing.T
	s *openpgp.Signer
}

func newKey(t *testing.T, name string, o openpgp.SignerOptions) key {
	t.Helper()
	s, err := openpgp.NewSigner(name, o)
	if err != nil {
		t.Fatal(err)
	}
	return key{t, s}
}

func (k key) sign(data []byte) []byte {
	k.t.Helper()
	sig, err := k.s.Sign(bytes.NewReader(data))
	if err != nil {
		k.t.Fatal(err)
	}
	return sig
}

func (k key) public() []byte {
	k.t.Helper()
	text, err := k.s.PublicKey()
	if err != nil {
		k.t.Fatal(err)
	}
	return text
}

// A world is a repository that somebody serves, and what is needed to lie about it.
type world struct {
	t    *testing.T
	src  *repo.Repo
	url  string
	x, y ostree.Checksum // commits of the branches of these names, each bound to its branch
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, src: emptyRepo(t, repo.Archive)}
	server := httptest.NewServer(http.FileServer(http.Dir(w.src.Path())))
	t.Cleanup(server.Close)
	w.url = server.URL
	w.x, w.y = w.commit("x"), w.commit("y")
	return w
}

func emptyRepo(t *testing.T, mode repo.Mode) *repo.Repo {
	t.Helper()
	r, err := repo.Init(filepath.Join(t.TempDir(), "repo"), repo.InitOptions{Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func (w *world) commit(branch string) ostree.Checksum {
	w.t.Helper()
	tx, err := w.src.Begin(context.Background(), repo.TransactionOptions{NoFsync: true})
	if err != nil {
		w.t.Fatal(err)
	}
	defer tx.Abort()
	var c ostree.Commit
	var meta gvariant.Dict
	meta.Set(ostree.KeyRefBinding, gvariant.Strings([]string{branch}))
	c.Metadata, c.Timestamp = meta.Value(), 1000
	if c.Tree, c.Meta, err = (tree.Tree{}).Write(tx); err != nil {
		w.t.Fatal(err)
	}
	sum, err := tx.WriteCommit(&c)
	if err == nil {
		err = tx.SetRef("", branch, sum)
	}
	if err == nil {
		_, err = tx.Commit()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return sum
}

// data are the bytes that signatures of a commit are made of.
func (w *world) data(c ostree.Checksum) []byte {
	w.t.Helper()
	data, err := w.src.ReadMetadata(ostree.ObjectCommit, c)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// detach gives the commit of x detached metadata, whatever they are.
func (w *world) detach(data []byte) {
	w.t.Helper()
	if err := os.WriteFile(w.src.ObjectPath(ostree.ObjectCommitMeta, w.x), data, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) summary(sig []byte) {
	w.t.Helper()
	o := repo.SummaryOptions{}
	if sig != nil {
		o.Sign = func([]byte) ([]byte, error) { return sig, nil }
	}
	if err := w.src.UpdateSummary(context.Background(), o); err != nil {
		w.t.Fatal(err)
	}
}

func array(sigs ...[]byte) gvariant.Value {
	var values []gvariant.Value
	for _, s := range sigs {
		values = append(values, gvariant.Bytes(s))
	}
	return gvariant.Array("ay", values...)
}

// dict is an a{sv} of keys and values, in which a key may be more than once.
func dict(pairs ...any) []byte {
	var entries []gvariant.Value
	for i := 0; i < len(pairs); i += 2 {
		entries = append(entries, gvariant.DictEntry(gvariant.String(pairs[i].(string)), gvariant.Variant(pairs[i+1].(gvariant.Value))))
	}
	return gvariant.Array("{sv}", entries...).Bytes()
}

const (
	gpgKey = "ostree.gpgsigs"
	edKey  = "ostree.sign.ed25519"
)

// secrets are the keys of these tests.
type secrets struct {
	good, expired, stranger key
	public                  ed25519.PublicKey
	private, foreign        ed25519.PrivateKey
}

func newSecrets(t *testing.T) *secrets {
	t.Helper()
	s := &secrets{
		good:     newKey(t, "good", openpgp.SignerOptions{Now: time.Now().Add(-time.Hour)}),
		expired:  newKey(t, "expired", openpgp.SignerOptions{Now: time.Now().Add(-48 * time.Hour), Lifetime: 24 * time.Hour}),
		stranger: newKey(t, "stranger", openpgp.SignerOptions{Now: time.Now().Add(-time.Hour)}),
	}
	var err error
	if s.public, s.private, err = ed25519.GenerateKey(nil); err == nil {
		_, s.foreign, err = ed25519.GenerateKey(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// client is a repository whose remote "origin" trusts the good keys; the stranger's is that
// of another remote.
func (s *secrets) client(t *testing.T, url string, keys ...[2]string) *repo.Repo {
	t.Helper()
	r := emptyRepo(t, repo.BareUserOnly)
	keys = append([][2]string{{"url", url}, {"verification-ed25519-key", base64.StdEncoding.EncodeToString(s.public)}}, keys...)
	if err := r.AddRemote("origin", keys); err != nil {
		t.Fatal(err)
	}
	if err := r.AddRemote("other", [][2]string{{"url", url}}); err != nil {
		t.Fatal(err)
	}
	for name, ring := range map[string][]byte{"origin": append(s.good.public(), s.expired.public()...), "other": s.stranger.public()} {
		if err := os.WriteFile(filepath.Join(r.Path(), sign.KeyringName(name)), ring, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

var (
	onlyGPG = [2]string{"gpg-verify", "true"}
	noGPG   = [2]string{"gpg-verify", "false"}
	anySign = [2]string{"sign-verify", "true"}
	edSign  = [2]string{"sign-verify", "ed25519"}
)

// TestForgedCommits pulls from one who controls the server, but has none of the keys: no
// commit is taken that they have not signed, by objects or by a delta.
func TestForgedCommits(t *testing.T) {
	s := newSecrets(t)
	x := func(w *world) []byte { return w.data(w.x) }
	for _, tt := range []struct {
		name string
		keys [][2]string
		meta func(w *world) []byte
		want string // "": it is accepted
	}{
		{"good", [][2]string{onlyGPG}, func(w *world) []byte { return dict(gpgKey, array(s.good.sign(x(w)))) }, ""},
		{"good after others", [][2]string{onlyGPG}, func(w *world) []byte {
			return dict("a", gvariant.String("b"), gpgKey, array([]byte("garbage"), s.stranger.sign(x(w)), s.good.sign(x(w))))
		}, ""},
		{"of another commit", [][2]string{onlyGPG}, func(w *world) []byte { return dict(gpgKey, array(s.good.sign(w.data(w.y)))) }, "BAD signature from"},
		{"of nothing", [][2]string{onlyGPG}, func(w *world) []byte { return dict(gpgKey, array(s.good.sign(nil))) }, "BAD signature from"},
		{"no metadata", [][2]string{onlyGPG}, nil, "no signatures found"},
		{"no entry", [][2]string{onlyGPG}, func(w *world) []byte { return dict("a", gvariant.String("b")) }, "no signatures found"},
		{"empty", [][2]string{onlyGPG}, func(w *world) []byte { return dict(gpgKey, array()) }, "No GPG signatures found"},
		{"of no bytes", [][2]string{onlyGPG}, func(w *world) []byte { return dict(gpgKey, array(nil)) }, "BAD signature from"},
		{"garbage", [][2]string{onlyGPG}, func(w *world) []byte { return dict(gpgKey, array([]byte("garbage"))) }, "BAD signature from"},
		{"a string", [][2]string{onlyGPG}, func(w *world) []byte { return dict(gpgKey, gvariant.String("good")) }, "no signatures found"},
		{"bytes", [][2]string{onlyGPG}, func(w *world) []byte { return dict(gpgKey, gvariant.Bytes(s.good.sign(x(w)))) }, "no signatures found"},
		{"in a box", [][2]string{onlyGPG}, func(w *world) []byte {
			return dict(gpgKey, gvariant.Variant(array(s.good.sign(x(w)))))
		}, "no signatures found"},
		{"two entries", [][2]string{onlyGPG}, func(w *world) []byte {
			return dict(gpgKey, array(s.stranger.sign(x(w))), gpgKey, array(s.good.sign(x(w))))
		}, "public key not found"},
		{"many", [][2]string{onlyGPG}, func(w *world) []byte {
			sigs := [][]byte{}
			for range 64 {
				sigs = append(sigs, s.stranger.sign(x(w)))
			}
			return dict(gpgKey, array(append(sigs, s.good.sign(x(w)))...))
		}, "public key not found"},
		{"many in one", [][2]string{onlyGPG}, func(w *world) []byte { return dict(gpgKey, array(bytes.Repeat(s.good.sign(x(w)), 65))) }, "BAD signature from"},
		{"a stranger's", [][2]string{onlyGPG}, func(w *world) []byte { return dict(gpgKey, array(s.stranger.sign(x(w)))) }, "public key not found"},
		{"of a key that has expired", [][2]string{onlyGPG}, func(w *world) []byte { return dict(gpgKey, array(s.expired.sign(x(w)))) }, "Key expired"},
		{"of the wrong engine", [][2]string{onlyGPG}, func(w *world) []byte { return dict(gpgKey, array(ed25519.Sign(s.private, x(w)))) }, "BAD signature from"},
		{"of an engine that was not asked for", [][2]string{onlyGPG}, func(w *world) []byte { return dict(edKey, array(ed25519.Sign(s.private, x(w)))) }, "no signatures found"},

		{"ed25519: good", [][2]string{noGPG, edSign}, func(w *world) []byte {
			return dict(edKey, array(ed25519.Sign(s.foreign, x(w)), ed25519.Sign(s.private, x(w))))
		}, ""},
		{"ed25519: good for any", [][2]string{noGPG, anySign}, func(w *world) []byte { return dict(edKey, array(ed25519.Sign(s.private, x(w)))) }, ""},
		{"ed25519: of another commit", [][2]string{noGPG, edSign}, func(w *world) []byte { return dict(edKey, array(ed25519.Sign(s.private, w.data(w.y)))) }, "couldn't be verified"},
		{"ed25519: a stranger's", [][2]string{noGPG, anySign}, func(w *world) []byte { return dict(edKey, array(ed25519.Sign(s.foreign, x(w)))) }, "couldn't be verified"},
		{"ed25519: only OpenPGP", [][2]string{noGPG, anySign}, func(w *world) []byte { return dict(gpgKey, array(s.good.sign(x(w)))) }, "No signatures found"},
		{"ed25519: no metadata", [][2]string{noGPG, anySign}, nil, "without detached metadata"},
		{"ed25519: empty", [][2]string{noGPG, anySign}, func(w *world) []byte { return dict(edKey, array()) }, "ed25519: no signatures found"},
		{"ed25519: of no bytes", [][2]string{noGPG, anySign}, func(w *world) []byte { return dict(edKey, array(nil)) }, "expected 64 bytes, got 0 bytes"},
		{"ed25519: a string", [][2]string{noGPG, anySign}, func(w *world) []byte { return dict(edKey, gvariant.String("good")) }, "No signatures found"},
		{"ed25519: as another type", [][2]string{noGPG, anySign}, func(w *world) []byte { return dict("ostree.sign.spki", array(ed25519.Sign(s.private, x(w)))) }, "spki: no keys loaded"},
		{"ed25519: as that of tests", [][2]string{noGPG, anySign}, func(w *world) []byte { return dict("ostree.sign.dummy", array(nil, []byte("dummysign"))) }, "only for ostree testing"},

		{"both: good", [][2]string{onlyGPG, anySign}, func(w *world) []byte {
			return dict(gpgKey, array(s.good.sign(x(w))), edKey, array(ed25519.Sign(s.private, x(w))))
		}, ""},
		{"both: no ed25519", [][2]string{onlyGPG, anySign}, func(w *world) []byte { return dict(gpgKey, array(s.good.sign(x(w)))) }, "No signatures found"},
		{"both: no OpenPGP", [][2]string{onlyGPG, anySign}, func(w *world) []byte { return dict(edKey, array(ed25519.Sign(s.private, x(w)))) }, "no signatures found"},
		{"types that nobody knows", [][2]string{noGPG, {"sign-verify", "ed25519,spki"}}, func(w *world) []byte { return dict(edKey, array(ed25519.Sign(s.private, x(w)))) }, "not implemented"},
		{"no type", [][2]string{noGPG, {"sign-verify", ";"}}, func(w *world) []byte { return dict(edKey, array(ed25519.Sign(s.private, x(w)))) }, "not implemented"},
	} {
		for _, by := range []string{"objects", "delta"} {
			w := newWorld(t)
			if tt.meta != nil {
				w.detach(tt.meta(w))
			}
			o := pull.Options{Refs: []string{"x"}, Retries: -1, DisableDeltas: by == "objects", RequireDeltas: by == "delta"}
			if by == "delta" {
				if _, err := delta.Generate(context.Background(), w.src, delta.Name{To: w.x}, delta.Options{}); err != nil {
					t.Fatal(err)
				}
				w.summary(nil)
			}
			r := s.client(t, w.url, tt.keys...)
			o.Verify = sign.NewVerifier(r)
			_, err := pull.Pull(context.Background(), r, "origin", o)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%s, by %s: error %v, want %q", tt.name, by, err, tt.want)
			}
			refs, _ := r.Refs()
			here, _ := r.Has(ostree.ObjectCommit, w.x)
			if accepted := tt.want == ""; (len(refs) == 1) != accepted || here != accepted {
				t.Errorf("%s, by %s: refs %v, the commit is there: %v", tt.name, by, refs, here)
			}
		}
	}
}

// TestForgedRefs pulls commits that are signed, but are not what was asked for.
func TestForgedRefs(t *testing.T) {
	s := newSecrets(t)
	for name, tt := range map[string]struct {
		lie  bool // the branch is that of another commit
		keys [][2]string
		want string
	}{
		"another branch": {true, [][2]string{onlyGPG}, "Commit has no requested ref ‘x’ in ref binding metadata (‘y’)"},
		"no collection":  {false, [][2]string{onlyGPG, {"collection-id", "org.example.A"}}, "Expected commit metadata to have collection ID binding information, found none"},
	} {
		w := newWorld(t)
		if tt.lie {
			if err := w.src.SetRef("", "x", w.y); err != nil {
				t.Fatal(err)
			}
			w.x = w.y
		}
		w.detach(dict(gpgKey, array(s.good.sign(w.data(w.x)))))
		for _, summary := range []bool{false, true} {
			if summary {
				w.summary(nil)
			}
			r := s.client(t, w.url, tt.keys...)
			_, err := pull.Pull(context.Background(), r, "origin", pull.Options{Refs: []string{"x"}, Retries: -1, Verify: sign.NewVerifier(r)})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: error %v, want %q", name, err, tt.want)
			}
			if refs, _ := r.Refs(); len(refs) != 0 {
				t.Errorf("%s: refs %v", name, refs)
			}
		}
	}
}

// TestForgedSummaries: where summaries must be signed, refs come from nowhere else.
func TestForgedSummaries(t *testing.T) {
	s := newSecrets(t)
	gpg, ed := [2]string{"gpg-verify-summary", "true"}, [2]string{"sign-verify-summary", "ed25519"}
	read := func(w *world) []byte {
		w.summary(nil)
		data, _, err := w.src.ReadSummary()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	write := func(w *world, summary, sig []byte) {
		if err := w.src.WriteSummary(summary, sig); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		keys [][2]string
		make func(w *world)
		want string
	}{
		{"good", [][2]string{noGPG, gpg}, func(w *world) { data := read(w); write(w, data, dict(gpgKey, array(s.good.sign(data)))) }, ""},
		{"ed25519: good", [][2]string{noGPG, ed}, func(w *world) { data := read(w); write(w, data, dict(edKey, array(ed25519.Sign(s.private, data)))) }, ""},
		{"both: good", [][2]string{noGPG, gpg, ed}, func(w *world) {
			data := read(w)
			write(w, data, dict(edKey, array(ed25519.Sign(s.private, data)), gpgKey, array(s.good.sign(data))))
		}, ""},
		{"both: no ed25519", [][2]string{noGPG, gpg, ed}, func(w *world) { data := read(w); write(w, data, dict(gpgKey, array(s.good.sign(data)))) }, "No signatures found"},
		{"of another summary", [][2]string{noGPG, gpg}, func(w *world) {
			sig := s.good.sign(read(w))
			w.commit("z")
			write(w, read(w), dict(gpgKey, array(sig)))
		}, "BAD signature from"},
		{"of a commit", [][2]string{noGPG, gpg}, func(w *world) { write(w, read(w), dict(gpgKey, array(s.good.sign(w.data(w.x))))) }, "BAD signature from"},
		{"a stranger's", [][2]string{noGPG, gpg}, func(w *world) { data := read(w); write(w, data, dict(gpgKey, array(s.stranger.sign(data)))) }, "public key not found"},
		{"empty", [][2]string{noGPG, gpg}, func(w *world) { write(w, read(w), dict(gpgKey, array())) }, "No GPG signatures found"},
		{"no dictionary", [][2]string{noGPG, gpg}, func(w *world) { write(w, read(w), []byte("garbage")) }, "no signatures found"},
		{"of no bytes", [][2]string{noGPG, gpg}, func(w *world) { write(w, read(w), []byte{}) }, "no signatures found"},
		{"no signature", [][2]string{noGPG, gpg}, func(w *world) { write(w, read(w), nil) }, "no summary.sig found"},
		{"no summary", [][2]string{noGPG, gpg}, func(w *world) {}, "no summary found"},
		{"ed25519: no signature", [][2]string{noGPG, ed}, func(w *world) { write(w, read(w), nil) }, "no summary.sig found"},
		{"ed25519: no summary", [][2]string{noGPG, ed}, func(w *world) {}, "no summary.sig found"},
		{"ed25519: a signature alone", [][2]string{noGPG, ed}, func(w *world) {
			data := read(w)
			write(w, data, dict(edKey, array(ed25519.Sign(s.private, data))))
			if err := os.Remove(filepath.Join(w.src.Path(), "summary")); err != nil {
				t.Fatal(err)
			}
		}, "no summary found"},
	} {
		w := newWorld(t)
		tt.make(w)
		r := s.client(t, w.url, tt.keys...)
		_, err := pull.Pull(context.Background(), r, "origin", pull.Options{Refs: []string{"x"}, Retries: -1, Verify: sign.NewVerifier(r)})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
		if refs, _ := r.Refs(); (len(refs) == 1) != (tt.want == "") {
			t.Errorf("%s: refs %v", tt.name, refs)
		}
		if tt.want != "" {
			continue
		}
		// What was good once does not stand for what the server has now.
		for _, sig := range [][]byte{nil, dict(gpgKey, array(s.stranger.sign(read(w)))), {}} {
			w.commit("z")
			write(w, read(w), sig)
			if _, err := pull.Pull(context.Background(), r, "origin", pull.Options{Refs: []string{"x"}, Retries: -1, Verify: sign.NewVerifier(r)}); err == nil {
				t.Errorf("%s: signature %q later: accepted", tt.name, sig)
			}
		}
	}
}

// TestCommitIsHere: that a commit was pulled from somebody else does not make its signatures
// good, but those that came with it do.
func TestCommitIsHere(t *testing.T) {
	s := newSecrets(t)
	for _, url := range []string{"http", "file"} {
		for _, signed := range []bool{false, true} {
			for _, o := range []pull.Options{{}, {DisableDeltas: true}, {RequireDeltas: true}} {
				if url == "file" && o.RequireDeltas {
					continue
				}
				w := newWorld(t)
				if signed {
					w.detach(dict(gpgKey, array(s.good.sign(w.data(w.x)))))
				}
				if _, err := delta.Generate(context.Background(), w.src, delta.Name{To: w.x}, delta.Options{}); err != nil {
					t.Fatal(err)
				}
				w.summary(nil)
				from := w.url
				if url == "file" {
					from = "file://" + w.src.Path()
				}
				r := s.client(t, from, onlyGPG)
				if err := r.AddRemote("anybody", [][2]string{{"url", from}, noGPG}); err != nil {
					t.Fatal(err)
				}
				o.Refs, o.Retries, o.Verify = []string{"x"}, -1, sign.NewVerifier(r)
				if _, err := pull.Pull(context.Background(), r, "anybody", o); err != nil {
					t.Fatal(err)
				}
				if signed { // the server has lost them
					if err := os.Remove(w.src.ObjectPath(ostree.ObjectCommitMeta, w.x)); err != nil {
						t.Fatal(err)
					}
				}
				_, err := pull.Pull(context.Background(), r, "origin", o)
				if (err == nil) != signed || err != nil && !strings.Contains(err.Error(), "no signatures found") {
					t.Errorf("%s, signed %v, %+v: error %v", url, signed, o, err)
				}
				if _, err := r.LookupRef("origin", "x"); (err == nil) != signed {
					t.Errorf("%s, signed %v: ref: %v", url, signed, err)
				}
			}
		}
	}
}

// TestCommitInDelta: a delta that leads to a commit that is signed brings no other one.
func TestCommitInDelta(t *testing.T) {
	s := newSecrets(t)
	w := newWorld(t)
	w.detach(dict(gpgKey, array(s.good.sign(w.data(w.x)))))
	name := delta.Name{To: w.x}
	if _, err := delta.Generate(context.Background(), w.src, name, delta.Options{}); err != nil {
		t.Fatal(err)
	}
	f, err := delta.Open(w.src, name)
	if err != nil {
		t.Fatal(err)
	}
	part := &f.Superblock.Parts[0]
	part.Objects = append(part.Objects, ostree.ObjectName{Type: ostree.ObjectCommit, Checksum: w.y})
	err = os.WriteFile(filepath.Join(w.src.Path(), name.Dir(), "superblock"), f.Superblock.Marshal(), 0o644)
	if err2 := f.Close(); err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	w.summary(nil)
	r := s.client(t, w.url, onlyGPG)
	_, err = pull.Pull(context.Background(), r, "origin", pull.Options{Refs: []string{"x"}, Retries: -1, RequireDeltas: true, Verify: sign.NewVerifier(r)})
	if err == nil || !strings.Contains(err.Error(), "has commit "+w.y.String()+", whose signatures nobody has seen") {
		t.Errorf("error %v", err)
	}
	if ok, _ := r.Has(ostree.ObjectCommit, w.y); ok {
		t.Error("the other commit is here")
	}
	if refs, _ := r.Refs(); len(refs) != 0 {
		t.Errorf("refs %v", refs)
	}
}
