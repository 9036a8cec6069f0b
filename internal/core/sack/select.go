package sack

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"rpmostree/rpm/evr"
	"rpmostree/solv"
)

// Select returns what a request names: packages by NAME, NAME.ARCH, NEVRA or a
// part of it, or a capability ("perl(Foo) >= 2"), a path, or a rich expression.
// The packages are those it fits now; none means that nothing has it.
func (s *Sack) Select(request string) (solv.Selection, []solv.ID) {
	try := func(sel solv.Selection) ([]solv.ID, bool) {
		ids := s.Pool.Selected(sel)
		return ids, len(ids) > 0
	}
	for _, sel := range s.byName(request) {
		if ids, ok := try(sel); ok {
			return sel, ids
		}
	}
	dep, err := s.Pool.ParseDep(request)
	if err != nil {
		return solv.Selection{}, nil
	}
	sel := solv.SelectProvides(dep)
	ids, _ := try(sel)
	return sel, ids
}

// byName returns the readings of a request as the name of a package, in the
// order in which they are tried.
func (s *Sack) byName(request string) []solv.Selection {
	if strings.HasPrefix(request, "/") || strings.HasPrefix(request, "(") {
		return nil
	}
	p := s.Pool
	sels := []solv.Selection{solv.SelectName(p.Intern(request))}
	withArch := func(dep solv.Ref, arch string) solv.Selection {
		return solv.SelectName(p.Relate(dep, solv.OpArch, p.Intern(arch)))
	}
	if i := strings.LastIndexByte(request, '.'); i > 0 {
		sels = append(sels, withArch(p.Intern(request[:i]), request[i+1:]))
	}
	if n, err := evr.ParseNEVRA(request); err == nil {
		for _, dep := range s.versions(n.Name, n.EVR.String()) {
			sels = append(sels, withArch(dep, n.Arch))
		}
	}
	// NAME-VERSION-RELEASE and NAME-VERSION: every dash may be the one.
	for i := len(request) - 1; i > 0; i-- {
		if request[i] == '-' {
			for _, dep := range s.versions(request[:i], request[i+1:]) {
				sels = append(sels, solv.SelectName(dep))
			}
		}
	}
	return sels
}

// versions returns the dependencies on one version of a name. As for dnf, a version without an
// epoch is about any: about those that packages of the name have, the highest first.
func (s *Sack) versions(name, version string) (deps []solv.Ref) {
	var epochs []uint32
	if !strings.Contains(version, ":") {
		for _, id := range s.Pool.Selected(solv.SelectName(s.Pool.Intern(name))) {
			if n := evr.Parse(s.Pool.Package(id).EVR).Epoch; n > 0 {
				epochs = append(epochs, n)
			}
		}
	}
	slices.Sort(epochs)
	for _, n := range slices.Backward(slices.Compact(epochs)) {
		deps = append(deps, s.named(name, fmt.Sprintf("%d:%s", n, version)))
	}
	return append(deps, s.named(name, version))
}

// named returns the dependency on one version of a name.
func (s *Sack) named(name, version string) solv.Ref {
	return s.Pool.Relate(s.Pool.Intern(name), solv.RelOp(evr.EQ), s.Pool.Intern(version))
}

// Matches reports whether one of the patterns names the package: a shell
// pattern for its name, NAME.ARCH, NAME-EVR, NAME-[EPOCH:]VERSION or NEVRA. As for dnf, a
// pattern without an epoch is about any.
func Matches(patterns []string, n evr.NEVRA) bool {
	if len(patterns) == 0 {
		return false
	}
	forms := []string{n.Name, n.Name + "." + n.Arch}
	for _, n.HasEpoch = range []bool{false, true} {
		version := n.EVR
		version.Release = ""
		forms = append(forms, n.Name+"-"+n.EVR.String(), n.Name+"-"+version.String(), n.String())
	}
	return slices.ContainsFunc(patterns, func(p string) bool {
		return slices.ContainsFunc(forms, func(f string) bool {
			ok, err := path.Match(p, f)
			return err == nil && ok
		})
	})
}

// NEVRA returns what identifies a package of the pool.
func (s *Sack) NEVRA(id solv.ID) evr.NEVRA {
	i := s.Pool.Info(id)
	return evr.NEVRA{Name: i.Name, EVR: evr.Parse(i.EVR), Arch: i.Arch}
}
