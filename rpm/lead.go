package rpm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// LeadSize is the length of a lead in bytes.
const LeadSize = 96

var leadMagic = [4]byte{0xed, 0xab, 0xee, 0xdb}

// Lead is the start of a package file. Only its magic number and Type mean
// anything today; the name may be cut and nothing vouches for it.
type Lead struct {
	Major  uint8  // 3 for package formats 3 and 4, 4 for format 6
	Source bool   // a source package
	Name   string // name-version-release, at most 65 bytes
}

// ReadLead reads a lead from r.
func ReadLead(r io.Reader) (Lead, error) {
	l, _, err := readLead(r)
	return l, err
}

func readLead(r io.Reader) (l Lead, b [LeadSize]byte, err error) {
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return l, b, fmt.Errorf("lead: %w", noEOF(err))
	}
	l, err = parseLead(b)
	return l, b, err
}

func parseLead(b [LeadSize]byte) (Lead, error) {
	if [4]byte(b[:4]) != leadMagic {
		return Lead{}, errors.New("not an rpm package")
	}
	if b[4] < 3 || b[4] > 4 {
		return Lead{}, fmt.Errorf("unsupported RPM package version %d", b[4])
	}
	if sig := binary.BigEndian.Uint16(b[78:]); sig != 5 {
		return Lead{}, fmt.Errorf("illegal signature type %d", sig)
	}
	return Lead{Major: b[4], Source: binary.BigEndian.Uint16(b[6:]) == 1, Name: cString(b[10:75])}, nil
}

// cString returns b up to its first NUL.
func cString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

func (l Lead) marshal() []byte {
	b := make([]byte, LeadSize)
	copy(b, leadMagic[:])
	b[4] = l.Major
	if l.Source {
		b[7] = 1
	}
	if l.Major == 3 {
		b[9], b[77] = 1, 1 // architecture and operating system: any number will do
	}
	copy(b[10:75], l.Name)
	b[79] = 5 // the signature is a header
	return b
}
