package query

import (
	"context"
	"slices"

	"rpmostree/solv"
)

// A Link is one step of an explanation: Package needs what Next has, by Dep.
type Link struct {
	Package string `json:"package"` // NEVRA
	Dep     string `json:"dep,omitempty"`
	Weak    bool   `json:"weak,omitempty"` // a recommendation
	// Supplements says that it is the next package that has the dependency, and supplements this one.
	Supplements bool `json:"supplements,omitempty"`
}

// A Reason says why a package is installed.
type Reason struct {
	Package string `json:"package"` // NEVRA
	// Requested is the request that names the package, "" if none does.
	Requested string `json:"requested,omitempty"`
	// Base reports whether the package is part of the base image.
	Base bool `json:"base"`
	// Chain leads from a requested package, or from one that nothing needs, to
	// this one; the last Link is the package itself. It is nil if the package was
	// requested, or nothing needs it.
	Chain []Link `json:"chain,omitempty"`
	// NeededBy are the installed packages that require it directly.
	NeededBy []string `json:"needed-by,omitempty"`
}

// An Installation says on whose account packages are installed.
type Installation struct {
	Requests []string        // what the user asked for
	Base     map[string]bool // NEVRAs of the base image; nil if that is not known
}

// Why explains why installed packages are installed. Names are patterns as in a
// Filter.
func (x Index) Why(names []string, in Installation) []Reason {
	requested := map[solv.ID]string{}
	for _, r := range in.Requests {
		if _, ids := x.Sack.Select(r); len(ids) > 0 {
			for _, id := range ids {
				if x.Installed(id) {
					requested[id] = r
				}
			}
		}
	}
	needs := x.needs()
	var out []Reason
	list, _ := x.List(context.Background(), Filter{Patterns: names, Installed: true})
	for _, p := range list {
		r := Reason{Package: p.NEVRA, Requested: requested[p.id], Base: in.Base[p.NEVRA]}
		for _, e := range needs[p.id] {
			if n := x.Sack.NEVRA(e.from).String(); !e.weak && !slices.Contains(r.NeededBy, n) {
				r.NeededBy = append(r.NeededBy, n)
			}
		}
		slices.Sort(r.NeededBy)
		if r.Requested == "" {
			r.Chain = x.chain(p.id, needs, requested)
		}
		out = append(out, r)
	}
	return out
}

// A need is an installed package that wants another.
type need struct {
	from        solv.ID
	dep         string
	weak        bool
	supplements bool // the other package has the dependency
}

// needs returns for each installed package who needs it.
func (x Index) needs() map[solv.ID][]need {
	out := map[solv.ID][]need{}
	for _, from := range x.IDs() {
		if !x.Installed(from) {
			continue
		}
		m := x.Sack.Pool.Package(from)
		for i, deps := range [][]solv.Dep{m.Requires, m.Recommends} {
			for _, d := range deps {
				for _, id := range x.providers(depString(d)) {
					if id != from && x.Installed(id) {
						out[id] = append(out[id], need{from: from, dep: depString(d), weak: i == 1})
					}
				}
			}
		}
		for _, d := range m.Supplements {
			for _, id := range x.parts(d.Ref) {
				if id != from {
					out[from] = append(out[from], need{from: id, dep: depString(d), weak: true, supplements: true})
				}
			}
		}
	}
	return out
}

// parts returns the installed packages by which a dependency holds; none if it does not, or only because
// something is not installed.
func (x Index) parts(d solv.Ref) []solv.ID {
	left, op, right, _ := x.Sack.Pool.Relation(d)
	switch op {
	case solv.OpAnd:
		if l, r := x.parts(left), x.parts(right); len(l) > 0 && len(r) > 0 {
			return append(l, r...)
		}
		return nil
	case solv.OpOr:
		return append(x.parts(left), x.parts(right)...)
	case solv.OpIf, solv.OpUnless:
		condition, otherwise := right, solv.Ref(0)
		if c, inner, alternative, _ := x.Sack.Pool.Relation(right); inner == solv.OpElse {
			condition, otherwise = c, alternative
		}
		switch holds := len(x.parts(condition)) > 0; {
		case holds == (op == solv.OpIf):
			return x.parts(left)
		case otherwise != 0:
			return x.parts(otherwise)
		}
		return nil
	}
	ids := slices.Clone(x.Sack.Pool.Providers(d))
	return slices.DeleteFunc(ids, func(id solv.ID) bool { return !x.Installed(id) })
}

// chain finds the shortest way from a requested package to id, or, if there is
// none, from a package that nothing needs. Requirements come before
// recommendations.
func (x Index) chain(id solv.ID, needs map[solv.ID][]need, requested map[solv.ID]string) []Link {
	type step struct {
		need
		next solv.ID
	}
	came := map[solv.ID]step{id: {}}
	queue := []solv.ID{id}
	var root solv.ID
	for i := 0; i < len(queue); i++ {
		at := queue[i]
		if requested[at] != "" {
			root = at
			break
		}
		if len(needs[at]) == 0 && at != id && root == 0 {
			root = at
		}
		for _, weak := range []bool{false, true} {
			for _, n := range needs[at] {
				if _, seen := came[n.from]; !seen && n.weak == weak {
					came[n.from] = step{n, at}
					queue = append(queue, n.from)
				}
			}
		}
	}
	if root == 0 {
		return nil
	}
	var links []Link
	for at := root; at != id; at = came[at].next {
		s := came[at]
		links = append(links, Link{Package: x.Sack.NEVRA(at).String(), Dep: s.dep, Weak: s.weak, Supplements: s.supplements})
	}
	return append(links, Link{Package: x.Sack.NEVRA(id).String()})
}
