package prepareroot

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// plant makes files: "-> x" is a link, a name that ends in "/" a directory.
func plant(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		at := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(at), 0o755)
		target, link := strings.CutPrefix(content, "-> ")
		switch {
		case err != nil:
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(at, 0o755)
		case link:
			err = os.Symlink(target, at)
		default:
			err = os.WriteFile(at, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// list returns the paths of all files below dir, links with their targets.
func list(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if target, linkErr := os.Readlink(p); linkErr == nil {
			name += " -> " + target
		}
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestGenerate(t *testing.T) {
	const arg = "ro ostree=/ostree/boot.1/my-os/" + csum + "/0 quiet"
	always := []string{
		"local-fs.target.requires/ostree-remount.service -> /usr/lib/systemd/system/ostree-remount.service",
		"multi-user.target.wants/ostree-boot-complete.service -> /usr/lib/systemd/system/ostree-boot-complete.service",
		"sysroot.mount.d/ostree-softreboot.conf",
	}
	boot := []string{"boot.mount", "local-fs.target.requires/boot.mount -> ../boot.mount"}
	state := []string{"var.mount", "local-fs.target.requires/var.mount -> ../var.mount"}
	booted := map[string]string{"run/ostree/": ""}
	for _, tt := range []struct {
		name, cmdline string
		files         map[string]string
		want          [][]string
		err           string
	}{
		{"not booted by ostree", arg, nil, nil, ""},
		{"plain", arg, booted, [][]string{always, state}, ""},
		{"marked by an older program", arg, map[string]string{"run/ostree-booted": ""}, [][]string{always, state}, ""},
		{"no target", "quiet", booted, nil, ""},
		{"the initramfs did it", arg, map[string]string{"run/ostree/initramfs-mount-var": ""}, nil, ""},
		{"one file system", arg, map[string]string{"run/ostree/": "", "sysroot/boot/loader": "-> loader.1", "boot/": ""}, [][]string{always, boot, state}, ""},
		{"no place for boot", arg, map[string]string{"run/ostree/": "", "sysroot/boot/loader": "-> loader.1"}, [][]string{always, state}, ""},
		{"var in fstab", arg, map[string]string{"run/ostree/": "", "etc/fstab": "# /dev/x /var\nUUID=1 / ext4\n/dev/x\t//var/  xfs\n"}, [][]string{always}, ""},
		{"others in fstab", arg, map[string]string{"run/ostree/": "", "etc/fstab": "#x /var\n/dev/x /var/lib xfs\n/var none swap\n\nx\n"}, [][]string{always, state}, ""},
		{"without initramfs", arg + " init=/ostree/boot.1/my-os/" + csum + "/0/usr/lib/ostree/ostree-prepare-root", map[string]string{"run/": ""}, [][]string{always, state}, ""},
		{"android", "androidboot.slot_suffix=_b", map[string]string{"run/ostree/": "", "ostree/root.b": "-> deploy/my-os/deploy/x.0"}, [][]string{always, state}, ""},
		{"bad slot", "androidboot.slot_suffix=_c", booted, nil, "androidboot.slot_suffix invalid: _c"},
		{"bad link", "androidboot.slot_suffix=_a", map[string]string{"run/ostree/": "", "ostree/root.a": "-> /etc"}, [][]string{always}, "Invalid aboot symlink"},
		{"bad target", "ostree=/elsewhere", booted, [][]string{always}, "Invalid ostree= argument '/elsewhere'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, dir := t.TempDir(), t.TempDir()
			plant(t, root, tt.files)
			g := Generator{Root: root, Cmdline: tt.cmdline, Dir: dir}
			if err := g.Run(); (err == nil) != (tt.err == "") || !strings.Contains(text(err), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			want := slices.Concat(tt.want...)
			slices.Sort(want)
			got := list(t, dir)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if b, err := os.ReadFile(filepath.Join(dir, "var.mount")); err == nil && !strings.Contains(string(b), "\nWhat=/sysroot/ostree/deploy/my-os/var\n") {
				t.Errorf("var.mount:\n%s", b)
			}
			if _, err := os.Stat(filepath.Join(root, "run/ostree/initramfs-mount-var")); err == nil {
				t.Error("the mark is still there")
			}
		})
	}
}
