package testcase

import (
	"compress/gzip"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rpmostree/rpmmd"
	"rpmostree/solv"
)

// realRepo adds a repository of real metadata to a pool.
func realRepo(t testing.TB, p *solv.Pool, name string) *solv.Repo {
	t.Helper()
	dir := os.Getenv("RPMOSTREE_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "data", "rpmmd", name, "repodata", "*-primary.xml.gz"))
	if len(files) != 1 {
		t.Skipf("no shared metadata of %s", name)
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	deps := func(list []rpmmd.Dep) []solv.Dep {
		out := make([]solv.Dep, len(list))
		for i, d := range list {
			out[i] = solv.Dep{Name: d.Name, Op: d.Op, EVR: d.EVR, Pre: d.Pre}
		}
		return out
	}
	r := p.AddRepo(name, 99, 1000)
	err = rpmmd.ParsePrimary(z, func(k *rpmmd.Package) error {
		pkg := solv.Package{Name: k.Name, Arch: k.Arch, EVR: k.EVR.String(), Vendor: k.Vendor, BuildTime: k.BuildTime,
			Provides: deps(k.Provides), Requires: deps(k.Requires), Conflicts: deps(k.Conflicts), Obsoletes: deps(k.Obsoletes),
			Recommends: deps(k.Recommends), Suggests: deps(k.Suggests), Supplements: deps(k.Supplements), Enhances: deps(k.Enhances)}
		for _, f := range k.Files {
			pkg.Files = append(pkg.Files, f.Path)
		}
		r.Add(pkg)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const realHeader = `poolflags implicitobsoleteusescolors
solverflags keeporphans bestobeypolicy yumobsoletes allowvendorchange allowdowngrade
`

// realCase writes real repositories and some random requests as one case with several runs.
func realCase(t *testing.T, dir string, runs int) {
	p := solv.NewPool("x86_64")
	var text strings.Builder
	var names []string
	for _, name := range []string{"cs9-appstream", "cs9-baseos"} {
		r := realRepo(t, p, name)
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteTestTags(f, p, r); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "repo %s -99.-1000 testtags %s\n", name, name)
		for _, id := range r.IDs() {
			names = append(names, p.Info(id).Name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	rng := rand.New(rand.NewSource(3))
	text.WriteString("system x86_64 rpm\n")
	for i := range runs {
		if i > 0 {
			text.WriteString("nextjob\n")
		}
		text.WriteString(realHeader)
		for range 1 + rng.Intn(10) {
			text.WriteString("job install name " + names[rng.Intn(len(names))] + "\n")
		}
		text.WriteString("result transaction,problems /dev/null\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "case.t"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRealUniverse compares answers about 18,774 real packages with libsolv's.
func TestRealUniverse(t *testing.T) {
	tool, err := exec.LookPath("testsolv")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if testing.Short() {
		t.Skip("reads 50 MB of metadata")
	}
	const runs = 6
	dir := t.TempDir()
	realCase(t, dir, runs)
	out, err := exec.Command(tool, "-r", filepath.Join(dir, "case.t")).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := make([][]string, runs+2)
	at := 0
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSuffix(line, "\n")
		if _, err := fmt.Sscanf(line, "test %d:", &at); err != nil && at < len(want) {
			want[at] = append(want[at], line)
		}
	}
	n, lines := 0, 0
	err = Run(os.DirFS(dir), "case.t", func(st *Step) error {
		n++
		got := st.Solve()
		lines += len(got)
		if d := Diff(want[n], got); d != "" {
			t.Errorf("run %d:\n%s", n, d)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d runs, %d lines", n, lines)
}

func BenchmarkAdd(b *testing.B) {
	p := solv.NewPool("x86_64")
	r := realRepo(b, p, "cs9-appstream")
	var pkgs []solv.Package
	for _, id := range r.IDs() {
		k := p.Package(id)
		for _, l := range [][]solv.Dep{k.Provides, k.Requires, k.Conflicts, k.Obsoletes, k.Recommends, k.Suggests, k.Supplements, k.Enhances} {
			for i := range l {
				l[i].Ref = 0
			}
		}
		pkgs = append(pkgs, k)
	}
	for b.Loop() {
		q := solv.NewPool("x86_64")
		s := q.AddRepo("r", 99, 1000)
		for i := range pkgs {
			s.Add(pkgs[i])
		}
	}
}

func BenchmarkSolve(b *testing.B) {
	p := solv.NewPool("x86_64")
	p.SetFlags(solv.PoolFlags{ImplicitObsoletesUseColors: true})
	realRepo(b, p, "cs9-appstream")
	realRepo(b, p, "cs9-baseos")
	var jobs []solv.Job
	for _, n := range []string{"httpd", "vim-enhanced", "podman", "gnome-shell", "gcc"} {
		jobs = append(jobs, solv.Job{Action: solv.Install, Select: solv.SelectName(p.Intern(n))})
	}
	for b.Loop() {
		solv.Solve(p, jobs, solv.LibdnfOptions())
	}
}
