package pkgdiff

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rpmostree/gvariant"
	"rpmostree/rpm"
	"rpmostree/rpm/rpmdb"
)

// packages parses lines such as "bash 5.1-2 x86_64".
func packages(text string) (out []Package) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 3 {
			out = append(out, Package{Name: f[0], EVR: f[1], Arch: f[2]})
		}
	}
	return out
}

func sample() Diff {
	from := packages(`
		same 1-1 x86_64
		upper 1-1 x86_64
		lower 2-1 x86_64
		epoch 9-1 noarch
		gone 1:2-3 noarch
		rearch 1-1 noarch
		multi 1-1 i686
		multi 1-1 x86_64
		kernel 5-1 x86_64
		kernel 6-1 x86_64`)
	to := packages(`
		kernel 6-1 x86_64
		kernel 7-1 x86_64
		kernel 8-1 x86_64
		multi 2-1 x86_64
		rearch 1-1 x86_64
		epoch 1:1-1 noarch
		upper 1-1.1 x86_64
		lower 1-1 x86_64
		new 3~rc1-1 noarch
		same 1-1 x86_64`)
	return New(from, to)
}

func TestForms(t *testing.T) {
	for _, c := range []struct {
		name  string
		write func(Diff, *strings.Builder) error
		want  string
	}{
		{"block", func(d Diff, b *strings.Builder) error { return d.WriteBlock(b, "Live") }, `LiveUpgraded:
  epoch 9-1 -> 1:1-1
  kernel 5-1 -> 6-1
  kernel 6-1 -> 7-1
  multi 1-1 -> 2-1
  rearch 1-1 -> 1-1
  upper 1-1 -> 1-1.1
LiveDowngraded:
  lower 2-1 -> 1-1
LiveRemoved:
  gone-1:2-3.noarch
  multi-1-1.i686
LiveAdded:
  kernel-8-1.x86_64
  new-3~rc1-1.noarch
`},
		{"aligned", func(d Diff, b *strings.Builder) error {
			d.Upgraded = d.Upgraded[:2]
			return d.WriteAligned(b, "", 12)
		}, `      Upgraded: epoch 9-1 -> 1:1-1
                kernel 5-1 -> 6-1
    Downgraded: lower 2-1 -> 1-1
       Removed: gone-1:2-3.noarch
                multi-1-1.i686
         Added: kernel-8-1.x86_64
                new-3~rc1-1.noarch
`},
		{"diff", func(d Diff, b *strings.Builder) error { return d.WriteDiff(b) }, `!epoch-9-1.noarch
=epoch-1:1-1.noarch
-gone-1:2-3.noarch
!kernel-5-1.x86_64
=kernel-6-1.x86_64
!kernel-6-1.x86_64
=kernel-7-1.x86_64
+kernel-8-1.x86_64
!lower-2-1.x86_64
=lower-1-1.x86_64
-multi-1-1.i686
!multi-1-1.x86_64
=multi-2-1.x86_64
+new-3~rc1-1.noarch
!rearch-1-1.noarch
=rearch-1-1.x86_64
!upper-1-1.x86_64
=upper-1-1.1.x86_64
`},
	} {
		var b strings.Builder
		if err := c.write(sample(), &b); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, b.String()); d != "" {
			t.Errorf("%s:\n%s", c.name, d)
		}
	}
	if got := sample().Summary(); got != "6 upgraded, 1 downgraded, 2 removed, 2 added" {
		t.Errorf("summary %q", got)
	}
	if d := New(sample().Added, sample().Added); !d.Empty() || d.Summary() != "" {
		t.Errorf("no difference is %v", d)
	}
}

func TestVariantAndJSON(t *testing.T) {
	d := New(packages("a 1-1 x\nb 1-1 x\nc 2-1 x"), packages("d 1-1 x\nb 2-1 x\nc 1-1 x"))
	v := d.Variant()
	if v.Type() != VariantType {
		t.Errorf("type %s", v.Type())
	}
	want := `[('d', 0, {'NewPackage': <('d', '1-1', 'x')>}), ('a', 1, {'PreviousPackage': <('a', '1-1', 'x')>}), ` +
		`('b', 2, {'PreviousPackage': <('b', '1-1', 'x')>, 'NewPackage': <('b', '2-1', 'x')>}), ` +
		`('c', 3, {'PreviousPackage': <('c', '2-1', 'x')>, 'NewPackage': <('c', '1-1', 'x')>})]`
	if got := v.Print(false); got != want {
		t.Errorf("variant:\n got %s\nwant %s", got, want)
	}
	got, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	wantJSON := `[["d",0,{"NewPackage":["d","1-1","x"]}],["a",1,{"PreviousPackage":["a","1-1","x"]}],` +
		`["b",2,{"PreviousPackage":["b","1-1","x"],"NewPackage":["b","2-1","x"]}],` +
		`["c",3,{"PreviousPackage":["c","2-1","x"],"NewPackage":["c","1-1","x"]}]]`
	if string(got) != wantJSON {
		t.Errorf("json:\n got %s\nwant %s", got, wantJSON)
	}
	if empty, err := json.Marshal(Diff{}); err != nil || string(empty) != "[]" {
		t.Errorf("empty: %s, %v", empty, err)
	}
	u := Update{Base: d, Layered: New(nil, packages("aa 1-1 y"))}.Variant()
	wantUpdate := `{'upgraded': <[(uint32 0, 'b', ('1-1', 'x'), ('2-1', 'x'))]>, 'downgraded': <[(uint32 0, 'c', ('2-1', 'x'), ('1-1', 'x'))]>, ` +
		`'removed': <[(uint32 0, 'a', '1-1', 'x')]>, 'added': <[(uint32 1, 'aa', '1-1', 'y'), (0, 'd', '1-1', 'x')]>}`
	if got := u.Print(true); got != wantUpdate {
		t.Errorf("update:\n got %s\nwant %s", got, wantUpdate)
	}
}

