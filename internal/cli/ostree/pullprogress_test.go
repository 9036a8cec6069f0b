package ostree

import (
	"strings"
	"testing"
	"time"
)

func TestTerminalProgress(t *testing.T) {
	var b strings.Builder
	p := &terminalProgress{w: &b, every: time.Hour}
	task := p.Begin("Receiving objects")
	for i := range uint64(4) {
		task.Update(i+1, 4) // the second and third come too early
	}
	task.Update(0, 0)
	p.Message("a word")
	task.End("")
	want := clearLine + "Receiving objects: 25% (1/4)" + clearLine + "Receiving objects: 100% (4/4)" + clearLine + "a word\n" + clearLine
	if b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
