package sysroot

import (
	"fmt"

	"rpmostree/internal/journal"
)

// Kinds of messages, as libostree numbers them: programs look for them in the journal.
const (
	varRelabelID  = "da679b08acd34504b789d96f818ea781"
	configMergeID = "d3863baec13e4449ab0384684a8af3a7"
	completeID    = "dd440e3e549083b63d0efc7dc15255f1"
	finalizingID  = "e8646cd63dff4625b77909a8e7a40994"
)

// message tells the user something.
func (s *Sysroot) message(format string, a ...any) {
	s.opts.Progress.Message(fmt.Sprintf(format, a...))
}

// record is a message that goes to the journal, too.
func (s *Sysroot) record(e journal.Entry) {
	s.journal(e)
	s.opts.Progress.Message(e.Message)
}

// journal writes to the journal, if there is one.
func (s *Sysroot) journal(e journal.Entry) {
	if s.host.journal != "" {
		_ = e.Send(s.host.journal)
	}
}

func field(name string, value any) journal.Field {
	return journal.Field{Name: name, Value: fmt.Sprint(value)}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
