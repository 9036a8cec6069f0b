package journal

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSend(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	entry := Entry{ID: "dd440e3e549083b63d0efc7dc15255f1", Message: "two\nlines", Fields: []Field{{"A_B", "c=d"}}}
	if err := entry.Send(socket); err == nil {
		t.Error("sent to nobody")
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := entry.Send(socket); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<16)
	n, err := conn.Read(buf)
	_, got, ok := strings.Cut(string(buf[:n]), "\n") // the first line has the name of this program
	want := "PRIORITY=6\nMESSAGE_ID=dd440e3e549083b63d0efc7dc15255f1\nMESSAGE\n\x09\x00\x00\x00\x00\x00\x00\x00two\nlines\nA_B=c=d\n"
	if err != nil || !ok || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

// A journal that does not read holds nobody up for ever.
func TestSendToFull(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for err == nil {
		err = Entry{Message: strings.Repeat("x", 10000)}.Send(socket)
	}
	if !errors.Is(err, unix.EAGAIN) {
		t.Error(err)
	}
}
