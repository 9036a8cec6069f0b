package rpm

import (
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCapsXattr(t *testing.T) {
	setcap, _ := exec.LookPath("setcap")
	for text, want := range map[string]string{
		"cap_net_raw=ep":                      "0100000200200000000000000000000000000000",
		"cap_net_admin,cap_net_raw+p":         "0000000200300000000000000000000000000000",
		"=":                                   "0000000200000000000000000000000000000000",
		"cap_setuid=ep cap_setgid=ep":         "01000002c0000000000000000000000000000000",
		"cap_checkpoint_restore,cap_bpf=eip":  "0100000200000000000000008001000080010000",
		"cap_chown=p cap_chown-p cap_kill+ip": "0000000220000000200000000000000000000000",
	} {
		got, err := CapsXattr(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if hex.EncodeToString(got) != want {
			t.Errorf("%s: %x, want %s", text, got, want)
		}
		if setcap == "" || os.Getuid() != 0 || text == "=" {
			continue
		}
		file := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(file, nil, 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(setcap, text, file).CombinedOutput(); err != nil {
			t.Errorf("setcap %s: %s", text, out)
			continue
		}
		b := make([]byte, 64)
		n, err := unix.Lgetxattr(file, "security.capability", b)
		if err != nil || hex.EncodeToString(b[:n]) != want {
			t.Errorf("%s: setcap stores %x, %v, want %s", text, b[:max(n, 0)], err, want)
		}
	}
	for _, bad := range []string{"cap_net_raw", "cap_foo=ep", "cap_kill=x", "cap_kill=e", "net_raw=p"} {
		if _, err := CapsXattr(bad); err == nil {
			t.Errorf("CapsXattr accepts %q", bad)
		}
	}
}
