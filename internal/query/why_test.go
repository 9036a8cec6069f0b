package query

import (
	"bytes"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"rpmostree/internal/core"
	"rpmostree/internal/core/sack"
	"rpmostree/rpm"
	"rpmostree/rpm/rpmdb"
)

// installed returns an index of installed packages.
func installed(t *testing.T, builders ...rpm.Builder) Index {
	t.Helper()
	var list []rpmdb.Installed
	for _, b := range builders {
		b.Version, b.Release, b.Arch = "1", "1", "noarch"
		b.Provides = append(b.Provides, rpm.Dep{Name: b.Name, Flags: rpm.DepEqual, EVR: "1-1"})
		var file bytes.Buffer
		if err := b.Write(&file); err != nil {
			t.Fatal(err)
		}
		p, err := rpm.Open(&file, rpm.Options{})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, rpmdb.Installed{Header: p.Header})
	}
	s := sack.New("x86_64")
	s.AddInstalled(list)
	return Index{&core.Index{Sack: s}}
}

func TestWhy(t *testing.T) {
	x := installed(t,
		rpm.Builder{Name: "app", Requires: []rpm.Dep{{Name: "lib"}}, Recommends: []rpm.Dep{{Name: "docs"}}},
		rpm.Builder{Name: "lib"},
		rpm.Builder{Name: "docs"},
		rpm.Builder{Name: "langpacks"},
		rpm.Builder{Name: "lib-de", Supplements: []rpm.Dep{{Name: "(lib and langpacks)"}}},
		rpm.Builder{Name: "lib-fr", Supplements: []rpm.Dep{{Name: "(lib and dictionaries)"}}}, // of which one is not installed
		rpm.Builder{Name: "lone"},
	)
	in := Installation{Requests: []string{"app"}}
	for name, want := range map[string]Reason{
		"app":  {Package: "app-1-1.noarch", Requested: "app"},
		"lib":  {Package: "lib-1-1.noarch", NeededBy: []string{"app-1-1.noarch"}, Chain: []Link{{Package: "app-1-1.noarch", Dep: "lib"}, {Package: "lib-1-1.noarch"}}},
		"docs": {Package: "docs-1-1.noarch", Chain: []Link{{Package: "app-1-1.noarch", Dep: "docs", Weak: true}, {Package: "docs-1-1.noarch"}}},
		"lib-de": {Package: "lib-de-1-1.noarch", Chain: []Link{{Package: "app-1-1.noarch", Dep: "lib"},
			{Package: "lib-1-1.noarch", Dep: "(lib and langpacks)", Weak: true, Supplements: true}, {Package: "lib-de-1-1.noarch"}}},
		"lib-fr": {Package: "lib-fr-1-1.noarch"},
		"lone":   {Package: "lone-1-1.noarch"},
	} {
		got := x.Why([]string{name}, in)
		if len(got) != 1 {
			t.Errorf("%s: %d reasons", name, len(got))
		} else if d := gocmp.Diff(want, got[0]); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// What a package supplements is a reason for it only as far as it is installed.
func TestParts(t *testing.T) {
	x := installed(t, rpm.Builder{Name: "a"}, rpm.Builder{Name: "b", Provides: []rpm.Dep{{Name: "p"}}}, rpm.Builder{Name: "c", Provides: []rpm.Dep{{Name: "p"}, {Name: "q"}}})
	for dep, want := range map[string][]string{
		"a": {"a"}, "p": {"b", "c"}, "no": nil,
		"(a and b)": {"a", "b"}, "(a and no)": nil, "(no and a)": nil, "(a and (b or no))": {"a", "b"},
		"(a or b)": {"a", "b"}, "(a or no)": {"a"},
		"(a if b)": {"a"}, "(a if no)": nil, "(a if b else c)": {"a"}, "(a if no else c)": {"c"},
		"(a unless b)": nil, "(a unless no)": {"a"}, "(a unless b else c)": {"c"}, "(a unless no else c)": {"a"},
		"(p with q)": {"c"}, "(p with no)": nil, "(p without q)": {"b"}, "(p without p)": nil,
	} {
		d, err := x.Sack.Pool.ParseDep(dep)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, id := range x.parts(d) {
			got = append(got, x.Sack.NEVRA(id).Name)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", dep, diff)
		}
	}
}
