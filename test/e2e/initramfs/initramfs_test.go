package initramfs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

func TestLoadOrder(t *testing.T) {
	dir := t.TempDir()
	text := "kernel/fs/ext4/ext4.ko: kernel/fs/mbcache.ko kernel/fs/jbd2/jbd2.ko kernel/lib/crc16.ko\n" +
		"kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio.ko\nkernel/drivers/virtio/virtio.ko:\n" +
		"kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio.ko\nkernel/other.ko:\n"
	if err := os.WriteFile(filepath.Join(dir, "modules.dep"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := loadOrder(dir)
	want := []string{
		"kernel/drivers/virtio/virtio.ko", "kernel/drivers/virtio/virtio_pci.ko", "kernel/drivers/block/virtio_blk.ko",
		"kernel/lib/crc16.ko", "kernel/fs/jbd2/jbd2.ko", "kernel/fs/mbcache.ko", "kernel/fs/ext4/ext4.ko",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestCpio reads the archive with cpio.
func TestCpio(t *testing.T) {
	treetest.Oracle(t, "cpio")
	var b bytes.Buffer
	c := &cpio{w: &b}
	c.put("etc", 0o040755, nil)
	c.put("etc/odd", 0o100600, []byte("hello"))
	c.put("TRAILER!!!", 0, nil)
	if c.err != nil {
		t.Fatal(c.err)
	}
	cmd := exec.Command("cpio", "--quiet", "-itv", "--numeric-uid-gid")
	cmd.Stdin = &b
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("cpio: %v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "drwxr-xr-x   2 0        0") ||
		!strings.HasPrefix(lines[1], "-rw-------   1 0        0               5") {
		t.Errorf("cpio lists\n%s", out)
	}
}
