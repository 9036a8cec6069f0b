package testcase

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"rpmostree/solv"
)

func TestWriteTestTags(t *testing.T) {
	const text = `=Ver: 3.0
=Pkg: a 1 2 noarch
=Req: b >= 2
=Req: (b & c) | d
=Prq: /bin/sh
=Prv: a = 1-2
=Prv: x(y) = 1
=Con: \2fbin/a < 2
=Sup: p <IF> (q <ELSE> r)
=Vnd: V e
=Tim: 5
=Fls: /usr/bin/a
=Pkg: b 1 - -
`
	p := solv.NewPool("")
	r := p.AddRepo("r", 0, 0)
	AddTestTags(p, r, text)
	var b strings.Builder
	if err := WriteTestTags(&b, p, r); err != nil {
		t.Fatal(err)
	}
	if b.String() != text {
		t.Errorf("got\n%s", b.String())
	}
}

// TestWriteCase writes random cases anew and expects the same answers of them, here and from
// testsolv.
func TestWriteCase(t *testing.T) {
	tool, err := exec.LookPath("testsolv")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	for seed := range int64(20) {
		dir := t.TempDir()
		fsys := fstest.MapFS{"case.t": {Data: []byte(randomCase(seed))}}
		var want []string
		err := Run(fsys, "case.t", func(st *Step) error {
			want = st.Solve()
			c := Case{Pool: st.Pool, Arch: "x86_64", Flags: st.Flags, Jobs: st.Jobs, Options: st.Options}
			return c.Write(dir)
		})
		if err != nil {
			t.Fatal(err)
		}
		err = Run(os.DirFS(dir), "testcase.t", func(st *Step) error {
			if len(st.Ignored) > 0 {
				t.Errorf("seed %d: %v", seed, st.Ignored)
			}
			if d := Diff(want, st.Solve()); d != "" {
				t.Errorf("seed %d:\n%s", seed, d)
			}
			if d := Diff(want, st.Want); d != "" {
				t.Errorf("seed %d: not what was written:\n%s", seed, d)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if tool == "" {
			continue
		}
		out, err := exec.Command(tool, "-r", filepath.Join(dir, "testcase.t")).Output()
		if err != nil {
			t.Fatal(err)
		}
		theirs := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		if d := Diff(only(want), only(theirs)); d != "" {
			t.Errorf("seed %d: testsolv:\n%s", seed, d)
		}
	}
}
