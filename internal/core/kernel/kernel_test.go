package kernel

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	has := func(names ...string) func(string) bool {
		return func(n string) bool { return strings.Contains(" "+strings.Join(names, " ")+" ", " "+n+" ") }
	}
	if v, err := Version([]string{"5.1", "6.1"}, has("6.1")); err != nil || v != "6.1" {
		t.Errorf("Version = %q, %v", v, err)
	}
	if _, err := Version([]string{"5.1"}, has()); !errors.Is(err, ErrNone) {
		t.Errorf("error = %v, want ErrNone", err)
	}
	if _, err := Version([]string{"6.2", "6.1"}, has("6.1", "6.2")); err == nil || !strings.Contains(err.Error(), "6.1, 6.2") {
		t.Errorf("error = %v", err)
	}
}

func TestFinish(t *testing.T) {
	path := filepath.Join(t.TempDir(), "initramfs.img")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := finish(path); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(path)
	if len(b)%4 != 0 || string(b[8:14]) != "070701" {
		t.Errorf("bad tail: %q", b)
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o644 {
		t.Errorf("mode %v", st.Mode())
	}
	cpio, err := exec.LookPath("cpio")
	if err != nil {
		t.Skip("cpio is missing")
	}
	cmd := exec.Command(cpio, "-it", "--quiet")
	cmd.Stdin = strings.NewReader(string(b[8:]))
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "dev\ndev/random\ndev/urandom\n" {
		t.Errorf("cpio: %v: %s", err, out)
	}
}
