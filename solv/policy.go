package solv

import (
	"slices"
	"strings"

	"rpmostree/rpm/evr"
)

// filterMode says how candidates are pruned and sorted.
type filterMode uint8

const (
	modeChoose          filterMode = iota // one of them will be installed
	modeChooseNoReorder                   // as modeChoose, to see whether there is a choice at all
	modeRecommend                         // those that may be installed for a weak dependency
	modeSuggest                           // those shown as suggestions
	modeSupplement                        // all will be tried, best first
)

// filter removes candidates that others are better than, and sorts the rest, best first. It may
// change list in place.
func (s *solver) filter(list []ID, mode filterMode) []ID {
	if mode == modeSupplement {
		s.dislikeOld(list)
		s.sortByProvides(list)
		s.localesFirst(list)
		s.preferSuggested(list)
		s.preferFavored(list)
		return list
	}
	if s.favor != nil && len(list) > 1 {
		for _, id := range list[1:] {
			if s.favor[id] != s.favor[list[0]] {
				return s.filterByFavor(list, mode)
			}
		}
	}
	return s.filterEqual(list, mode)
}

// filterByFavor filters per group of equally favored packages, with the more favored as rivals.
func (s *solver) filterByFavor(list []ID, mode filterMode) []ID {
	sorted := slices.Clone(list)
	s.preferFavored(sorted)
	var out []ID
	for start := 0; start < len(sorted); {
		f := s.favor[sorted[start]]
		end := start + 1
		for end < len(sorted) && s.favor[sorted[end]] == f {
			end++
		}
		for _, id := range s.filterEqual(slices.Clone(sorted[:end]), mode) {
			if s.favor[id] == f {
				out = append(out, id)
			}
		}
		start = end
	}
	return out
}

func (s *solver) filterEqual(list []ID, mode filterMode) []ID {
	if len(list) > 1 {
		if mode != modeSuggest {
			list = s.pruneToPriority(list)
		} else {
			list = s.pruneToPriorityByName(list)
		}
	}
	if len(list) > 1 {
		list = s.pruneToArch(list)
	}
	if len(list) > 1 {
		list = s.pruneToVersion(list)
	}
	if len(list) > 1 && (mode == modeChoose || mode == modeChooseNoReorder) {
		list = s.pruneToRecommended(list)
		if len(list) > 1 && mode == modeChoose {
			s.dislikeOld(list)
			s.sortByProvides(list)
			s.installedFirst(list)
			s.localesFirst(list)
			s.preferSuggested(list)
			s.preferFavored(list)
		}
	}
	return list
}

func (s *solver) pruneToPriority(list []ID) []ID {
	p := s.pool
	best, have := 0, false
	for _, id := range list {
		if !s.isInstalled(id) && (!have || p.repoOf(&p.sols[id]).priority > best) {
			best, have = p.repoOf(&p.sols[id]).priority, true
		}
	}
	if have {
		n := 0
		for _, id := range list {
			if s.isInstalled(id) || p.repoOf(&p.sols[id]).priority == best {
				list[n] = id
				n++
			}
		}
		list = list[:n]
	}
	if len(list) > 1 && p.installed != nil && (s.dupAll || s.dupInvolved != nil) {
		list = s.pruneInstalledDup(list)
	}
	return list
}

// pruneInstalledDup treats installed packages of a DistUpgrade as what they are in the
// repositories: if not there with the best priority, they are no candidates.
func (s *solver) pruneInstalledDup(list []ID) []ID {
	p := s.pool
	i := slices.IndexFunc(list, func(id ID) bool { return !s.isInstalled(id) })
	if i < 0 {
		return list
	}
	best := p.repoOf(&p.sols[list[i]]).priority
	var out []ID
	for _, id := range list {
		sol := &p.sols[id]
		if !s.isInstalled(id) && p.repoOf(sol).priority < best {
			continue
		}
		if s.isInstalled(id) && s.inDup(id) {
			keep := false
			for _, o := range p.whatProvides(sol.name) {
				os := &p.sols[o]
				if s.isInstalled(o) || os.evr != sol.evr || os.repo == noRepo || p.repoOf(os).priority < best || !p.identical(sol, os) {
					continue
				}
				keep = true
				if p.repoOf(os).priority > best {
					best, out = p.repoOf(os).priority, out[:0]
				}
			}
			if !keep {
				continue
			}
		}
		out = append(out, id)
	}
	if len(out) == 0 {
		return list
	}
	return out
}

func (s *solver) pruneToPriorityByName(list []ID) []ID {
	p := s.pool
	s.sortForVersion(list)
	var out []ID
	for start := 0; start < len(list); {
		end := start + 1
		for end < len(list) && p.sols[list[end]].name == p.sols[list[start]].name {
			end++
		}
		group := slices.Clone(list[start:end])
		if len(group) > 2 {
			group = s.pruneToPriority(group)
		}
		out = append(out, group...)
		start = end
	}
	return out
}

