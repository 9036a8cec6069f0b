package solv

import (
	"math"
	"slices"
	"strings"

	"rpmostree/rpm/evr"
)

// Order returns the packages of a transaction in the order in which rpm would handle them: first
// those that come, each after what it requires, then those that go, each before what it
// requires. In a circle of requirements those needed by scripts (Dep.Pre) are kept if possible.
// The result does not depend on the order of the steps.
func (p *Pool) Order(t *Transaction) []ID {
	in, out := t.Installed(), t.Erased()
	return append(p.orderInstalls(in, false), p.orderInstalls(out, true)...)
}

// Order is Pool.Order of the result's transaction.
func (r *Result) Order() []ID { return r.s.pool.Order(&r.Transaction) }

// orderNode is a package in the graph of requirements.
type orderNode struct {
	id       ID
	color    uint8
	before   []orderEdge // packages that have to come before this one, latest first
	after    []orderEdge // packages that have to come after
	waiting  int         // of before, not yet emitted
	circle   int         // number of the circle, 1 = in none
	low, dfs int
	distance int
	done     bool
}

type orderEdge struct {
	to  int
	pre bool
}

// orderCircle is a set of packages that require each other.
type orderCircle struct {
	members []int
	waiting int // requirements on packages outside that are not emitted yet
}

type orderGraph struct {
	pool    *Pool
	erase   bool
	nodes   []orderNode
	index   map[ID]int
	circles []orderCircle // from 2
	stack   []int
	counter int
	queue   []int
	out     []ID
}

// orderInstalls orders packages that come or, with erase, that go.
func (p *Pool) orderInstalls(ids []ID, erase bool) []ID {
	g := orderGraph{pool: p, erase: erase, index: make(map[ID]int, len(ids)), circles: make([]orderCircle, 2)}
	ids = slices.Clone(ids)
	slices.SortFunc(ids, p.compareNEVRA)
	for i, id := range ids {
		g.index[id] = i
		g.nodes = append(g.nodes, orderNode{id: id, color: p.fileColor(id)})
	}
	for i := range g.nodes {
		g.addEdges(i)
	}
	for i := range g.nodes {
		if g.nodes[i].dfs == 0 {
			g.findCircles(i)
		}
	}
	g.sort()
	return g.out
}

func (p *Pool) compareNEVRA(a, b ID) int {
	x, y := &p.sols[a], &p.sols[b]
	if c := strings.Compare(p.strs.get(x.name), p.strs.get(y.name)); c != 0 {
		return c
	}
	if c := evr.CompareStrings(p.strs.get(x.evr), p.strs.get(y.evr)); c != 0 {
		return c
	}
	if c := strings.Compare(p.strs.get(x.arch), p.strs.get(y.arch)); c != 0 {
		return c
	}
	return int(a - b)
}

// fileColor is the word size of a package's programs, as far as the architecture tells; 0 = none.
func (p *Pool) fileColor(id ID) uint8 {
	s := p.strs.get(p.sols[id].arch)
	switch {
	case s == "noarch" || s == "":
		return 0
	case s == "s390x" || strings.Contains(s, "64"):
		return color64
	}
	return color32
}

const preferredColor = color64

func (g *orderGraph) addEdges(i int) {
	s := &g.pool.sols[g.nodes[i].id]
	pre := false
	for _, d := range g.pool.list(s, depRequires) {
		if d == preMarker {
			pre = true
			continue
		}
		g.addDep(i, d, pre)
	}
	for _, d := range g.pool.list(s, depOrder) {
		g.addDep(i, d, false)
	}
}

// addDep adds an edge for a dependency. Of a rich one the parts count that can be a requirement.
func (g *orderGraph) addDep(i int, d Ref, pre bool) {
	p := g.pool
	if d.isRel() {
		switch r := p.rel(d); r.op {
		case OpAnd, OpOr:
			g.addDep(i, r.left, pre)
			g.addDep(i, r.right, pre)
			return
		case OpIf, OpUnless:
			g.addDep(i, r.left, pre)
			if r.right.isRel() && p.rel(r.right).op == OpElse {
				g.addDep(i, p.rel(r.right).right, pre)
			}
			return
		case OpWith, OpWithout:
			g.addDep(i, r.left, pre)
			return
		}
	}
	best, score := -1, -1
	want := g.nodes[i].color
	if want == 0 {
		want = preferredColor
	}
	for _, id := range p.whatProvides(d) {
		j, ok := g.index[id]
		if !ok {
			continue
		}
		n := 0
		if g.nodes[j].color == want {
			n += 2
		}
		if j == i {
			n++
		}
		if n > score || n == score && j < best {
			best, score = j, n
		}
	}
	if best >= 0 && best != i {
		g.addEdge(i, best, pre)
	}
}

// addEdge records that i requires j. When packages go, i has to go first.
func (g *orderGraph) addEdge(i, j int, pre bool) {
	if g.erase {
		i, j = j, i
	}
	a, b := &g.nodes[i], &g.nodes[j]
	for k := range a.before {
		if a.before[k].to == j {
			a.before[k].pre = a.before[k].pre || pre
			for l := range b.after {
				if b.after[l].to == i {
					b.after[l].pre = b.after[l].pre || pre
				}
			}
			return
		}
	}
	a.waiting++
	a.before = append(a.before, orderEdge{j, pre})
	b.after = append(b.after, orderEdge{i, pre})
}

