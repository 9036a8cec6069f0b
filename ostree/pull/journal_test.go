package pull

import (
	"context"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rpmostree/ostree/delta"
	"rpmostree/ostree/repo"
)

// TestJournal has a socket listen in place of the journal.
func TestJournal(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, url, first, _, _ := serveDelta(t, delta.Options{})
	r := newRepo(t, repo.BareUser)
	addRemote(t, r, url)
	buf := make([]byte, 1<<16)
	for _, tt := range []struct {
		o    Options
		want []string
		fail bool
	}{
		{Options{Refs: []string{"x@" + first.String()}}, []string{"MESSAGE_ID=75ba3deb0af041a9a46272ff85d9e73e\n", "PRIORITY=6\n", "libostree pull from 'origin' for x complete\nsecurity: GPG: disabled \nsecurity: SIGN: disabled http: TLS\ndelta: parts: 1 loose: [0-9]+\ntransfer: secs: [0-9]+ size: ", "OSTREE_REMOTE=origin\nOSTREE_SIGN=disabled\nOSTREE_GPG=disabled\nOSTREE_SECONDS=[0-9]+\nOSTREE_XFER_SIZE=[0-9]"}, false},
		{Options{Refs: []string{"x"}, DisableDeltas: true}, []string{"\nnon-delta: meta: [1-9][0-9]* content: [1-9]"}, false},
		{Options{Refs: []string{"none"}, Retries: -1}, nil, true}, // the summary lacks it: nothing failed over the network
		{Options{Refs: []string{strings.Repeat("e", 64)}, Retries: -1}, []string{"MESSAGE_ID=f02bce89a54e4efab3a94a797d26204a\n", "PRIORITY=3\n", "MESSAGE=libostree HTTP error from remote origin for <" + url + "/objects/ee/e+\\.commit>: While fetching " + url + "/objects/ee/e+\\.commit: Server returned HTTP 404\n", "OSTREE_URL=" + url + "/objects/ee/e+\\.commit"}, true},
	} {
		tt.o.Journal = socket
		if _, err := Pull(context.Background(), r, "origin", tt.o); (err != nil) != tt.fail {
			t.Fatalf("%v: %v", tt.o.Refs, err)
		}
		if tt.want == nil {
			continue
		}
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.want {
			if !regexp.MustCompile(want).Match(buf[:n]) {
				t.Errorf("%v: no %q in %q", tt.o.Refs, want, buf[:n])
			}
		}
	}
}
