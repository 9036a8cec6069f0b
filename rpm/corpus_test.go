package rpm

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shared returns the path of a file of the shared test data.
func shared(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("RPMOSTREE_SHARED")
	if dir == "" {
		dir = "../../shared"
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(dir, "data/rpms", name)
	if _, err := os.Stat(p); err != nil {
		t.Skip("no shared test data")
	}
	return p
}

// corpus returns the paths of all real packages below the shared test data.
func corpus(t testing.TB) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(shared(t, ""), func(p string, d fs.DirEntry, err error) error {
		if err == nil && (strings.HasSuffix(p, ".rpm") || strings.HasSuffix(p, ".rpm-v3")) && !strings.Contains(p, "malformed") {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// keyrings returns the keys of the corpus.
func corpusKeyring(t testing.TB, legacy bool, names ...string) *Keyring {
	t.Helper()
	k := &Keyring{Legacy: legacy}
	for _, name := range names {
		files, err := filepath.Glob(filepath.Join(shared(t, ""), name))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", name, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if err := k.Add(b); err != nil {
				t.Fatalf("%s: %v", f, err)
			}
		}
	}
	return k
}

// unpack reads a package to its end and returns the bytes of content.
func unpack(b []byte, o Options) (p *Package, n int64, err error) {
	if p, err = Open(bytes.NewReader(b), o); err != nil {
		return nil, 0, err
	}
	pl, err := p.Payload()
	if err != nil {
		return p, 0, err
	}
	for {
		_, err := pl.Next()
		if err == io.EOF {
			return p, n, nil
		}
		if err != nil {
			return p, n, err
		}
		k, err := io.Copy(io.Discard, pl)
		if n += k; err != nil {
			return p, n, err
		}
	}
}

func TestCorpus(t *testing.T) {
	// These are known not to be good.
	bad := map[string]string{
		"hello-2.0-1.x86_64-corrupted.rpm": "",
		"hello-1.0-1.x86_64.rpm-v3":        "format 3",
	}
	for _, name := range corpus(t) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want, isBad := bad[filepath.Base(name)]
		p, _, err := unpack(b, Options{})
		if isBad {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", filepath.Base(name), err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
			continue
		}
		if start, end := p.HeaderRange(); !bytes.HasPrefix(b, p.Metadata()) || int(end) != len(p.Metadata()) || !bytes.Equal(b[start:end], p.Header.Bytes()) {
			t.Errorf("%s: metadata differ from the file", name)
		}
	}
}

func TestMalformed(t *testing.T) {
	files, _ := filepath.Glob(shared(t, "malformed") + "/*.rpm")
	if len(files) == 0 {
		t.Fatal("no files")
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = unpack(b, Options{})
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		t.Logf("%s: %v", filepath.Base(name), err)
		var v *VerifyError
		if strings.HasSuffix(name, "2.rpm") && errors.As(err, &v) {
			t.Errorf("%s: found by a digest: %v", name, err)
		}
	}
}