// each goes through edges, the latest first.
func each(edges []orderEdge, f func(e orderEdge)) {
	for _, e := range slices.Backward(edges) {
		f(e)
	}
}

// findCircles finds the strongly connected components (Tarjan) that can be reached from a node.
// The recursion is as deep as the longest chain of requirements.
func (g *orderGraph) findCircles(i int) {
	g.counter++
	n := &g.nodes[i]
	n.dfs, n.low = g.counter, g.counter
	g.stack = append(g.stack, i)
	each(n.after, func(e orderEdge) {
		o := &g.nodes[e.to]
		switch {
		case o.dfs == 0:
			g.findCircles(e.to)
			n.low = min(n.low, o.low)
		case o.circle == 0:
			n.low = min(n.low, o.dfs)
		}
	})
	if n.low != n.dfs {
		return
	}
	start := slices.Index(g.stack, i)
	members := slices.Clone(g.stack[start:])
	g.stack = g.stack[:start]
	if len(members) == 1 {
		n.circle = 1
		return
	}
	nr := len(g.circles)
	c := orderCircle{members: members}
	for _, m := range members {
		g.nodes[m].circle = nr
	}
	for _, m := range members {
		c.waiting += g.nodes[m].waiting
		for _, e := range g.nodes[m].after {
			if g.nodes[e.to].circle == nr {
				c.waiting--
			}
		}
	}
	g.circles = append(g.circles, c)
}

// enqueue inserts a package that is ready: before those with as many or fewer successors, other
// colours than the preferred one behind when packages come, before when they go.
func (g *orderGraph) enqueue(q []int, i int) []int {
	n := &g.nodes[i]
	tail := n.color != 0 && (n.color != preferredColor) != g.erase
	at := len(q)
	for k, j := range q {
		if tail && n.color != g.nodes[j].color {
			continue
		}
		if len(g.nodes[j].after) <= len(n.after) {
			at = k
			break
		}
	}
	return slices.Insert(q, at, i)
}

func (g *orderGraph) sort() {
	for i := range g.nodes {
		if g.nodes[i].waiting == 0 {
			g.queue = g.enqueue(g.queue, i)
		}
	}
	for _, c := range g.circles[2:] {
		if c.waiting == 0 {
			g.queue = g.enqueue(g.queue, c.members[0])
		}
	}
	for len(g.queue) > 0 {
		i := g.queue[0]
		g.queue = g.queue[1:]
		if g.nodes[i].circle > 1 {
			g.emitCircle(g.nodes[i].circle)
		} else {
			g.queue = g.emit(i, g.queue)
		}
	}
}

// emit puts a package out and queues what it was waited for by: members of the same circle in q,
// which is returned, others in the graph's queue (which may be the same).
func (g *orderGraph) emit(i int, q []int) []int {
	n := &g.nodes[i]
	g.out = append(g.out, n.id)
	inner := n.circle > 1
	each(n.after, func(e orderEdge) {
		o := &g.nodes[e.to]
		if o.done || e.to == i {
			return
		}
		outside := inner && o.circle != n.circle
		ready := false
		if o.waiting--; o.waiting == 0 {
			ready = true
		}
		if ready && !outside {
			q = g.enqueue(q, e.to)
		} else if ready {
			g.queue = g.enqueue(g.queue, e.to)
		}
		if o.circle > 1 && o.circle != n.circle {
			c := &g.circles[o.circle]
			if c.waiting--; c.waiting == 0 {
				if inner {
					g.queue = g.enqueue(g.queue, e.to)
				} else {
					q = g.enqueue(q, e.to)
				}
			}
		}
	})
	n.done = true
	return q
}

// emitCircle puts out all members of a circle together. It starts where the requirement that has
// to be ignored is farthest from one that scripts need.
func (g *orderGraph) emitCircle(nr int) {
	members := g.circles[nr].members
	g.measure(nr)
	for {
		best, score := -1, 0
		for _, i := range members {
			if n := &g.nodes[i]; !n.done && n.distance >= score {
				best, score = i, n.distance
			}
		}
		if best < 0 {
			return
		}
		q := []int{best}
		for len(q) > 0 {
			i := q[0]
			q = g.emit(i, q[1:])
		}
	}
}

// measure computes how far each member of a circle is from one that a script's requirement binds.
func (g *orderGraph) measure(nr int) {
	members := g.circles[nr].members
	var q []int
	for _, i := range members {
		n := &g.nodes[i]
		n.distance = math.MaxInt
		each(n.before, func(e orderEdge) {
			if e.pre && g.nodes[e.to].circle == nr && n.distance != 0 {
				n.distance = 0
				q = append(q, i)
			}
		})
	}
	for len(q) > 0 {
		i := q[0]
		q = q[1:]
		each(g.nodes[i].before, func(e orderEdge) {
			o := &g.nodes[e.to]
			if o.circle == nr && o.distance > g.nodes[i].distance+1 {
				o.distance = g.nodes[i].distance + 1
				q = append(q, e.to)
			}
		})
	}
}