func (s *solver) pruneToArch(list []ID) []ID {
	p := s.pool
	if p.arch.any {
		return list
	}
	best := uint32(0)
	for _, id := range list {
		if r := p.archRank(p.sols[id].arch); r > 1 && (best == 0 || r < best) {
			best = r
		}
	}
	if best == 0 {
		return list
	}
	out := filterIDs(list, func(id ID) bool {
		r := p.archRank(p.sols[id].arch)
		return id == System || r == 1 || r != 0 && (r^best)&0xffff0000 == 0
	})
	if len(out) == 0 {
		return list
	}
	return out
}

// sortForVersion groups by name, and sorts better architectures, installed packages and cheaper
// repositories first.
func (s *solver) sortForVersion(list []ID) {
	p := s.pool
	slices.SortStableFunc(list, func(a, b ID) int {
		x, y := &p.sols[a], &p.sols[b]
		if x.name != y.name {
			return strings.Compare(p.strs.get(x.name), p.strs.get(y.name))
		}
		if x.arch != y.arch {
			if ra, rb := p.archRank(x.arch), p.archRank(y.arch); ra != rb && ra > 1 && rb > 1 {
				return order(ra < rb)
			}
		}
		if ia, ib := s.isInstalled(a), s.isInstalled(b); ia != ib {
			return order(ia)
		}
		if p.repoOf(x).sub != p.repoOf(y).sub {
			return p.repoOf(y).sub - p.repoOf(x).sub
		}
		return int(a - b)
	})
}

func order(less bool) int {
	if less {
		return -1
	}
	return 1
}

// pruneToVersion keeps the best version of every name, and of those drops packages that others
// obsolete.
func (s *solver) pruneToVersion(list []ID) []ID {
	p := s.pool
	if len(list) < 2 {
		return list
	}
	s.sortForVersion(list)
	n := 0
	best := list[0]
	for _, id := range list[1:] {
		b, sol := &p.sols[best], &p.sols[id]
		if b.name != sol.name {
			list[n] = best
			n++
			best = id
		} else if p.compareEVR(b.evr, sol.evr) < 0 {
			best = id
		}
	}
	list[n] = best
	list = list[:n+1]
	if len(list) > 1 {
		list = s.pruneObsoleted(list)
	}
	return list
}

// pruneObsoleted drops packages that others of the list obsolete. Packages that obsolete each
// other, in a circle, count as one.
func (s *solver) pruneObsoleted(list []ID) []ID {
	if !slices.ContainsFunc(list, func(id ID) bool { return s.pool.has(&s.pool.sols[id], depObsoletes) }) {
		return list
	}
	if len(list) == 2 {
		a, b := s.obsoletesOther(list[0], list[1]), s.obsoletesOther(list[1], list[0])
		if a != b {
			if b {
				list[0] = list[1]
			}
			return list[:1]
		}
		return list
	}
	edges := make([][]int, len(list))
	for i, id := range list {
		for j, other := range list {
			if i != j && s.obsoletesOther(id, other) {
				edges[i] = append(edges[i], j)
			}
		}
	}
	n := 0
	for i, root := range roots(edges, nil) {
		if root {
			list[n] = list[i]
			n++
		}
	}
	return list[:n]
}

func (s *solver) obsoletesOther(a, b ID) bool {
	p := s.pool
	x, y := &p.sols[a], &p.sols[b]
	if x.name == y.name {
		return false
	}
	for _, d := range p.list(x, depObsoletes) {
		if contains(p.whatProvides(d), b) && p.obsoletesBy(x, d, y) {
			return true
		}
	}
	return false
}

func (s *solver) pruneToRecommended(list []ID) []ID {
	fresh := 0
	for _, id := range list {
		if !s.isInstalled(id) {
			fresh++
		}
	}
	if fresh < 2 {
		return list
	}
	s.catchUpRecommended()
	wanted := func(id ID) bool { return s.isRecommended(id) }
	if !slices.ContainsFunc(list, func(id ID) bool { return !s.isInstalled(id) && wanted(id) }) {
		return list
	}
	return filterIDs(list, func(id ID) bool { return s.isInstalled(id) || wanted(id) })
}

// moveBack moves the packages for which bad holds to the end, keeping the order.
func moveBack(list []ID, bad func(ID) bool) {
	var last []ID
	n := 0
	for _, id := range list {
		if bad(id) {
			last = append(last, id)
		} else {
			list[n] = id
			n++
		}
	}
	copy(list[n:], last)
}