func TestChangelogs(t *testing.T) {
	log := func(n int) (out []rpm.Change) {
		for ; n > 0; n-- {
			out = append(out, rpm.Change{Time: uint32(1700000000 + n*86400), Name: "A <a@b>", Text: "- one\n- two"})
		}
		return out
	}
	p := func(name, version, source string, n int) Package {
		return Package{Name: name, EVR: version, Arch: "x86_64", SourceRPM: source, Changelog: log(n)}
	}
	d := New([]Package{p("lib", "1-1", "s1", 1), p("libx", "1-1", "s1", 1), p("other", "2-1", "s2", 2), p("zz", "1-1", "s3", 0)},
		[]Package{p("lib", "2-1", "s1.2", 3), p("libx", "2-1", "s1.2", 3), p("other", "1-1", "s2.2", 5), p("zz", "2-1", "s3", 2), p("add", "1-1", "x", 1)})
	var b strings.Builder
	if err := d.WriteChangelogs(&b); err != nil {
		t.Fatal(err)
	}
	want := `Upgraded:
  lib 1-1.x86_64 -> 2-1.x86_64
  libx 1-1.x86_64 -> 2-1.x86_64
    * Fri Nov 17 2023 A <a@b>
    - one
    - two

    * Thu Nov 16 2023 A <a@b>
    - one
    - two

  zz 1-1.x86_64 -> 2-1.x86_64
Downgraded:
  other 2-1.x86_64 -> 1-1.x86_64
Added:
  add-1-1.x86_64
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}

func TestPkglist(t *testing.T) {
	list := packages("b 1:2-3 x86_64\na 1-1 noarch")
	v := Pkglist(list)
	if got := v.Print(false); got != "[('a', '0', '1', '1', 'noarch'), ('b', '1', '2', '3', 'x86_64')]" {
		t.Errorf("got %s", got)
	}
	got, err := FromPkglist(v)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]Package{list[1], list[0]}, got); d != "" {
		t.Error(d)
	}
	if _, err := FromPkglist(gvariant.String("x")); err == nil {
		t.Error("a string is no list")
	}
	// printf '%s' a-1-1.noarch 1:b-2-3.x86_64 | sha256sum
	if got := Version(list); got != "2:d8dd2dc356435b5b81973f8e7bcad6de38bb97fdc2f434d254fa253518364e66" {
		t.Errorf("version %s", got)
	}
}

func TestMatch(t *testing.T) {
	p := Package{Name: "Bash-doc", EVR: "1:5.1-2.fc40", Arch: "noarch"}
	for pattern, want := range map[string]bool{
		"bash-doc": true, "bash*": true, "bash": false, "bash-doc.noarch": true, "bash-doc-5.1-2.fc40": true,
		"bash-doc-1:5.1-2.fc40.noarch": true, "*fc40.noarch": true, "[!a]ash-doc": true, "[": false, "": false,
	} {
		if Match(p, []string{"nothing", pattern}) != want {
			t.Errorf("%q: not %v", pattern, want)
		}
	}
	if !Match(p, nil) {
		t.Error("no patterns")
	}
}

func TestFromDB(t *testing.T) {
	b := rpm.Builder{Name: "n", Version: "1", Release: "2", Arch: "noarch", Epoch: new(uint32),
		Changelog: []rpm.Change{{Time: 5, Name: "A", Text: "t"}}, SourceRPM: "s.src.rpm"}
	var pkg strings.Builder
	if err := b.Write(&pkg); err != nil {
		t.Fatal(err)
	}
	r := strings.NewReader(pkg.String()[96:])
	sig, err := rpm.ReadSignatureHeader(r)
	if err != nil {
		t.Fatal(err)
	}
	hdr, err := rpm.ReadHeader(r)
	if err != nil {
		t.Fatal(err)
	}
	e, err := rpmdb.NewEntry(sig, hdr, rpmdb.InstallInfo{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := rpmdb.Encode([]rpmdb.Entry{e}, rpmdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	db, err := rpmdb.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	want := []Package{{Name: "n", EVR: "1-2", Arch: "noarch"}}
	if d := cmp.Diff(want, FromDB(db, false)); d != "" {
		t.Error(d)
	}
	want[0].SourceRPM, want[0].Changelog = "s.src.rpm", b.Changelog
	if d := cmp.Diff(want, FromDB(db, true)); d != "" {
		t.Error(d)
	}
}
