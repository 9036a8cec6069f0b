package pull

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"rpmostree/internal/fetch"
	"rpmostree/internal/journal"
	"rpmostree/ostree/repo"
)

// Kinds of messages, as libostree numbers them: programs look for them in the journal.
const (
	fetchCompleteID = "75ba3deb0af041a9a46272ff85d9e73e"
	httpFailureID   = "f02bce89a54e4efab3a94a797d26204a"
)

// record tells the journal how a pull has ended, if it was from a remote of the
// configuration and over the network.
func (p *puller) record(began time.Time, err error) {
	if p.o.Journal == "" || p.m.Name == "" {
		return
	}
	if err == nil {
		if s := p.stats(); s.Transferred > 0 {
			_ = p.completed(s, time.Since(began)).Send(p.o.Journal)
		}
		return
	}
	if e, ok := failed(p.m.Name, err); ok {
		_ = e.Send(p.o.Journal)
	}
}

// completed is the entry for a pull that has succeeded.
func (p *puller) completed(s Stats, took time.Duration) journal.Entry {
	gpg := "disabled"
	switch {
	case p.m.GPGVerifySummary && p.m.GPGVerify:
		gpg = "summary+commit"
	case p.m.GPGVerifySummary:
		gpg = "summary-only"
	case p.m.GPGVerify:
		gpg = "commit"
	}
	signed := "disabled"
	if len(p.m.SignVerify) > 0 {
		signed = "commit"
	}
	var b strings.Builder
	what := fmt.Sprintf("%d refs", len(p.refs()))
	if refs := p.refs(); len(refs) == 1 {
		what = refs[0]
	}
	fmt.Fprintf(&b, "libostree pull from '%s' for %s complete\nsecurity: GPG: %s \nsecurity: SIGN: %s ", p.m.Name, what, gpg, signed)
	if base := p.base.Bases(); len(base) > 0 && strings.HasPrefix(strings.ToLower(base[0]), "http") {
		b.WriteString("http: " + p.security())
	}
	if s.DeltaParts > 0 {
		fmt.Fprintf(&b, "\ndelta: parts: %d loose: %d", s.DeltaParts, s.Metadata+s.Content)
	} else {
		fmt.Fprintf(&b, "\nnon-delta: meta: %d content: %d", s.Metadata, s.Content)
	}
	seconds, size := fmt.Sprint(int(took.Seconds())), repo.FormatSize(s.Transferred)
	fmt.Fprintf(&b, "\ntransfer: secs: %s size: %s", seconds, size)
	return journal.Entry{ID: fetchCompleteID, Message: b.String(), Fields: []journal.Field{
		{Name: "OSTREE_REMOTE", Value: p.m.Name}, {Name: "OSTREE_SIGN", Value: signed}, {Name: "OSTREE_GPG", Value: gpg},
		{Name: "OSTREE_SECONDS", Value: seconds}, {Name: "OSTREE_XFER_SIZE", Value: size},
	}}
}

// refs returns the names of what was pulled.
func (p *puller) refs() (names []string) {
	for _, targets := range p.wanted {
		for _, t := range targets {
			names = append(names, cmp.Or(t.ref, t.sum.String()))
		}
	}
	return names
}

// security says how it is made sure that the server is the right one.
func (p *puller) security() string {
	switch {
	case p.m.NoTLSVerify:
		return "insecure"
	case p.m.TLSCA != "":
		return "CA-pinned"
	}
	return "TLS"
}

// failed is the entry for a transfer that has failed. ok is false if err is about something
// else.
func failed(remote string, err error) (e journal.Entry, ok bool) {
	var transfer remoteError
	var corrupt *repo.CorruptError
	if !errors.As(err, &transfer) || errors.As(err, &corrupt) || errors.Is(err, context.Canceled) {
		return e, false
	}
	where := transfer.path
	var status *fetch.StatusError
	var dial *url.Error
	switch {
	case errors.As(transfer.err, &status):
		where = status.URL
	case errors.As(transfer.err, &dial):
		where = dial.URL
	}
	return journal.Entry{
		ID: httpFailureID, Error: true, Message: fmt.Sprintf("libostree HTTP error from remote %s for <%s>: %s", remote, where, transfer),
		Fields: []journal.Field{{Name: "OSTREE_REMOTE", Value: remote}, {Name: "OSTREE_URL", Value: where}},
	}, true
}
