package ostree

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// A console shows on one line of a terminal how far something is, as upstream does. Where the
// output is no terminal, counts become lines of their own, and texts are left out.
type console struct {
	e     *env
	every time.Duration // between two updates

	mu   sync.Mutex
	open bool // the line has begun
	last time.Time
	most int // the largest count so far
}

const (
	terminalPause = time.Second / 5 // between two updates of a terminal
	linePause     = time.Second     // between two lines

	saveCursor, restoreCursor = "\x1b7", "\x1b8"

	// barColumns is how wide the bar is that shows a count, with its brackets and percents.
	barColumns, barBrackets, barPercents = 20, 2, 5
)

func (e *env) console() *console {
	c := &console{e: e, every: linePause}
	if e.terminal {
		c.every = terminalPause
	}
	return c
}

// count shows that n of total are done. What comes late is not shown.
func (c *console) count(what string, n, total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n < c.most {
		return
	}
	c.most = n
	if n < total && !c.due() {
		return
	}
	what = fmt.Sprintf("%s (%d/%d)", what, n, total)
	percent := int(float64(n) / float64(total) * 100)
	if !c.e.terminal {
		c.e.printf("%s %d%%\n", what, percent)
		_ = c.e.flush() // a failure shows up at the end
		return
	}
	what = what[:max(min(len(what), c.e.columns-barColumns/2), 0)]
	inside := max(min(barColumns, c.e.columns-len(what)-1)-barBrackets-barPercents, 0)
	full := int(float64(inside) * float64(percent) / 100)
	c.write(fmt.Sprintf("%s [%s%s] %3d%%", what, strings.Repeat("=", full), strings.Repeat(" ", inside-full), percent))
}

// text shows what something is at, as far as the line has room. The last one is shown in any
// case.
func (c *console) text(text string, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.e.terminal && (last || c.due()) {
		line := []rune(text)
		line = line[:min(len(line), c.e.columns)]
		c.write(string(line) + strings.Repeat(" ", c.e.columns-len(line)))
	}
}

// due tells whether it is time for another update.
func (c *console) due() bool {
	now := time.Now()
	if !c.last.IsZero() && now.Sub(c.last) < c.every {
		return false
	}
	c.last = now
	return true
}

func (c *console) write(text string) {
	if !c.open {
		c.open = true
		c.e.printf(saveCursor)
	}
	c.e.printf("%s%s", restoreCursor, text)
	_ = c.e.flush() // a failure shows up at the end
}

// end goes on below the line, if there is one.
func (c *console) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close()
}

func (c *console) close() {
	if c.open {
		c.open = false
		c.e.printf("\n")
	}
}

// message prints text below the line, which begins anew after it.
func (c *console) message(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close()
	c.e.printf("%s\n", text)
	_ = c.e.flush() // a failure shows up at the end
}
