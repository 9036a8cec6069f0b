package sack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rpmostree/rpm"
	"rpmostree/rpm/evr"
	"rpmostree/rpm/rpmdb"
	"rpmostree/rpmmd"
	"rpmostree/solv"
)

// a world is a base and a repository, written as lines "NAME VERSION REQUIRES...". A requirement
// that begins with "!" is a conflict.
type world struct {
	sack *Sack
	jobs []Asked
}

func newWorld(t *testing.T, base, updates string) *world {
	t.Helper()
	w := &world{sack: New("x86_64")}
	var installed []rpmdb.Installed
	for line := range strings.Lines(base) {
		if f := strings.Fields(line); len(f) > 1 {
			installed = append(installed, rpmdb.Installed{Header: header(t, f)})
		}
	}
	w.sack.AddInstalled(installed)
	w.sack.AddRepo("updates", 99, 1000)
	var pkgs []*rpmmd.Package
	for line := range strings.Lines(updates) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		p := &rpmmd.Package{Name: f[0], Arch: "noarch", EVR: evr.Parse(f[1] + "-1")}
		p.Provides = []rpmmd.Dep{{Name: f[0], Op: evr.EQ, EVR: f[1] + "-1"}}
		for _, r := range f[2:] {
			if name, is := strings.CutPrefix(r, "!"); is {
				p.Conflicts = append(p.Conflicts, dep(name))
			} else {
				p.Requires = append(p.Requires, dep(r))
			}
		}
		pkgs = append(pkgs, p)
	}
	w.sack.AddIndex("updates", index(t, pkgs))
	return w
}

// index is the index of a repository's packages.
func index(t *testing.T, pkgs []*rpmmd.Package) *rpmmd.Index {
	t.Helper()
	var primary, out bytes.Buffer
	primary.WriteString(rpmmd.PrimaryHeader(len(pkgs)))
	for _, p := range pkgs {
		p.Checksum = rpmmd.Checksum{Type: "sha256", Hex: fmt.Sprintf("%064x", len(p.Name))}
		p.Location = p.String() + ".rpm"
		if err := p.Write(&primary); err != nil {
			t.Fatal(err)
		}
	}
	primary.WriteString(rpmmd.PrimaryFooter)
	if err := rpmmd.IndexPrimary(&primary, &out, "key"); err != nil {
		t.Fatal(err)
	}
	x, err := rpmmd.OpenIndex(out.Bytes(), "key")
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// dep reads "NAME" or "NAME=VERSION".
func dep(s string) rpmmd.Dep {
	name, version, ok := strings.Cut(s, "=")
	if !ok {
		return rpmmd.Dep{Name: name}
	}
	return rpmmd.Dep{Name: name, Op: evr.EQ, EVR: version + "-1"}
}

func header(t *testing.T, f []string) *rpm.Header {
	t.Helper()
	b := rpm.Builder{Name: f[0], Version: f[1], Release: "1", Arch: "noarch"}
	for _, r := range f[2:] {
		d := dep(r)
		out := rpm.Dep{Name: d.Name}
		if d.Op != 0 {
			out.Flags, out.EVR = rpm.DepEqual, d.EVR
		}
		b.Requires = append(b.Requires, out)
	}
	var file bytes.Buffer
	if err := b.Write(&file); err != nil {
		t.Fatal(err)
	}
	p, err := rpm.Open(&file, rpm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p.Header
}

// explain asks for packages and locks the base, and returns what is said if that cannot be.
func (w *world) explain(t *testing.T, requests ...string) *Explanation {
	t.Helper()
	for _, r := range requests {
		sel, ids := w.sack.Select(r)
		if len(ids) == 0 {
			t.Fatalf("no package %s", r)
		}
		w.jobs = append(w.jobs, Asked{solv.Job{Action: solv.Install, Select: sel}, r})
	}
	for _, id := range w.sack.Pool.Installed().IDs() {
		w.jobs = append(w.jobs, Asked{Job: solv.Job{Action: solv.Lock, Select: solv.SelectPackage(id)}})
	}
	opts := solv.LibdnfOptions()
	opts.AllowUninstall = true
	jobs := make([]solv.Job, len(w.jobs))
	for i := range jobs {
		jobs[i] = w.jobs[i].Job
	}
	_, problems := solv.Solve(w.sack.Pool, jobs, opts)
	if len(problems) == 0 {
		t.Fatal("there is no problem")
	}
	return w.sack.Explain(w.jobs, opts, problems)
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		name, base, updates string
		requests            []string
		want                string
	}{
		{
			"missing", "shell 1", "app 1 lib\nlib 1 nothing nowhere\n", []string{"app"},
			`Blocked: app (requested)
  app-1-1.noarch from updates requires lib
  lib-1-1.noarch from updates needs nothing and nowhere, which nothing provides
`,
		},
		{
			"base in the way", "lib 1\nlib-common 1", "vim 2 lib=2\nlib 2 lib-common=2\nlib-common 2\nother 1\n", []string{"vim", "other"},
			`Blocked: vim (requested)
  vim-2-1.noarch from updates requires lib = 2-1
  lib-2-1.noarch from updates cannot be installed beside base package lib-1-1.noarch
Works if you also replace base package lib-1-1.noarch with lib-2-1.noarch from updates and replace base package lib-common-1-1.noarch with lib-common-2-1.noarch from updates
  rpm-ostree override replace --experimental --from repo=updates lib lib-common
Works without vim
`,
		},
		{
			"two versions of one", "shell 1", "app 1\napp 2\n", []string{"app-1", "app-2"},
			`Blocked: app-1, app-2 (requested)
  app-1-1.noarch from updates cannot be installed beside app-2-1.noarch from updates
Works without app-1
Works without app-2
`,
		},
		{
			"several would do", "shell 1", "app 1 gone\napp 2 lib\nlib-two 1 nothing nowhere lib\nlibrary 1 nothing\n", []string{"app"},
			`Blocked: app (requested)
  app-2-1.noarch from updates needs lib, which nothing provides
  1 other package that would do cannot be installed either
`,
		},
		{
			"conflict with the base", "editor 1", "vim 2 !editor\nother 1\n", []string{"vim", "other"},
			`Blocked: vim (requested)
  vim-2-1.noarch from updates conflicts with base package editor-1-1.noarch
Works if you also remove from the base editor-1-1.noarch
  rpm-ostree override remove editor
Works without vim
`,
		},
		{
			"requests against each other", "shell 1", "a 1 !b\nb 1\n", []string{"a", "b"},
			`Blocked: a, b (requested)
  a-1-1.noarch from updates conflicts with b-1-1.noarch from updates
Works without a
Works without b
`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newWorld(t, c.base, c.updates).explain(t, c.requests...)
			if got := e.Advice(); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if !strings.HasPrefix(e.Error(), "Could not depsolve transaction; 1 problem detected:\n Problem: ") {
				t.Error(e.Error())
			}
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			var back Explanation
			if err := json.Unmarshal(text, &back); err != nil || !slices.Equal(back.Problems[0].Blocked, e.Problems[0].Blocked) {
				t.Error(string(text), err)
			}
		})
	}
}
