package testcase

import (
	"strconv"
	"strings"

	"rpmostree/solv"
)

// AddTestTags adds the packages of a repository in testtags form. Lines that it does not know are
// skipped.
func AddTestTags(p *solv.Pool, r *solv.Repo, text string) {
	t := tagReader{pool: p, repo: r, self: true}
	multi := "" // tag of a "+Tag:" block
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case multi != "":
			if line == "-"+multi+":" {
				multi = ""
				continue
			}
			t.tag(multi, line)
		case strings.HasPrefix(line, "+") && len(line) > 4 && strings.Contains(line, ":"):
			multi = line[1:strings.IndexByte(line, ':')]
		case len(line) > 4 && line[0] == '=' && line[4] == ':':
			t.tag(line[1:4], strings.TrimPrefix(line[5:], " "))
		}
	}
	t.flush()
}

type tagReader struct {
	pool    *solv.Pool
	repo    *solv.Repo
	version int
	self    bool // packages provide themselves
	open    bool
	pkg     solv.Package
	paths   []string // version 2: paths at the end of the provides are files
}

func (t *tagReader) flush() {
	if !t.open {
		return
	}
	t.open = false
	t.pkg.Files = append(t.pkg.Files, t.paths...)
	if t.self && t.pkg.Arch != "src" && t.pkg.Arch != "nosrc" {
		self := t.pool.Relate(t.pool.Intern(t.pkg.Name), 2, t.pool.Intern(t.pkg.EVR))
		t.pkg.Provides = append(t.pkg.Provides, solv.Dep{Ref: self})
	}
	t.repo.Add(t.pkg)
}

func (t *tagReader) tag(tag, v string) {
	switch tag {
	case "Ver":
		n := 0
		for n < len(v) && '0' <= v[n] && v[n] <= '9' {
			n++
		}
		t.version, _ = strconv.Atoi(v[:n])
		t.self = t.version < 3 || strings.Contains(v, "addselfprovides")
		return
	case "Pkg":
		t.flush()
		f := strings.Fields(v)
		if len(f) != 4 {
			return
		}
		t.open = true
		t.paths = nil
		t.pkg = solv.Package{Name: f[0], EVR: f[1], Arch: f[3]}
		if f[2] != "-" {
			t.pkg.EVR += "-" + f[2]
		}
		if f[3] == "-" {
			t.pkg.Arch = ""
		}
		return
	}
	if t.open {
		t.attribute(tag, v)
	}
}

func (t *tagReader) attribute(tag, v string) {
	k := &t.pkg
	switch tag {
	case "Vnd":
		k.Vendor = v
	case "Tim":
		k.BuildTime, _ = strconv.ParseInt(v, 10, 64)
	case "Req":
		k.Requires = t.dep(k.Requires, v)
	case "Prq":
		k.Requires = t.dep(k.Requires, v)
		if n := len(k.Requires); n > 0 {
			k.Requires[n-1].Pre = true
		}
	case "Prv":
		if t.version == 2 {
			if strings.HasPrefix(v, "/") {
				t.paths = append(t.paths, v)
				return
			}
			for _, f := range t.paths {
				k.Provides = append(k.Provides, solv.Dep{Name: f})
			}
			t.paths = nil
		}
		k.Provides = t.dep(k.Provides, v)
	case "Fls":
		k.Files = append(k.Files, v)
	case "Obs":
		k.Obsoletes = t.dep(k.Obsoletes, v)
	case "Con":
		k.Conflicts = t.dep(k.Conflicts, v)
	case "Rec":
		k.Recommends = t.dep(k.Recommends, v)
	case "Sup":
		k.Supplements = t.dep(k.Supplements, v)
	case "Sug":
		k.Suggests = t.dep(k.Suggests, v)
	case "Enh":
		k.Enhances = t.dep(k.Enhances, v)
	case "Owr":
		k.OrderWithRequires = t.dep(k.OrderWithRequires, v)
	}
}

func (t *tagReader) dep(list []solv.Dep, v string) []solv.Dep {
	var ref solv.Ref
	if strings.HasPrefix(v, "/") {
		ref = t.pool.Intern(v)
	} else {
		ref = ParseDep(t.pool, v)
	}
	if ref == 0 {
		return list
	}
	return append(list, solv.Dep{Ref: ref})
}