// dislikeOld moves packages of which there are better builds elsewhere to the end.
func (s *solver) dislikeOld(list []ID) {
	p := s.pool
	moveBack(list, func(id ID) bool {
		sol := &p.sols[id]
		if sol.repo == noRepo || s.isInstalled(id) {
			return false
		}
		for _, o := range p.whatProvides(sol.name) {
			os := &p.sols[o]
			if o == id || os.name != sol.name || os.arch != sol.arch {
				continue
			}
			if p.repoOf(sol).priority != p.repoOf(os).priority {
				if p.repoOf(sol).priority > p.repoOf(os).priority {
					continue
				}
				return true
			}
			if p.compareEVR(os.evr, sol.evr) > 0 {
				return true
			}
		}
		return false
	})
}

// namedVersion is a versioned provide of the candidate at a place in the list.
type namedVersion struct {
	at   int
	name Ref
	evr  Ref
	less bool
}

// sortByProvides moves a package back for every versioned provide that another candidate has in
// a better version.
func (s *solver) sortByProvides(list []ID) {
	p := s.pool
	var all []namedVersion
	for i, id := range list {
		for _, d := range p.list(&p.sols[id], depProvides) {
			if !d.isRel() {
				continue
			}
			r := p.rel(d)
			op := evr.Op(r.op)
			if op != evr.EQ && op != evr.EQ|evr.LT && op != evr.LT || r.right.isRel() {
				continue
			}
			if op == evr.EQ && isDigest(p.strs.raw(r.right)) {
				continue
			}
			all = append(all, namedVersion{i, r.left, r.right, op == evr.LT})
		}
	}
	if len(all) < 2 {
		return
	}
	slices.SortStableFunc(all, s.compareNamed)
	badness := make([]int, len(list))
	bad, any := 0, false
	for i := range all {
		switch {
		case i == 0 || all[i].name != all[i-1].name:
			bad = 0
		case all[i].at != all[i-1].at && s.compareNamed(all[i-1], all[i]) == -1:
			bad++
			any = true
		}
		badness[all[i].at] += bad
	}
	if !any {
		return
	}
	for i, id := range list {
		if s.isInstalled(id) {
			badness[i] = 0
		}
	}
	for i := 1; i < len(list); i++ { // stable insertion sort by badness
		for j := i; j > 0 && badness[j-1] > badness[j]; j-- {
			badness[j-1], badness[j] = badness[j], badness[j-1]
			list[j-1], list[j] = list[j], list[j-1]
		}
	}
}

// compareNamed sorts by name, then the higher version first.
func (s *solver) compareNamed(a, b namedVersion) int {
	if a.name != b.name {
		return order(a.name < b.name)
	}
	if a.evr == b.evr && a.less == b.less {
		return 0
	}
	r := s.pool.matchCompare(b.evr, a.evr)
	if r == 0 && a.less != b.less {
		return order(b.less)
	}
	return r
}

// isDigest recognises build ids and other checksums.
func isDigest(v []byte) bool {
	if len(v) < 4 {
		return false
	}
	for _, c := range v {
		if !('a' <= c && c <= 'f' || '0' <= c && c <= '9') {
			return false
		}
	}
	return true
}

// installedFirst moves names that are installed to the front.
func (s *solver) installedFirst(list []ID) {
	p := s.pool
	if p.installed == nil {
		return
	}
	moveBack(list, func(id ID) bool {
		name := p.sols[id].name
		return !s.isInstalled(id) && !slices.ContainsFunc(p.whatProvides(name), func(o ID) bool {
			return s.isInstalled(o) && p.sols[o].name == name
		})
	})
}

// localesFirst sorts by how well packages fit the locales and kernels of the system, if that is wanted.
func (s *solver) localesFirst(list []ID) {
	if !s.opts.LocaleOrder {
		return
	}
	fit := make(map[ID]int, len(list))
	for _, id := range list {
		fit[id] = s.localeFit(id)
	}
	slices.SortStableFunc(list, func(a, b ID) int { return fit[b] - fit[a] })
}

// How well a package fits.
const (
	fitNot       = iota // it is for a locale that is not there
	fitAny              // for none
	fitEnglish          // for what most people can read
	fitInstalled        // for a locale or kernel that is installed
	fitDecided          // or will be
)

func (s *solver) localeFit(id ID) int {
	p := s.pool
	sol := &p.sols[id]
	if kernel := kernelOf(p.strs.get(sol.name)); kernel != "" {
		if ref := p.strs.lookup(kernel); ref != 0 {
			return s.presence(ref, fitAny)
		}
		return fitAny
	}
	fit := fitAny
	for _, d := range p.list(sol, depRequires) {
		if d == preMarker {
			continue
		}
		_, locale, ok := strings.Cut(p.strs.get(p.baseName(d)), "locales-")
		if !ok {
			continue
		}
		if !strings.HasPrefix(locale, "en") {
			return s.presence(p.baseName(d), fitNot)
		}
		fit = fitEnglish
	}
	return fit
}

