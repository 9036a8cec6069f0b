package origin

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var sum = strings.Repeat("ab", 32)

func TestRoundTrip(t *testing.T) {
	text := `[origin]
baserefspec=fedora:fedora/x86_64/silverblue
override-commit=` + sum + `

[packages]
requested=htop;'a b';
requested-local=` + sum + `:foo-1:2-3.x86_64;

[overrides]
remove=firefox;
replace=repo=updates,kernel,kernel-core;

[rpmostree]
regenerate-initramfs=true
initramfs-args=-I;/etc/x;

[other]
key=value

[libostree-transient]
pinned=true
`
	o, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if o.Refspec != "fedora:fedora/x86_64/silverblue" || !o.Layered() || !o.RegenerateInitramfs {
		t.Errorf("%+v", o)
	}
	if d := cmp.Diff([]LocalPackage{{sum, "foo-1:2-3.x86_64"}}, o.LocalPackages); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string][]string{"repo=updates": {"kernel", "kernel-core"}}, o.ReplaceRemote); d != "" {
		t.Error(d)
	}
	f, err := o.File()
	if err != nil {
		t.Fatal(err)
	}
	if f.HasGroup("libostree-transient") || f.Get("other", "key") != "value" {
		t.Errorf("groups: %q", f.Groups())
	}
	again, err := Parse(f.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(o, again, cmpopts.IgnoreUnexported(Origin{})); d != "" {
		t.Error(d)
	}
}

func TestLayeringNamesTheBase(t *testing.T) {
	o, err := Parse([]byte("[origin]\nrefspec=r:ref\nunconfigured-state=why\n"))
	if err != nil {
		t.Fatal(err)
	}
	o = o.Clone()
	o.Packages = append(o.Packages, "vim")
	f, _ := o.File()
	if got, want := string(f.Bytes()), "[origin]\nbaserefspec=r:ref\n\n[packages]\nrequested=vim;\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	o.Packages = nil
	f, _ = o.File()
	if got, want := string(f.Bytes()), "[origin]\nrefspec=r:ref\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[origin]\nrefspec=a:b\n[packages]\nrequested=x;\n[overrides]\nreplace=repo=a,b;\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := Parse(text)
		if err != nil {
			return
		}
		file, err := o.File()
		if err != nil {
			return
		}
		if _, err := Parse(file.Bytes()); err != nil {
			t.Error(err)
		}
	})
}
