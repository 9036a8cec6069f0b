package solv

import "slices"

// normal is a rich dependency in normal form: always true, always false, or blocks of literals
// (packages, negative = not installed), each sorted ascending. In conjunctive form one literal of
// every block must hold, in disjunctive form all literals of one block.
type normal struct {
	truth  int8 // 1 always true, 0 never, -1 see blocks
	blocks [][]int32
}

var (
	always = normal{truth: 1}
	never  = normal{truth: 0}
)

// richMode says which normal form is wanted.
type richMode struct {
	disjunctive bool
	byName      bool // match package names instead of provides
}

// maxRichLiterals bounds the normal form of one dependency; a larger one counts as never true.
const maxRichLiterals = 1 << 20

// isRich reports whether d needs a normal form; alternatives of simple dependencies are just a
// longer list of providers.
func (p *Pool) isRich(d Ref) bool {
	for d.isRel() && d > 0 {
		r := p.rel(d)
		switch r.op {
		case OpAnd, OpIf, OpUnless:
			return true
		case OpOr:
			if p.isRich(r.left) {
				return true
			}
			d = r.right
		default:
			return false
		}
	}
	return false
}

// normalize returns the conjunctive (or disjunctive) normal form of d.
func (p *Pool) normalize(d Ref, m richMode) normal {
	if !p.isRich(d) {
		return p.normalizeSimple(d, m)
	}
	r := p.rel(d)
	cond, alt := r.right, Ref(0)
	if r.op == OpIf || r.op == OpUnless {
		if cond.isRel() && p.rel(cond).op == OpElse {
			cond, alt = p.rel(cond).left, p.rel(cond).right
		}
	}
	switch r.op {
	case OpIf: // left or not cond, and then cond or alt
		n := p.or(p.normalize(r.left, m), p.negated(cond, m), m)
		if alt != 0 {
			n = p.and(n, p.or(p.normalize(cond, m), p.normalize(alt, m), m), m)
		}
		return n
	case OpUnless: // left and not cond, or else cond and alt
		n := p.and(p.normalize(r.left, m), p.negated(cond, m), m)
		if alt != 0 {
			n = p.or(n, p.and(p.normalize(cond, m), p.normalize(alt, m), m), m)
		}
		return n
	case OpOr:
		return p.or(p.normalize(r.left, m), p.normalize(r.right, m), m)
	}
	return p.and(p.normalize(r.left, m), p.normalize(r.right, m), m)
}

func (p *Pool) normalizeSimple(d Ref, m richMode) normal {
	list := p.whatProvides(d)
	if len(list) == 0 {
		return never
	}
	if list[0] == System {
		return always
	}
	if m.byName {
		list = filterIDs(list, func(id ID) bool { return p.matchNEVR(&p.sols[id], d) })
		if len(list) == 0 {
			return never
		}
	}
	if !m.disjunctive {
		return normal{-1, [][]int32{list}}
	}
	n := normal{truth: -1}
	for i := range list {
		n.blocks = append(n.blocks, list[i:i+1])
	}
	return n
}

// negated returns "not d" in form m: the other normal form with every literal turned.
func (p *Pool) negated(d Ref, m richMode) normal {
	m.disjunctive = !m.disjunctive
	return p.normalize(d, m).invert()
}

func (n normal) invert() normal {
	if n.truth >= 0 {
		return normal{truth: 1 - n.truth}
	}
	out := normal{-1, make([][]int32, len(n.blocks))}
	for i, b := range n.blocks {
		inv := make([]int32, len(b))
		for j, l := range b {
			inv[len(b)-1-j] = -l
		}
		out.blocks[i] = inv
	}
	return out
}

func (p *Pool) or(a, b normal, m richMode) normal {
	switch {
	case a.truth == 1 || b.truth == 1:
		return always
	case a.truth == 0:
		return b
	case b.truth == 0:
		return a
	case m.disjunctive:
		return normal{-1, slices.Concat(a.blocks, b.blocks)}
	}
	return distribute(a, b, always)
}

func (p *Pool) and(a, b normal, m richMode) normal {
	switch {
	case a.truth == 0 || b.truth == 0:
		return never
	case a.truth == 1:
		return b
	case b.truth == 1:
		return a
	case !m.disjunctive:
		return normal{-1, slices.Concat(a.blocks, b.blocks)}
	}
	return distribute(a, b, never)
}

// distribute multiplies out two lists of blocks. Blocks with a package and its negation say
// nothing and are left out; empty is the result if none is left.
func distribute(a, b normal, empty normal) normal {
	out := normal{truth: -1}
	size := 0
	for _, x := range a.blocks {
		for _, y := range b.blocks {
			z := mergeIDs(x, y)
			if contradicts(z) {
				continue
			}
			if size += len(z); size > maxRichLiterals {
				return never
			}
			out.blocks = append(out.blocks, z)
		}
	}
	if len(out.blocks) == 0 {
		return empty
	}
	return out
}

// contradicts reports that a sorted block holds a literal and its negation.
func contradicts(b []int32) bool {
	i, j := 0, len(b)-1
	for i < j {
		switch {
		case -b[i] == b[j]:
			return true
		case -b[i] > b[j]:
			i++
		default:
			j--
		}
	}
	return false
}

// positive appends to q all packages that could help to fulfil the rich dependency d.
func (p *Pool) positive(d Ref, q []ID, neg bool) []ID {
	for d.isRel() && d > 0 && p.rel(d).op.boolean() {
		r := p.rel(d)
		q = p.positive(r.left, q, neg)
		d = r.right
		if r.op == OpIf || r.op == OpUnless {
			neg = !neg
			if d.isRel() && p.rel(d).op == OpElse {
				e := p.rel(d)
				q = p.positive(e.left, q, !neg)
				q = p.positive(e.right, q, !neg)
				d = e.left
			}
		}
	}
	if !neg {
		q = append(q, p.whatProvides(d)...)
	}
	return q
}
