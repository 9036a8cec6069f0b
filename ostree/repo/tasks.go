package repo

import (
	"context"
	"runtime"
	"sync"
)

// tasks bounds the goroutines that work on one tree. Work that finds no free
// slot is done by who asked for it, so that neither memory nor goroutines grow
// with the size of the tree.
type tasks struct {
	ctx   context.Context
	slots chan struct{}
	deep  sync.Mutex // of the one goroutine that is below deepLevel
}

// deepLevel is so far below the root that hardly a tree goes there. Each level that a
// goroutine is below the root takes a descriptor: below this one there is one goroutine only.
// With N slots that makes at most N*deepLevel+tree.MaxDepth descriptors, within the usual 1024
// for four slots; the soft limit, which the Go runtime raises to the hard one, must allow the
// rest where there are more processors and all goroutines are that deep at once.
const deepLevel = 32

// newTasks allows twice as many goroutines as there are processors: half of
// them may wait for the disk.
func newTasks(ctx context.Context) *tasks {
	return &tasks{ctx: ctx, slots: make(chan struct{}, max(4, 2*runtime.GOMAXPROCS(0)))}
}

// run calls f as the first task.
func (t *tasks) run(f func() error) error {
	t.slots <- struct{}{}
	defer func() { <-t.slots }()
	return f()
}

// at calls f, which works on a directory that is depth levels below the root.
func (t *tasks) at(depth int, f func() error) error {
	if depth == deepLevel {
		t.deep.Lock()
		defer t.deep.Unlock()
	}
	return f()
}

// A group is the part of the work that one task waits for.
type group struct {
	t       *tasks
	alone   bool // nobody helps
	wg      sync.WaitGroup
	spawned bool
	mu      sync.Mutex
	err     error
}

// group is for what is in a directory depth levels below the root.
func (t *tasks) group(depth int) *group { return &group{t: t, alone: depth >= deepLevel} }

func (g *group) fail(err error) {
	if err == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
	}
}

func (g *group) failed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = context.Cause(g.t.ctx)
	}
	return g.err
}

// do runs f in a new goroutine if there is a free slot, else at once. After a
// failure it does nothing.
func (g *group) do(f func() error) {
	if g.failed() != nil {
		return
	}
	if g.alone {
		g.fail(f())
		return
	}
	select {
	case g.t.slots <- struct{}{}:
		g.spawned = true
		g.wg.Go(func() {
			defer func() { <-g.t.slots }()
			g.fail(f())
		})
	default:
		g.fail(f())
	}
}

// wait returns the first error. The slot of the caller is free meanwhile.
func (g *group) wait() error {
	if g.spawned {
		<-g.t.slots
		g.wg.Wait()
		g.t.slots <- struct{}{}
	}
	return g.failed()
}
