package ostree

import (
	"fmt"
	"strings"
	"time"

	"rpmostree/ostree/pull"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sign"
)

// watch shows on a terminal how far the pull of the options is, and which signatures it finds.
// The caller ends the console.
func (c *console) watch(o *pull.Options, verifier *sign.Verifier) {
	if !c.e.terminal {
		return
	}
	start := time.Now()
	o.Watch = func(s pull.State) { c.text(pullState(s, time.Since(start)), false) }
	if verifier == nil {
		return
	}
	verifier.OnGPG = func(res *sign.GPGResult) {
		plural := "s"
		if len(res.Signatures) == 1 {
			plural = ""
		}
		c.message(fmt.Sprintf("\nGPG: Verification enabled, found %d signature%s:\n%s", len(res.Signatures), plural, res.Describe("  ")))
	}
}

// pullState says what a pull is at, took after its start.
func pullState(s pull.State, took time.Duration) string {
	rate, shown := uint64(0), "-"
	if secs := uint64(took / time.Second); secs > 0 && s.Transferred > 0 { // before, it says nothing
		rate = s.Transferred / secs
		shown = repo.FormatSize(rate)
	}
	fetched := s.Metadata + s.Content
	switch {
	case s.AllParts > 0:
		text := fmt.Sprintf("Receiving delta parts: %d/%d %s/%s", s.Parts, s.AllParts, repo.FormatSize(s.PartBytes), repo.FormatSize(s.AllPartBytes))
		if rate > 0 {
			text += fmt.Sprintf(" %s/s %sremaining", shown, timeText((s.AllPartBytes-min(s.PartBytes, s.AllPartBytes))/rate))
		}
		return text
	case fetched == 0 && s.AllContent == 0:
		return fmt.Sprintf("Scanning metadata: %d", s.Scanned)
	case s.Scanning:
		return fmt.Sprintf("Receiving metadata objects: %d/(estimating) %s/s %s", s.Metadata, shown, repo.FormatSize(s.Transferred))
	}
	all := max(s.Metadata+s.AllContent, 1)
	return fmt.Sprintf("Receiving objects: %d%% (%d/%d) %s/s %s", 100*fetched/all, fetched, all, shown, repo.FormatSize(s.Transferred))
}

// timeText is a number of seconds in words, with a space at the end.
func timeText(secs uint64) string {
	var b strings.Builder
	for _, u := range []struct {
		name      string
		secs, max uint64 // of one unit; of it in the next larger one
	}{{"days", 86400, 1 << 62}, {"hours", 3600, 24}, {"minutes", 60, 60}} {
		if n := secs / u.secs; n > 0 {
			fmt.Fprintf(&b, "%d %s ", n%u.max, u.name)
		}
	}
	fmt.Fprintf(&b, "%d seconds ", secs%60)
	return b.String()
}
