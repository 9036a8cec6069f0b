package ostree

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		check func(string) error
		good  []string
		bad   []string
	}{
		{ValidateRef, []string{"a", "a/b-c/d.e", "fedora/x86_64/os", "_x", "1"}, []string{"", "/", "a/", "/a", "-a", ".a", "a//b", "a/.b", "a b", "é", "a:b", "a\n"}},
		{ValidateRemoteName, []string{"origin", "a-b.c"}, []string{"", "a/b", "-a", "a:b", "."}},
		{ValidateCollectionID, []string{"org.example", "a.b.C_1"}, []string{"", "org", "org.", ".org", "org..x", "org.1x", "org.a-b", "a." + strings.Repeat("x", 254)}},
		{ValidateName, []string{"a", "..."}, []string{"", ".", "..", "a/b", "\xff", "a\x00"}},
		{func(s string) error { _, _, err := ParseRefspec(s); return err }, []string{"a", "r:a/b"}, []string{"", ":a", "r:", "r/x:a", "a:b:c"}},
		{func(s string) error { _, err := ParseChecksum(s); return err }, []string{strings.Repeat("0a", 32)}, []string{"", "0", strings.Repeat("0A", 32), strings.Repeat("0g", 32)}},
	} {
		for _, s := range c.good {
			if err := c.check(s); err != nil {
				t.Errorf("%q: %v", s, err)
			}
		}
		for _, s := range c.bad {
			if c.check(s) == nil {
				t.Errorf("%q: accepted", s)
			}
		}
	}
	if remote, ref, _ := ParseRefspec("r:a/b"); remote != "r" || ref != "a/b" || Refspec(remote, ref) != "r:a/b" {
		t.Error(remote, ref)
	}
}

func TestObjectNames(t *testing.T) {
	c := Checksum{0xab, 1}
	for typ := ObjectFile; typ <= ObjectFileXattrsLink; typ++ {
		n, err := ParseObjectName(ObjectName{typ, c}.String())
		if err != nil || n.Type != typ || n.Checksum != c {
			t.Errorf("%v: %v %v", typ, n, err)
		}
	}
	if p := LoosePath(c, ObjectFile, true); !strings.HasPrefix(p, "ab/01000") || !strings.HasSuffix(p, ".filez") {
		t.Error(p)
	}
	if p := LoosePath(c, ObjectDirTree, true); !strings.HasSuffix(p, ".dirtree") {
		t.Error(p)
	}
}
