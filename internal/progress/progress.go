// Package progress is how long operations tell what they do. The operation
// calls a Sink; what the user sees (a terminal, a D-Bus signal, nothing) is
// the caller's choice.
package progress

// A Sink receives the progress of one operation. Methods may be called from
// several goroutines at once.
type Sink interface {
	// Message reports one complete line, without a newline.
	Message(text string)
	// Begin starts a task that is named by text, such as "Writing rpmdb". The
	// returned Task must be ended.
	Begin(text string) Task
}

// A Task is a part of an operation that takes a while.
type Task interface {
	// Update reports that done of total units are finished. A total of zero
	// means that the total is not known.
	Update(done, total uint64)
	// End ends the task. The text, if not empty, is the result to show
	// in place of "done".
	End(text string)
}

// Discard is a Sink that shows nothing.
var Discard Sink = discard{}

type discard struct{}

func (discard) Message(string)        {}
func (discard) Begin(string) Task     { return discard{} }
func (discard) Update(uint64, uint64) {}
func (discard) End(string)            {}
