package bootloader

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestEntry(t *testing.T) {
	text := `# a comment
initrd /ostree/os-1/initramfs.img
linux	/ostree/os-1/vmlinuz
x-extra  kept as it is
options  root=/dev/vda1 ostree=/ostree/boot.0/os/1/0
title An OS
nothing
initrd /ostree/initramfs-overlays/a.img
version 1
version 2
initrd /ostree/initramfs-overlays/b.img
 indented is not read
`
	want := `title An OS
version 2
options  root=/dev/vda1 ostree=/ostree/boot.0/os/1/0
linux /ostree/os-1/vmlinuz
initrd /ostree/os-1/initramfs.img
initrd /ostree/initramfs-overlays/a.img
initrd /ostree/initramfs-overlays/b.img
x-extra  kept as it is
`
	e, err := ParseEntry("ostree-2+3-1.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if e.TriesLeft != 3 || e.TriesDone != 1 {
		t.Errorf("tries %d-%d", e.TriesLeft, e.TriesDone)
	}
	got, err := e.Marshal()
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	c := e.Clone()
	c.Set("title", "x\nlinux /evil")
	if _, err := c.Marshal(); err == nil {
		t.Error("a line break in a value was written")
	}
	if v, _ := e.Get("title"); v != "An OS" {
		t.Errorf("a change of the clone changed the original: %q", v)
	}
}

// TestEntryOddly reads what others have written.
func TestEntryOddly(t *testing.T) {
	for _, tt := range []struct{ text, want, err string }{
		{"title A\r\noptions a=b\r\n\r\nlinux /x\r\n", "title A\noptions a=b\nlinux /x\n", ""},
		{"title A\nlinux /x", "title A\nlinux /x\n", ""},
		{"options\nlinux\t/x\nversion \n", "version \nlinux /x\n", ""},
		{"\ntitle A\n# options x\n9key x\n", "title A\n", ""},
		{"options " + strings.Repeat("a=b ", 1<<16) + "\n", "options " + strings.Repeat("a=b ", 1<<16) + "\n", ""},
		{"options = ==\n", "options = ==\n", ""},
		{"title A\x00B\n", "", "boot entry e.conf is not UTF-8 text"},
		{"title \xff\n", "", "boot entry e.conf is not UTF-8 text"},
		{strings.Repeat("x", MaxEntrySize+1), "", "boot entry e.conf is larger than 1048576 bytes"},
	} {
		e, err := ParseEntry("e.conf", []byte(tt.text))
		if errText(err) != tt.err {
			t.Errorf("%.100q: %v, want %q", tt.text, err, tt.err)
		}
		if err != nil {
			continue
		}
		if got, err := e.Marshal(); err != nil || string(got) != tt.want {
			t.Errorf("%.100q: %.100q, %v", tt.text, got, err)
		}
	}
}

func TestTries(t *testing.T) {
	for name, want := range map[string]string{
		"ostree-1.conf": "0-0", "ostree-1+3.conf": "3-0", "ostree-1+2-1.conf": "2-1",
		"ostree-1+-1.conf": "0-0", "ostree-1+x.conf": "0-0", "ostree-1+2-x.conf": "0-0",
		"ostree-1+99999999999999999999.conf": "0-0",
	} {
		left, done := parseTries(name)
		if got := fmt.Sprintf("%d-%d", left, done); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// The example is that of the strverscmp(3) manual page.
func TestCompareVersions(t *testing.T) {
	order := strings.Fields("000 00 01 010 09 0 1 9 10 a a1 a2 a10")
	for i, a := range order {
		for j, b := range order {
			if got := compareVersions(a, b); sign(got) != sign(i-j) {
				t.Errorf("compareVersions(%s, %s) = %d", a, b, got)
			}
		}
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

func TestSortEntries(t *testing.T) {
	var entries []*Entry
	for _, v := range []string{"2", "", "10", "1"} {
		e := &Entry{}
		if v != "" {
			e.Set("version", v)
		}
		entries = append(entries, e)
	}
	SortEntries(entries)
	var got []string
	for _, e := range entries {
		v, _ := e.Get("version")
		got = append(got, v)
	}
	if want := []string{"10", "2", "1", ""}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzEntry(f *testing.F) {
	f.Add("ostree-1.conf", "title A\nversion 1\noptions a=b c\nlinux /x\ninitrd /y\ninitrd /z\nx-y z\n")
	f.Add("ostree-2+3-1.conf", "a\tb\n\n# c\ninitrd x\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		e, err := ParseEntry(name, []byte(text))
		if err != nil {
			return
		}
		b, err := e.Marshal()
		if err != nil {
			return // a key with a byte that is no letter, say
		}
		again, err := ParseEntry(name, b)
		if err != nil {
			t.Fatal(err)
		}
		if b2, err := again.Marshal(); err != nil || string(b2) != string(b) {
			t.Errorf("%v: %q, then %q", err, b, b2)
		}
	})
}
