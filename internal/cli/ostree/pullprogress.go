package ostree

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"rpmostree/internal/progress"
	"rpmostree/ostree/sign"

	"golang.org/x/term"
)

// terminalProgress shows on one line of a terminal how far a pull is.
type terminalProgress struct {
	mu    sync.Mutex
	w     io.Writer
	every time.Duration // between two updates
	text  string        // of the task
	last  time.Time
}

const clearLine = "\r\x1b[K"

// terminalProgress returns where progress is to be shown, if it is a terminal.
func (e *env) terminalProgress(every time.Duration) (*terminalProgress, bool) {
	f, ok := e.err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, false
	}
	if every <= 0 {
		every = time.Second
	}
	return &terminalProgress{w: f, every: every}, true
}

// Message prints a line.
func (p *terminalProgress) Message(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "%s%s\n", clearLine, text)
}

// Begin starts a task.
func (p *terminalProgress) Begin(text string) progress.Task {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text, p.last = text, time.Time{}
	return p
}

// Update shows how much is done, now and then.
func (p *terminalProgress) Update(done, total uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if total == 0 || done < total && time.Since(p.last) < p.every {
		return
	}
	p.last = time.Now()
	fmt.Fprintf(p.w, "%s%s: %d%% (%d/%d)", clearLine, p.text, 100*done/total, done, total)
}

// End clears the line.
func (p *terminalProgress) End(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(p.w, clearLine)
	if text != "" {
		fmt.Fprintf(p.w, "%s: %s\n", p.text, text)
	}
}

// signatures shows those of a commit.
func (p *terminalProgress) signatures(res *sign.GPGResult) {
	plural := "s"
	if len(res.Signatures) == 1 {
		plural = ""
	}
	p.Message(fmt.Sprintf("\nGPG: Verification enabled, found %d signature%s:\n%s", len(res.Signatures), plural, res.Describe("  ")))
}
