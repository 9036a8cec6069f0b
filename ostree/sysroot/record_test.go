package sysroot

import (
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"rpmostree/ostree/bootloader"
)

// TestJournal reads what the journal is told while a deployment is staged and finalized, and
// when only links change afterwards.
func TestJournal(t *testing.T) {
	w := newBootedWorld(t)
	socket := filepath.Join(w.dir, "journal")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	must(t, err)
	defer conn.Close()
	w.s.host.journal = socket
	plant(t, w.deployments()[0]+"/etc", map[string]string{"conf": "changed", "new": "new"})
	csum := w.commit("2", map[string]string{"usr/bin/tool": "2"})
	kargs := bootloader.ParseKargs("quiet")
	w.stage(func(o *DeployOptions) { o.Kargs = &kargs })
	must(t, w.s.FinalizeStaged(w.ctx))

	var ids []string
	texts := map[string]string{}
	buf := make([]byte, 1<<16)
	id := regexp.MustCompile(`(?m)^MESSAGE_ID=(.*)$`)
	must(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	for !slices.Contains(ids, completeID) {
		n, err := conn.Read(buf)
		must(t, err)
		if m := id.FindStringSubmatch(string(buf[:n])); m != nil {
			ids = append(ids, m[1])
			texts[m[1]] = string(buf[:n])
		}
	}
	if want := []string{finalizingID, configMergeID, completeID}; !slices.Equal(slices.DeleteFunc(ids, func(s string) bool { return s == varRelabelID }), want) {
		t.Errorf("kinds of messages %q, want %q", ids, want)
	}
	for id, want := range map[string]string{
		finalizingID:  "(?s)MESSAGE=Finalizing staged deployment\n.*OSTREE_OSNAME=os\nOSTREE_CHECKSUM=" + csum.String() + "\nOSTREE_DEPLOYSERIAL=0\n",
		configMergeID: "(?s)MESSAGE=Copying /etc changes: 1 modified, 0 removed, 1 added\nETC_N_MODIFIED=1\nETC_N_REMOVED=0\nETC_N_ADDED=1\n",
		completeID: `(?s)MESSAGE=Bootloader updated; bootconfig swap: yes; bootversion: boot\.0\.1, deployment count change: 1
OSTREE_BOOTLOADER=none
OSTREE_BOOTLOADER_CONFIG=auto
OSTREE_BOOTLOADER_ATOMIC=no
OSTREE_DID_BOOTSWAP=yes
OSTREE_N_DEPLOYMENTS=2
`,
	} {
		if !regexp.MustCompile(want).MatchString(texts[id]) {
			t.Errorf("got\n%s\nwant\n%s", texts[id], want)
		}
	}
}
