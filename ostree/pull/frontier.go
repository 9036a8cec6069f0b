package pull

import (
	"context"
	"sync"

	"rpmostree/internal/progress"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"

	"golang.org/x/sync/errgroup"
)

// A job is an object that is to be fetched or scanned, or another piece of work.
type job struct {
	name  ostree.ObjectName
	depth int                         // of a dirtree below the root; of a commit, ancestors to go
	do    func(context.Context) error // in place of an object
}

// A frontier is the work of one pull: queues that grow while objects are scanned.
// Metadata goes before content, because it tells how much there is.
type frontier struct {
	mu       sync.Mutex
	cond     sync.Cond
	metadata []job
	parts    []job // of deltas
	files    []job
	seen     repo.ObjectSet
	running  int
	applying int // parts
	done     int // files and parts
	total    int
	state    frontierState
	reading  int // metadata
	stopped  bool
	task     progress.Task
	watch    func(frontierState) // may be nil
}

// A frontierState is how far a frontier is.
type frontierState struct {
	scanned  int  // metadata objects
	files    int  // all that were queued
	scanning bool // there is metadata to do
}

// maxParts is how many parts of deltas are unpacked at once (libostree).
const maxParts = 2

func newFrontier(task progress.Task) *frontier {
	f := &frontier{seen: repo.ObjectSet{}, task: task}
	f.cond.L = &f.mu
	return f
}

// add queues a job unless its object was queued before.
func (f *frontier) add(j job) {
	if j.do != nil || f.first(j.name) {
		f.push(j)
	}
}

// first tells whether an object is met for the first time, and notes it.
func (f *frontier) first(n ostree.ObjectName) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen.Add(n.Type, n.Checksum)
}

// push queues a job whatever was queued before.
func (f *frontier) push(j job) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if j.do == nil && j.name.Type == ostree.ObjectFile {
		f.files = append(f.files, j)
		f.total++
		f.state.files++
	} else {
		f.metadata = append(f.metadata, j)
	}
	f.cond.Signal()
}

// addPart queues the work for a part of a delta.
func (f *frontier) addPart(do func(context.Context) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parts = append(f.parts, job{do: do})
	f.total++
	f.cond.Signal()
}

// kind is the queue that a job came from.
type kind uint8

const (
	kindMetadata kind = iota
	kindPart
	kindFile
)

// next waits for a job. It returns false when all are done, or one has failed.
func (f *frontier) next() (job, kind, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		var list *[]job
		var k kind
		switch {
		case f.stopped:
			return job{}, 0, false
		case len(f.metadata) > 0:
			list, k = &f.metadata, kindMetadata
			f.reading++
		case len(f.parts) > 0 && f.applying < maxParts:
			list, k = &f.parts, kindPart
			f.applying++
		case len(f.files) > 0:
			list, k = &f.files, kindFile
		case f.running == 0:
			return job{}, 0, false
		default:
			f.cond.Wait()
			continue
		}
		j := (*list)[len(*list)-1]
		*list = (*list)[:len(*list)-1]
		f.running++
		return j, k, true
	}
}

// end reports a job of next as done.
func (f *frontier) end(k kind, err error) {
	f.mu.Lock()
	f.running--
	if err != nil {
		f.stopped = true
	}
	if k == kindMetadata {
		f.reading--
		f.state.scanned++
	} else {
		f.done++
	}
	if k == kindPart {
		f.applying--
		f.cond.Signal()
	}
	done, total, state := f.done, f.total, f.state
	state.scanning = f.reading+len(f.metadata) > 0
	if f.stopped || f.running == 0 {
		f.cond.Broadcast()
	}
	f.mu.Unlock()
	if k != kindMetadata {
		f.task.Update(uint64(done), uint64(total))
	}
	if f.watch != nil {
		f.watch(state)
	}
}

// stop makes every worker return.
func (f *frontier) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
	f.cond.Broadcast()
}

// work does all jobs, some at once.
func (f *frontier) work(ctx context.Context, workers int, do func(context.Context, job) error) error {
	defer context.AfterFunc(ctx, f.stop)()
	g, ctx := errgroup.WithContext(ctx)
	for range workers {
		g.Go(func() error {
			for {
				j, k, ok := f.next()
				if !ok {
					return context.Cause(ctx)
				}
				err := do(ctx, j)
				f.end(k, err)
				if err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}
