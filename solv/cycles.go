package solv

// roots tells for each node of a graph whether it is in a strongly connected component that no
// edge from another component leads to. edges has the nodes that each node has an edge to. The
// nodes in without are as if they were not there; they are no roots.
func roots(edges [][]int, without []bool) []bool {
	c := components{edges: edges, low: make([]int, len(edges)), next: 1}
	for i := range without {
		if without[i] {
			c.low[i] = -1
		}
	}
	for i := range edges {
		if c.low[i] == 0 {
			c.first, c.stack = c.next, c.stack[:0]
			c.visit(i)
		}
	}
	root := make([]bool, len(edges))
	for i, low := range c.low {
		root[i] = low > 0
	}
	return root
}

// components finds strongly connected components (Tarjan). low is 0 before a visit, -1 in
// components that an edge leads to, else the number of the component's first node.
type components struct {
	edges [][]int
	low   []int
	stack []int
	first int // number of the first node of this search
	next  int
}

func (c *components) visit(node int) {
	me := c.next
	c.next++
	c.low[node] = me
	start := len(c.stack)
	c.stack = append(c.stack, node)
	for _, i := range c.edges[node] {
		if c.low[i] == 0 {
			c.visit(i)
		}
		switch l := c.low[i]; {
		case l < 0:
		case l < c.first: // the root of an earlier search is one no more, with its component
			for j := range c.low {
				if c.low[j] == l {
					c.low[j] = -1
				}
			}
		case l < c.low[node]:
			c.low[node] = l
		}
	}
	if c.low[node] != me {
		return
	}
	mark := me
	if me != c.first {
		mark = -1
	}
	for _, i := range c.stack[start:] {
		c.low[i] = mark
	}
	c.stack = c.stack[:start]
}
