// Package journal writes entries to systemd's journal, by the protocol of its socket:
// https://systemd.io/JOURNAL_NATIVE_PROTOCOL.
package journal

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Socket is where systemd-journald listens.
const Socket = "/run/systemd/journal/socket"

// A Field is one field of an entry. The name has upper-case letters, digits and underscores
// and does not begin with an underscore; the value is any text.
type Field struct{ Name, Value string }

// An Entry is what a program has to say.
type Entry struct {
	ID      string // of the kind of message: 32 hexadecimal digits; "" for none
	Message string
	Fields  []Field
	Error   bool // it is of the syslog priority of errors, not of information
}

// patience bounds the wait for a journal that does not read.
const patience = time.Second

// Syslog priorities.
const (
	priorityError = "3"
	priorityInfo  = "6"
)

// Send writes an entry to the journal that listens on a socket. It fails without one, if
// nobody reads there for a second, and if the entry is larger than a datagram may be, some
// 200 kB.
func (e Entry) Send(socket string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	wait := unix.NsecToTimeval(patience.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	err = unix.Sendto(fd, e.marshal(), unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: socket})
	return os.NewSyscallError("sendto", err)
}

func (e Entry) marshal() []byte {
	var b bytes.Buffer
	add := func(name, value string) {
		if !strings.Contains(value, "\n") {
			b.WriteString(name + "=" + value + "\n")
			return
		}
		b.WriteString(name + "\n")
		b.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(value))))
		b.WriteString(value + "\n")
	}
	add("SYSLOG_IDENTIFIER", filepath.Base(os.Args[0]))
	priority := priorityInfo
	if e.Error {
		priority = priorityError
	}
	add("PRIORITY", priority)
	if e.ID != "" {
		add("MESSAGE_ID", e.ID)
	}
	add("MESSAGE", e.Message)
	for _, f := range e.Fields {
		add(f.Name, f.Value)
	}
	return b.Bytes()
}
