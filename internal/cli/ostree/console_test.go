package ostree

import (
	"strings"
	"testing"
	"time"

	"rpmostree/ostree/pull"
)

func TestConsole(t *testing.T) {
	show := func(terminal bool, columns int) string {
		var b strings.Builder
		c := (&env{out: &b, terminal: terminal, columns: columns}).console()
		c.every = time.Hour
		for i := range 15 {
			c.count("fsck objects", i+1, 15) // those in the middle come too early
		}
		c.count("fsck objects", 14, 15) // too late
		c.message("a word")
		c.text("a text", false) // too early
		c.text("the last\u00a0one", true)
		c.end()
		c.end()
		return b.String()
	}
	for _, tt := range []struct {
		name     string
		terminal bool
		columns  int
		want     string
	}{
		{"file", false, 80, "fsck objects (1/15) 6%\nfsck objects (15/15) 100%\na word\n"},
		{
			"terminal", true, 80, "\x1b7\x1b8fsck objects (1/15) [             ]   6%\x1b8fsck objects (15/15) [=============] 100%\na word\n" +
				"\x1b7\x1b8the last\u00a0one" + strings.Repeat(" ", 68) + "\n",
		},
		{"narrow terminal", true, 24, "\x1b7\x1b8fsck objects ( [  ]   6%\x1b8fsck objects ( [==] 100%\na word\n\x1b7\x1b8the last\u00a0one" + strings.Repeat(" ", 12) + "\n"},
		{"no terminal to speak of", true, 2, "\x1b7\x1b8 []   6%\x1b8 [] 100%\na word\n\x1b7\x1b8th\n"},
	} {
		if got := show(tt.terminal, tt.columns); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestPullState(t *testing.T) {
	for _, tt := range []struct {
		s    pull.State
		took time.Duration
		want string
	}{
		{pull.State{Scanned: 3, Scanning: true}, time.Minute, "Scanning metadata: 3"},
		{pull.State{Scanned: 3, Metadata: 3, Scanning: true, AllContent: 9, Transferred: 900}, time.Second / 2, "Receiving metadata objects: 3/(estimating) -/s 900 bytes"},
		{
			pull.State{Scanned: 5, Metadata: 4, Content: 2, AllContent: 8, Transferred: 9000}, 3500 * time.Millisecond,
			"Receiving objects: 50% (6/12) 3.0\u00a0kB/s 9.0\u00a0kB",
		},
		{pull.State{Scanned: 2, Metadata: 2, Transferred: 100}, time.Second, "Receiving objects: 100% (2/2) 100 bytes/s 100 bytes"},
		{pull.State{Metadata: 1, Parts: 1, AllParts: 3, PartBytes: 10_000, AllPartBytes: 730_000}, time.Second, "Receiving delta parts: 1/3 10.0\u00a0kB/730.0\u00a0kB"},
		{
			pull.State{Metadata: 1, Parts: 1, AllParts: 3, PartBytes: 10_000, AllPartBytes: 730_000, Transferred: 200}, 2 * time.Second,
			"Receiving delta parts: 1/3 10.0\u00a0kB/730.0\u00a0kB 100 bytes/s 2 hours 0 minutes 0 seconds remaining",
		},
	} {
		if got := pullState(tt.s, tt.took); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.s, got, tt.want)
		}
	}
	if got := timeText(86400 + 3600 + 61); got != "1 days 1 hours 1 minutes 1 seconds " {
		t.Errorf("%q", got)
	}
}
