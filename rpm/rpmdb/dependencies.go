package rpmdb

import (
	"cmp"
	"fmt"
	"strings"

	"rpmostree/rpm"
)

// dependencies finds packages by their dependencies.
type dependencies struct {
	provides   map[string][]owned
	files      map[string][]*rpm.Header
	conflicts  map[string][]owned // by the names in them
	conditions map[string][]owned // requirements by what they are conditional on
	obsoletes  map[string][]owned
	byName     map[string][]*rpm.Header
}

// owned is a dependency of a package; of rpm itself if by is nil.
type owned struct {
	dep rpm.Dep
	by  *rpm.Header
}

func (db *DB) newDependencies() *dependencies {
	d := &dependencies{
		provides: map[string][]owned{}, files: map[string][]*rpm.Header{}, conflicts: map[string][]owned{},
		conditions: map[string][]owned{}, obsoletes: map[string][]owned{}, byName: map[string][]*rpm.Header{},
	}
	for _, p := range db.packages {
		d.byName[p.Header.Name()] = append(d.byName[p.Header.Name()], p.Header)
		for _, dep := range p.Header.Obsoletes() {
			d.obsoletes[dep.Name] = append(d.obsoletes[dep.Name], owned{dep, p.Header})
		}
		for _, dep := range p.Header.Provides() {
			d.provides[dep.Name] = append(d.provides[dep.Name], owned{dep, p.Header})
		}
		for _, dep := range p.Header.Conflicts() {
			for _, name := range append(rpm.RichNames(dep.Name), dep.Name) {
				d.conflicts[name] = append(d.conflicts[name], owned{dep, p.Header})
			}
		}
		for _, dep := range p.Header.Requires() {
			for _, name := range rpm.RichNames(dep.Name) {
				if name, ok := strings.CutPrefix(name, "!"); ok {
					d.conditions[name] = append(d.conditions[name], owned{dep, p.Header})
				}
			}
		}
		states := p.Header.Binary(rpm.TagFileStates)
		for i, path := range p.Header.Paths() {
			if i >= len(states) || FileState(states[i]) != FileNotInstalled {
				d.files[path] = append(d.files[path], p.Header)
			}
		}
	}
	for _, f := range rpm.Features() {
		d.provides[f.Name] = append(d.provides[f.Name], owned{f, nil})
	}
	return d
}

// holders is a set of packages; nil stands for rpm itself.
type holders map[*rpm.Header]bool

// of returns the packages that satisfy a plain dependency.
func (d *dependencies) of(dep rpm.Dep) holders {
	out := holders{}
	for _, p := range d.provides[dep.Name] {
		if dep.MatchedBy(p.dep) {
			out[p.by] = true
		}
	}
	if strings.HasPrefix(dep.Name, "/") && dep.Range().Op == 0 {
		for _, h := range d.files[dep.Name] {
			out[h] = true
		}
	}
	return out
}

// packages returns those that satisfy a part of a rich dependency, for operators
// that look at single packages.
func (d *dependencies) packages(r rpm.Rich) holders {
	switch r.Op {
	case "":
		return d.of(r.Dep)
	case rpm.RichOr:
		out := holders{}
		for _, o := range r.Operands {
			for h := range d.packages(o) {
				out[h] = true
			}
		}
		return out
	case rpm.RichWith, rpm.RichWithout:
		out := d.packages(r.Operands[0])
		for _, o := range r.Operands[1:] {
			other := d.packages(o)
			for h := range out {
				if other[h] != (r.Op == rpm.RichWith) {
					delete(out, h)
				}
			}
		}
		return out
	}
	return nil
}

// holds says whether a rich dependency is satisfied. As a conflict, "unless" is
// what "if" is for a requirement.
func (d *dependencies) holds(r rpm.Rich) bool {
	switch r.Op {
	case rpm.RichAnd:
		for _, o := range r.Operands {
			if !d.holds(o) {
				return false
			}
		}
		return true
	case rpm.RichOr:
		for _, o := range r.Operands {
			if d.holds(o) {
				return true
			}
		}
		return false
	case rpm.RichIf, rpm.RichUnless:
		if d.holds(r.Operands[1]) == (r.Op == rpm.RichIf) {
			return d.holds(r.Operands[0])
		}
		if len(r.Operands) == 3 {
			return d.holds(r.Operands[2])
		}
		return r.Op == rpm.RichIf
	}
	return len(d.packages(r)) > 0
}

