package selinux

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp/syntax"
	"strings"
	"testing"
	"testing/fstest"
)

func policyFS(contexts, homedirs, local, subs, dist string) fs.FS {
	m := fstest.MapFS{
		"etc/selinux/config":                {Data: []byte("# x\nSELINUX=permissive\nSELINUXTYPE=mini\n")},
		"etc/selinux/mini/policy/policy.9":  {Data: []byte("old")},
		"etc/selinux/mini/policy/policy.33": {Data: []byte("binary")},
	}
	for suffix, text := range map[string]string{"": contexts, ".homedirs": homedirs, ".local": local, ".subs": subs, ".subs_dist": dist} {
		if text != "" || suffix == "" {
			m["etc/selinux/mini/contexts/files/file_contexts"+suffix] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return m
}

const miniContexts = `
# comment
/.*	system_u:object_r:default_t:s0
/	-d	system_u:object_r:root_t:s0
/usr(/.*)?	system_u:object_r:usr_t:s0
/usr/bin/.*	--	system_u:object_r:bin_t:s0
/usr/bin	-d	system_u:object_r:bin_t:s0
/usr/lib/a\.b	system_u:object_r:exact_t:s0
/usr/lib/.*	system_u:object_r:lib_t:s0
/mnt(/[^/]*)?	-l	system_u:object_r:mnt_t:s0
/mnt(/[^/]*)?	-d	system_u:object_r:mnt_t:s0
/mnt/[^/]*/.*	<<none>>
/etc/(pass|group)wd?	system_u:object_r:passwd_t:s0
/dev/tty[0-9]{1,2}	-c	system_u:object_r:tty_t:s0
`

var miniCases = []struct {
	path string
	mode uint32
	want string
}{
	{"/", typeDir, "root_t"}, {"/x", typeReg, "default_t"}, {"/usr", typeDir, "usr_t"}, {"/usr/", typeDir, "usr_t"},
	{"/usr/bin/x", typeReg, "bin_t"}, {"/usr/bin/x", typeLink, "usr_t"}, {"//usr//bin/x", typeReg, "bin_t"},
	{"/usr/bin", typeDir, "bin_t"}, {"/usr/bin", typeReg, "usr_t"}, {"/usr/bin", 0, "bin_t"},
	{"/usr/lib/a.b", typeReg, "exact_t"}, {"/usr/lib/axb", typeReg, "lib_t"}, {"/usr/lib/a.bc", typeReg, "lib_t"},
	{"/mnt", typeDir, "mnt_t"}, {"/mnt/x/y", typeReg, ""}, {"/proc", typeDir, "mnt_t"}, {"/mnt", typeReg, "default_t"},
	{"/etc/passw", typeReg, "passwd_t"}, {"/etc/passwd", typeReg, "passwd_t"}, {"/etc/groupwdd", typeReg, "default_t"},
	{"/dev/tty12", typeChar, "tty_t"}, {"/dev/tty123", typeChar, "default_t"},
	{"/home/u/.x", typeReg, "home_t"}, {"/srv/local", typeReg, "local_t"}, {"/opt/usr/bin/x", typeReg, "bin_t"},
	{"/newroot", typeDir, "root_t"}, {"/newroot/usr/bin/x", typeReg, "bin_t"}, {"/optional", typeReg, "default_t"},
	{"/two/bin/x", typeReg, "bin_t"},
}

func openMini(t testing.TB) *Policy {
	p, err := Open(policyFS(miniContexts, "/home/[^/]+/\\.x system_u:object_r:home_t:s0\n", "/srv/local system_u:object_r:local_t:s0\n",
		"# local\n/two /one\n", "/opt /\n/newroot /\n/one /usr\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLabel(t *testing.T) {
	p := openMini(t)
	if p.Name != "mini" || !strings.HasPrefix(p.Checksum, "9a3a45d01531a20e") {
		t.Errorf("policy %q %q", p.Name, p.Checksum)
	}
	for _, c := range miniCases {
		want := c.want
		if want != "" {
			want = "system_u:object_r:" + want + ":s0"
		}
		if got, err := p.Label(c.path, c.mode|0o644); err != nil || got != want {
			t.Errorf("Label(%s, %o) = %q, %v, want %q", c.path, c.mode, got, err, want)
		}
	}
}

func TestNoPolicy(t *testing.T) {
	disabled := fstest.MapFS{"usr/etc/selinux/config": {Data: []byte("SELINUX=disabled\nSELINUXTYPE=x\n")}}
	for name, root := range map[string]fs.FS{"none": fstest.MapFS{}, "disabled": disabled} {
		p, err := Open(root)
		if err != nil || p.Name != "" {
			t.Fatalf("%s: %+v, %v", name, p, err)
		}
		if label, err := p.Label("/usr", typeDir); label != "" || err != nil {
			t.Errorf("%s: label %q, %v", name, label, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	for text, want := range map[string]string{
		"/x -q a:b:c:d\n": `line 1: invalid file type "-q"`,
		"/x\n":            "line 1: 1 fields instead of 2 or 3",
	} {
		if _, err := Open(policyFS(text, "", "", "", "")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	p, err := Open(policyFS("/x(?=y) a:b:c:d\n", "", "", "", ""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Label("/x", typeReg); err == nil {
		t.Error("unsupported expression: no error")
	}
}

func TestLiteralPrefix(t *testing.T) {
	for pattern, want := range map[string]string{
		`/usr/bin`: "/usr/bin=", `/usr/lib(64)?/x`: "/usr/lib", `/a\.b`: "/a.b=", `/ab?c`: "/a", `/ab*`: "/a", `/a+`: "/a",
		`/ab{2}`: "/a", `/a|/b`: "", `/(a|b)`: "/", `/x[|]y`: "/x", `/d\d`: "/d", `/é?`: "/",
	} {
		got, whole := literalPrefix(pattern)
		if whole {
			got += "="
		}
		if got != want {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
}

func TestLiteralPart(t *testing.T) {
	for pattern, want := range map[string]string{
		`/usr/(lib|lib64)/abcdef(/.*)?`: "/abcdef", `/a.*/longer?x`: "/longe", `/a[bc]/de+`: "/de", `/a{2}bc`: "bc", `/a|/b`: "",
		`/x[]abc]y`: "/x", `/x[^]abc]y`: "/x", `/x[[:alpha:]]yyy`: "/x", `/x[a\]b]yyy`: "/x", `/x\dyyy`: "/x", `/x\.y`: "/x.y",
	} {
		if got := literalPart(pattern); got != want {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
}

// TestMatchesReference compares labels with those of matchpathcon(8) for paths
// that are made from the patterns of a real policy.
func TestMatchesReference(t *testing.T) {
	const root = "/etc/selinux/default"
	_, err := exec.LookPath("matchpathcon")
	if _, statErr := os.Stat(root + "/contexts/files/file_contexts"); err != nil || statErr != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no matchpathcon or no policy in " + root)
		}
		t.Skip("no matchpathcon or no policy in " + root)
	}
	p := &Policy{Name: "default"}
	if err := p.read(os.DirFS("/"), strings.TrimPrefix(root, "/")+"/contexts/files/file_contexts"); err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	paths := pathsFrom(p, rnd)
	for mode, arg := range map[uint32]string{typeReg: "file", typeDir: "dir", typeLink: "lnk_file", typeChar: "chr_file", typeSock: "sock_file"} {
		compare(t, p, root, paths, mode, arg)
	}
}

func compare(t *testing.T, p *Policy, root string, paths []string, mode uint32, arg string) {
	for len(paths) > 0 {
		n := min(len(paths), 10000)
		out, err := exec.Command("matchpathcon", append([]string{"-P", root, "-m", arg, "-n"}, paths[:n]...)...).Output()
		if err != nil && len(out) == 0 {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		if len(lines) != n {
			t.Fatalf("matchpathcon: %d lines for %d paths", len(lines), n)
		}
		for i, want := range lines {
			if got, err := p.Label(paths[i], mode); err != nil || got != strings.TrimPrefix(want, noLabel) {
				t.Errorf("%s %s: %q, %v; reference %q", arg, paths[i], got, err, want)
			}
		}
		paths = paths[n:]
	}
}

// pathsFrom makes a path from each pattern, and others that miss it narrowly.
func pathsFrom(p *Policy, rnd *rand.Rand) []string {
	paths := []string{"/", "/usr", "/usr/bin/bash", "/run/lock/x", "/var/run/x", "/lib64/x", "/home/u/.ssh/id"}
	add := func(list []spec) {
		for _, s := range list {
			re, err := syntax.Parse(s.pattern, syntax.Perl)
			if err != nil {
				continue
			}
			var b strings.Builder
			generate(&b, re, rnd)
			path := b.String()
			if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "\n\x00") || path == "/proc" {
				continue
			}
			paths = append(paths, path)
			if rnd.IntN(2) == 0 {
				paths = append(paths, path+[]string{"x", "/y", ".1", "/"}[rnd.IntN(4)])
			}
		}
	}
	for _, list := range p.specs.exact {
		add(list)
	}
	for _, list := range p.specs.byPrefix {
		add(list)
	}
	return paths
}

func generate(b *strings.Builder, re *syntax.Regexp, rnd *rand.Rand) {
	repeat := func(least, most int) {
		if most < 0 {
			most = least + 2
		}
		for range least + rnd.IntN(most-least+1) {
			generate(b, re.Sub[0], rnd)
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		i := rnd.IntN(len(re.Rune)/2) * 2
		r := re.Rune[i] + rnd.Int32N(min(re.Rune[i+1]-re.Rune[i], 100)+1)
		if r < ' ' || r > '~' {
			r = 'k'
		}
		b.WriteRune(r)
	case syntax.OpAnyCharNotNL, syntax.OpAnyChar:
		b.WriteByte("abc/.-"[rnd.IntN(6)])
	case syntax.OpCapture:
		generate(b, re.Sub[0], rnd)
	case syntax.OpStar:
		repeat(0, -1)
	case syntax.OpPlus:
		repeat(1, -1)
	case syntax.OpQuest:
		repeat(0, 1)
	case syntax.OpRepeat:
		repeat(re.Min, re.Max)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			generate(b, sub, rnd)
		}
	case syntax.OpAlternate:
		generate(b, re.Sub[rnd.IntN(len(re.Sub))], rnd)
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add(miniContexts, "/one /two\n", "/usr/bin/x")
	f.Add("/a|/b -- x\n/\\ y\n/[ z\n", "/ /\n", "/a")
	f.Fuzz(func(t *testing.T, contexts, subs, path string) {
		p, err := Open(policyFS(contexts, "", "", subs, subs))
		if err != nil {
			return
		}
		if label, err := p.Label(path, typeReg); err == nil && label == noLabel {
			t.Error("label", label)
		}
	})
}

func BenchmarkLabel(b *testing.B) {
	p, err := Open(os.DirFS("/"))
	if err != nil || p.Name == "" {
		b.Skip("no policy: ", err)
	}
	var paths []string
	filepath.WalkDir("/usr", func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		if len(paths) == 20000 {
			return fs.SkipAll
		}
		return nil
	})
	b.ResetTimer()
	for i := range b.N {
		if _, err := p.Label(paths[i%len(paths)], typeReg); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(paths)), "paths")
}
