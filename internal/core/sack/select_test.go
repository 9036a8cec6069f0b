package sack

import (
	"strings"
	"testing"

	"rpmostree/rpm/evr"
	"rpmostree/solv"
)

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		pattern, nevra string
		want           bool
	}{
		{"grub2", "grub2-1:2.06-1.x86_64", true},
		{"grub2.x86_64", "grub2-1:2.06-1.x86_64", true},
		{"grub2-2.06*", "grub2-1:2.06-1.x86_64", true},
		{"grub2-2.06", "grub2-1:2.06-1.x86_64", true},
		{"grub2-2.06-1", "grub2-1:2.06-1.x86_64", true},
		{"grub2-2.06-1.x86_64", "grub2-1:2.06-1.x86_64", true},
		{"grub2-1:2.06*", "grub2-1:2.06-1.x86_64", true},
		{"grub2-1:2.06-1.x86_64", "grub2-1:2.06-1.x86_64", true},
		{"grub2-0:2.06*", "grub2-1:2.06-1.x86_64", false},
		{"grub2-2.07*", "grub2-1:2.06-1.x86_64", false},
		{"a-0:1", "a-1-1.noarch", true},
		{"a-1-1", "a-0:1-1.noarch", true},
		{"a-1:1", "a-1-1.noarch", false},
		{"[", "a-1-1.noarch", false},
	} {
		n, err := evr.ParseNEVRA(tt.nevra)
		if err != nil {
			t.Fatal(err)
		}
		if got := Matches([]string{"other", tt.pattern}, n); got != tt.want {
			t.Errorf("%s for %s: %v", tt.pattern, tt.nevra, got)
		}
	}
}

func TestSelectEpochs(t *testing.T) {
	s := New("x86_64")
	s.AddRepo("repo", 99, 1000)
	for _, e := range []string{"1-1", "2:1-1", "3:2-1"} {
		s.add(s.Repo("repo"), solv.Package{Name: "vim", Arch: "x86_64", EVR: e, Provides: []solv.Dep{{Name: "vim", Op: evr.EQ, EVR: e}}}, Source{})
	}
	for request, want := range map[string]string{
		"vim-1": "2:1-1", "vim-1-1": "2:1-1", "vim-1-1.x86_64": "2:1-1", "vim-0:1": "1-1", "vim-0:1-1.x86_64": "1-1",
		"vim-2": "3:2-1", "vim-3:2-1.x86_64": "3:2-1", "vim-2:2": "", "vim-3": "",
	} {
		var got []string
		_, ids := s.Select(request)
		for _, id := range ids {
			got = append(got, s.Pool.Package(id).EVR)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", request, got, want)
		}
	}
}
