package sack

import (
	"testing"

	"rpmostree/rpm/evr"
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
