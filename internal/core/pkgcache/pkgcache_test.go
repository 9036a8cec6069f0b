package pkgcache

import (
	"testing"

	"rpmostree/rpm/evr"
)

func TestRef(t *testing.T) {
	for nevra, want := range map[string]string{
		"foo-1.2-3.x86_64":       "rpmostree/pkg/foo/1.2-3.x86__64",
		"foo-0:1.2-3.noarch":     "rpmostree/pkg/foo/1.2-3.noarch",
		"a_b-2:1~rc1+git-1.i686": "rpmostree/pkg/a__b/2_3A1_7Erc1_2Bgit-1.i686",
	} {
		n, err := evr.ParseNEVRA(nevra)
		if err != nil {
			t.Fatal(err)
		}
		if got := Ref(n); got != want {
			t.Errorf("Ref(%s) = %q, want %q", nevra, got, want)
		}
	}
}
