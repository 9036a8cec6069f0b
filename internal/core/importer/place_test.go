package importer

import (
	"errors"
	"testing"

	"rpmostree/rpm"
)

func TestPlaceOf(t *testing.T) {
	const dir, link, reg = 0o040755, 0o120777, 0o100644
	for _, tt := range []struct {
		path  string
		mode  uint32
		place string
		line  string
	}{
		{"/usr/bin/x", reg, "usr/bin/x", ""},
		{"/bin/sh", link, "usr/bin/sh", ""},
		{"/bin", link, "", ""},
		{"/lib", dir, "usr/lib", ""},
		{"/lib64/ld.so", link, "usr/lib64/ld.so", ""},
		{"/library", reg, "error", ""},
		{"/etc", dir, "usr/etc", ""},
		{"/etc/x.conf", reg, "usr/etc/x.conf", ""},
		{"/boot/vmlinuz", reg, "usr/lib/ostree-boot/vmlinuz", ""},
		{"/opt", dir, "usr/lib/opt", ""},
		{"/opt/a b", dir, "usr/lib/opt/a b", "L /opt/a\\x20b - - - - ../../usr/lib/opt/a b"},
		{"/opt/v/bin", dir, "usr/lib/opt/v/bin", ""},
		{"/usr/local/bin/x", reg, "usr/local/bin/x", ""},
		{"/var/lib/x", dir, "", "d /var/lib/x 0755 u g - -"},
		{"/var/lib/x/f", reg, "", ""},
		{"/var/l", link, "", "L /var/l - - - - target"},
		{"/var/run/d", dir, "", "d /run/d 0755 u g - -"},
		{"/var/lib/rpm", dir, "", ""},
		{"/var/lib/alternatives", dir, "usr/lib/alternatives", "L /var/lib/alternatives - - - - ../../usr/lib/alternatives"},
		{"/var/lib/selinux/targeted/x", reg, "usr/etc/selinux/targeted/x", ""},
		{"/srv/x", reg, "error", ""},
		{"/", dir, "", ""},
	} {
		f := &rpm.File{Path: tt.path, Mode: tt.mode, User: "u", Group: "g", LinkTo: "target"}
		p, err := PlaceOf("pkg", f)
		var bad *UnsupportedPathError
		if errors.As(err, &bad) != (tt.place == "error") {
			t.Errorf("%s: error %v", tt.path, err)
			continue
		}
		if err == nil && p.Path != tt.place {
			t.Errorf("%s goes to %q, want %q", tt.path, p.Path, tt.place)
		}
		line := ""
		if len(p.Lines) > 0 {
			line = p.Lines[0].String()
		}
		if line != tt.line {
			t.Errorf("%s gives line %q, want %q", tt.path, line, tt.line)
		}
	}
	if _, err := PlaceOf("filesystem", &rpm.File{Path: "/srv", Mode: dir}); err != nil {
		t.Errorf("filesystem may own /srv: %v", err)
	}
}