// satisfied says whether a requirement is met.
func (d *dependencies) satisfied(dep rpm.Dep) bool {
	if !dep.IsRich() {
		return len(d.of(dep)) > 0
	}
	r, err := rpm.ParseRich(dep.Name)
	return err == nil && d.holds(r)
}

// conflict returns whether a conflict of the package h is there.
func (d *dependencies) conflict(h *rpm.Header, dep rpm.Dep) bool {
	if dep.IsRich() {
		r, err := rpm.ParseRich(dep.Name)
		return err == nil && d.holds(r)
	}
	for other := range d.of(dep) {
		if other != h {
			return true
		}
	}
	return false
}

// Unsatisfied returns what is wrong with the dependencies of package h, in rpm's
// words: what it requires and nothing provides, what it conflicts with or
// obsoletes, and which packages conflict with it, obsolete it, or may not be with it
// without something else.
func (v *Verifier) Unsatisfied(h *rpm.Header) []string {
	if v.deps == nil {
		v.deps = v.db.newDependencies()
	}
	var out []string
	told := map[string]bool{}
	add := func(dep rpm.Dep, what string, by *rpm.Header) {
		s := fmt.Sprintf("%v %s (installed) %s", dep, what, nevra(by))
		if !told[s] {
			told[s] = true
			out = append(out, s)
		}
	}
	const needed, conflicts, obsoleted = "is needed by", "conflicts with", "is obsoleted by"
	for _, dep := range h.Requires() {
		if dep.Flags&rpm.DepMissingOK == 0 && !v.deps.satisfied(dep) {
			add(dep, needed, h)
		}
	}
	for _, dep := range h.Conflicts() {
		if v.deps.conflict(h, dep) {
			add(dep, conflicts, h)
		}
	}
	for _, dep := range h.Obsoletes() {
		for _, other := range v.deps.byName[dep.Name] {
			if other != h && obsoletes(dep, other) {
				add(dep, obsoleted, h)
			}
		}
	}
	// What others say about something that the package has.
	others := func(name string) {
		for _, c := range v.deps.conflicts[name] {
			if c.by != h && v.deps.conflict(c.by, c.dep) {
				add(c.dep, conflicts, c.by)
			}
		}
		for _, c := range v.deps.conditions[name] {
			if c.by != h && !v.deps.satisfied(c.dep) {
				add(c.dep, needed, c.by)
			}
		}
	}
	for _, p := range h.Provides() {
		others(p.Name)
	}
	for _, c := range v.deps.obsoletes[h.Name()] {
		if c.by != h && obsoletes(c.dep, h) {
			add(c.dep, obsoleted, c.by)
		}
	}
	for _, path := range h.Paths() {
		others(path)
	}
	return out
}

// obsoletes says whether a package is what dep obsoletes. What it provides does not
// count.
func obsoletes(dep rpm.Dep, h *rpm.Header) bool {
	return dep.MatchedBy(rpm.Dep{Name: h.Name(), Flags: rpm.DepEqual, EVR: h.EVR().String()})
}

// Report returns what "rpm -V" prints for a package, one line each, without line
// ends: about its dependencies, its files, or both. It does not run the package's
// %verify script.
func (v *Verifier) Report(h *rpm.Header, deps, files bool) []string {
	var out []string
	if deps {
		if list := v.Unsatisfied(h); len(list) > 0 {
			out = append(out, fmt.Sprintf("Unsatisfied dependencies for %s:", nevra(h)))
			for _, s := range list {
				out = append(out, "\t"+s)
			}
		}
	}
	if files {
		for _, d := range v.Files(h) {
			out = append(out, d.String())
		}
	}
	return out
}

// nevra names a package as rpm's messages do.
func nevra(h *rpm.Header) string {
	epoch := ""
	if e, ok := h.Epoch(); ok {
		epoch = fmt.Sprintf("%d:", e)
	}
	return fmt.Sprintf("%s-%s%s-%s.%s", h.Name(), epoch, h.Version(), h.Release(), cmp.Or(h.String(rpm.TagArch), "noarch"))
}