// presence says whether what provides a name is decided to be there, or is installed.
func (s *solver) presence(name Ref, otherwise int) int {
	for _, id := range s.pool.whatProvides(name) {
		if s.level[id] > 0 {
			return fitDecided
		}
		if s.isInstalled(id) {
			otherwise = fitInstalled
		}
	}
	return otherwise
}

// kernelOf returns the kernel that a package belongs to by its name, which is of the form
// "kernel-FLAVOR-devel-VERSION-RELEASE" or "NAME-kernel-VERSION-FLAVOR-RELEASE".
func kernelOf(name string) string {
	if strings.HasPrefix(name, "kernel-") {
		if before, after, ok := strings.Cut(name, "-devel-"); ok {
			return before + "-" + after
		}
		return ""
	}
	_, rest, ok := strings.Cut(name, "-kernel-")
	version, rest, ok2 := strings.Cut(rest, "-")
	flavor, release, ok3 := strings.Cut(rest, "-")
	if !ok || !ok2 || !ok3 || len(version) < 2 || version[0] < '0' || version[0] > '9' || version[1] != '.' {
		return ""
	}
	return "kernel-" + flavor + "-" + version + "-" + release
}

func (s *solver) preferSuggested(list []ID) {
	s.catchUpRecommended()
	moveBack(list, func(id ID) bool {
		return !s.isInstalled(id) && !s.suggested.has(id) && !s.enhances(id)
	})
}

func (s *solver) preferFavored(list []ID) {
	if s.favor != nil && len(list) > 1 {
		slices.SortStableFunc(list, func(a, b ID) int { return int(s.favor[b] - s.favor[a]) })
	}
}

// replacesInstalled reports that a package is, or replaces, an installed one that is not in skip.
func (s *solver) replacesInstalled(id ID, skip bitmap) bool {
	p := s.pool
	sol := &p.sols[id]
	counts := func(o ID) bool { return s.isInstalled(o) && !skip.has(o) }
	if counts(id) {
		return true
	}
	for _, o := range p.whatProvides(sol.name) {
		if counts(o) && p.sols[o].name == sol.name && !(p.flags.ImplicitObsoletesUseColors && !p.sameColor(sol, &p.sols[o])) {
			return true
		}
	}
	for _, d := range p.list(sol, depObsoletes) {
		for _, o := range p.whatProvides(d) {
			if counts(o) && p.obsoletesBy(sol, d, &p.sols[o]) {
				return true
			}
		}
	}
	return false
}

func (s *solver) preferReplacing(list []ID) []ID {
	if out := filterIDs(list, func(id ID) bool { return s.replacesInstalled(id, s.noUpdate) }); len(out) > 0 {
		return out
	}
	return list
}

// orderForInstalled sorts candidates as if all installed packages would stay: what they suggest,
// then what they recommend comes first.
func (s *solver) orderForInstalled(level int32, list []ID) []ID {
	p := s.pool
	decided := len(s.decisions)
	var pretend []ID
	for _, id := range s.installed() {
		if s.noUpdate.has(id) || s.level[id] != 0 {
			continue
		}
		if sol := &p.sols[id]; p.has(sol, depRecommends) || p.has(sol, depSuggests) {
			s.decisions = append(s.decisions, id)
		}
		s.level[id] = level + 1
		pretend = append(pretend, id)
	}
	if len(pretend) == 0 {
		return list
	}
	s.updateRecommended()
	moveBack(list, func(id ID) bool { return !s.isInstalled(id) && !s.suggested.has(id) && !s.enhances(id) })
	moveBack(list, func(id ID) bool { return !s.isInstalled(id) && !s.isRecommended(id) })
	for _, id := range pretend {
		s.level[id] = 0
	}
	if len(s.decisions) != decided {
		s.weakIndex = -1
		s.decisions = s.decisions[:decided]
	}
	s.preferFavored(list)
	return list
}

// pruneYumObsoletes keeps one of packages that will be installed together anyway.
func (s *solver) pruneYumObsoletes(list []ID) []ID {
	for i := 0; i+1 < len(list); i++ {
		id := list[i]
		if id == 0 || !s.pool.has(&s.pool.sols[id], depObsoletes) {
			continue
		}
		partners := bitmap(nil)
		for n := s.yumobs.start; n < s.yumobs.end; n++ {
			if s.rules[n].p == -id {
				for _, l := range s.rules[n].rest {
					if l > 0 {
						s.markBit(&partners, l)
					}
				}
			}
		}
		for j := i + 1; j < len(list); j++ {
			if partners.has(list[j]) {
				list[j] = 0
			}
		}
	}
	return slices.DeleteFunc(list, func(id ID) bool { return id == 0 })
}
