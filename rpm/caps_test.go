package rpm

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCapsXattr(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{"=", "0000000200000000000000000000000000000000"},
		{"cap_net_raw=ep", "0100000200200000000000000000000000000000"},
		{"cap_net_raw+p", "0000000200200000000000000000000000000000"},
		{"= cap_net_raw+ep", "0100000200200000000000000000000000000000"},
		{"cap_net_admin,cap_net_raw=ep", "0100000200300000000000000000000000000000"},
		{"CAP_NET_RAW=EP", "error"},
		{"CAP_NET_RAW=ep", "0100000200200000000000000000000000000000"},
		{"cap_bpf=eip", "0100000200000000000000008000000080000000"},
		{"cap_chown=ip cap_fowner=i", "0000000201000000090000000000000000000000"},
		{"all=ep", "01000002ffffffff00000000ff01000000000000"},
		{"cap_setuid=ep cap_setgid=ep", "01000002c0000000000000000000000000000000"},
		{"cap_checkpoint_restore,cap_bpf=eip", "0100000200000000000000008001000080010000"},
		{"cap_chown=p cap_chown-p cap_kill+ip", "0000000220000000200000000000000000000000"},
		{"=ep cap_kill-ep", "01000002dfffffff00000000ff01000000000000"},
		{"cap_chown+ep-e", "0000000201000000000000000000000000000000"},
		{"cap_chown=e cap_kill=p", "error"},
		{"cap_chown=p cap_kill=ep", "error"},
		{"cap_nothing=ep", "error"},
		{"cap_net_raw", "error"},
		{"cap_net_raw=x", "error"},
		{"cap_net_raw+", "error"},
		{"+ep", "error"},
		{",=ep", "error"},
		{"cap_99=p", "error"},
	}
	for _, tt := range tests {
		b, err := CapsXattr(tt.text)
		got := hex.EncodeToString(b)
		if err != nil {
			got = "error"
		}
		if got != tt.want {
			t.Errorf("%q: %s (%v), want %s", tt.text, got, err, tt.want)
		}
	}
}

// setcap writes the same attribute.
func TestCapsXattrAgainstSetcap(t *testing.T) {
	oracle(t, "setcap")
	if os.Geteuid() != 0 {
		t.Skip("setting capabilities needs root")
	}
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"=", "cap_net_raw=ep", "cap_net_raw+p", "cap_net_admin,cap_net_raw=ep", "cap_bpf=eip",
		"cap_chown=ip cap_fowner=i", "=ep cap_kill-ep", "cap_chown+ep-e", "all=ep",
		"cap_chown=p cap_kill=ep", "cap_nothing=ep", "cap_net_raw", "cap_net_raw=x",
	} {
		os.Remove(name)
		if err := os.WriteFile(name, nil, 0o755); err != nil {
			t.Fatal(err)
		}
		theirs := exec.Command("setcap", text, name).Run()
		ours, err := CapsXattr(text)
		if (theirs == nil) != (err == nil) {
			t.Errorf("%q: setcap says %v, we say %v", text, theirs, err)
			continue
		}
		if err != nil {
			continue
		}
		buf := make([]byte, 64)
		n, err := unix.Lgetxattr(name, "security.capability", buf)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if !bytes.Equal(buf[:n], ours) {
			t.Errorf("%q: %x, setcap wrote %x", text, ours, buf[:n])
		}
	}
}
