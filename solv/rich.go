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

// maxRichWork bounds the literals and operators that are handled to find the normal form of one
// dependency, which can grow exponentially. One that needs more counts as never true.
const maxRichWork = 1 << 20

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
	n := normalizer{pool: p, byName: m.byName, work: maxRichWork}
	nf := n.dep(d, m.disjunctive)
	if n.work < 0 {
		return never
	}
	return nf
}

type normalizer struct {
	pool   *Pool
	byName bool
	work   int // left to do; negative = too much
}

// dep returns the disjunctive (dnf) or conjunctive form of d.
func (n *normalizer) dep(d Ref, dnf bool) normal {
	p := n.pool
	if n.work--; n.work < 0 {
		return never
	}
	if !p.isRich(d) {
		return n.simple(d, dnf)
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
		nf := n.or(n.dep(r.left, dnf), n.dep(cond, !dnf).invert(), dnf)
		if alt != 0 {
			nf = n.and(nf, n.or(n.dep(cond, dnf), n.dep(alt, dnf), dnf), dnf)
		}
		return nf
	case OpUnless: // left and not cond, or else cond and alt
		nf := n.and(n.dep(r.left, dnf), n.dep(cond, !dnf).invert(), dnf)
		if alt != 0 {
			nf = n.or(nf, n.and(n.dep(cond, dnf), n.dep(alt, dnf), dnf), dnf)
		}
		return nf
	case OpOr:
		return n.or(n.dep(r.left, dnf), n.dep(r.right, dnf), dnf)
	}
	return n.and(n.dep(r.left, dnf), n.dep(r.right, dnf), dnf)
}

func (n *normalizer) simple(d Ref, dnf bool) normal {
	p := n.pool
	list := p.whatProvides(d)
	if len(list) == 0 {
		return never
	}
	if list[0] == System {
		return always
	}
	if n.byName {
		list = filterIDs(list, func(id ID) bool { return p.matchNEVR(&p.sols[id], d) })
		if len(list) == 0 {
			return never
		}
	}
	if !dnf {
		return normal{-1, [][]int32{list}}
	}
	nf := normal{truth: -1}
	for i := range list {
		nf.blocks = append(nf.blocks, list[i:i+1])
	}
	return nf
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

func (n *normalizer) or(a, b normal, dnf bool) normal {
	switch {
	case a.truth == 1 || b.truth == 1:
		return always
	case a.truth == 0:
		return b
	case b.truth == 0:
		return a
	case dnf:
		return n.concat(a, b)
	}
	return n.distribute(a, b, always)
}

func (n *normalizer) and(a, b normal, dnf bool) normal {
	switch {
	case a.truth == 0 || b.truth == 0:
		return never
	case a.truth == 1:
		return b
	case b.truth == 1:
		return a
	case !dnf:
		return n.concat(a, b)
	}
	return n.distribute(a, b, never)
}

func (n *normalizer) concat(a, b normal) normal {
	if n.work -= len(a.blocks) + len(b.blocks); n.work < 0 {
		return never
	}
	return normal{-1, slices.Concat(a.blocks, b.blocks)}
}

// distribute multiplies out two lists of blocks. Blocks with a package and its negation say
// nothing and are left out; empty is the result if none is left.
func (n *normalizer) distribute(a, b normal, empty normal) normal {
	out := normal{truth: -1}
	for _, x := range a.blocks {
		for _, y := range b.blocks {
			if n.work -= len(x) + len(y); n.work < 0 {
				return never
			}
			if z := mergeIDs(x, y); !contradicts(z) {
				out.blocks = append(out.blocks, z)
			}
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

// positive returns all packages that could help to fulfil the rich dependency d.
func (p *Pool) positive(d Ref) []ID {
	n := normalizer{pool: p, work: maxRichWork}
	return n.positive(d, nil, false)
}

func (n *normalizer) positive(d Ref, q []ID, neg bool) []ID {
	p := n.pool
	for d.isRel() && d > 0 && p.rel(d).op.boolean() {
		if n.work--; n.work < 0 {
			return q
		}
		r := p.rel(d)
		q = n.positive(r.left, q, neg)
		d = r.right
		if r.op == OpIf || r.op == OpUnless {
			neg = !neg
			if d.isRel() && p.rel(d).op == OpElse {
				e := p.rel(d)
				q = n.positive(e.left, q, !neg)
				q = n.positive(e.right, q, !neg)
				d = e.left
			}
		}
	}
	if list := p.whatProvides(d); !neg && n.work > 0 {
		n.work -= len(list)
		q = append(q, list...)
	}
	return q
}
