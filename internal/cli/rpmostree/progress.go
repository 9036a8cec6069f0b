package rpmostree

import (
	"fmt"
	"io"
	"sync"
	"time"

	"rpmostree/internal/progress"
)

// A console shows progress the way rpm-ostree does. Where the output is not a
// terminal, a task is one line, "Writing rpmdb...done", written when the task
// ends, so that lines of different tasks never mix. On a terminal the running
// tasks are the last line, which is rewritten.
type console struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
	running  []*task
	drawn    time.Time
}

// redrawEvery bounds how often a terminal line is rewritten.
const redrawEvery = 100 * time.Millisecond

type task struct {
	console     *console
	text        string
	done, total uint64
}

func (c *console) Message(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	fmt.Fprintln(c.out, text)
	c.draw(true)
}

func (c *console) Begin(text string) progress.Task {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &task{console: c, text: text}
	c.running = append(c.running, t)
	c.draw(true)
	return t
}

func (t *task) Update(done, total uint64) {
	t.console.mu.Lock()
	defer t.console.mu.Unlock()
	t.done, t.total = done, total
	t.console.draw(false)
}

func (t *task) End(text string) {
	c := t.console
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, r := range c.running {
		if r == t {
			c.running = append(c.running[:i], c.running[i+1:]...)
			break
		}
	}
	if text == "" {
		text = "done"
	}
	c.erase()
	fmt.Fprintf(c.out, "%s...%s\n", t.text, text)
	c.draw(true)
}

func (c *console) erase() {
	if c.terminal {
		fmt.Fprint(c.out, "\r\x1b[K")
	}
}

func (c *console) draw(now bool) {
	if !c.terminal || len(c.running) == 0 || (!now && time.Since(c.drawn) < redrawEvery) {
		return
	}
	c.drawn = time.Now()
	t := c.running[len(c.running)-1]
	line := t.text + "..."
	if t.total > 0 {
		line += fmt.Sprintf(" %d%%", min(100, t.done*100/t.total))
	}
	fmt.Fprint(c.out, "\r\x1b[K", line)
}
