package evr

import (
	"errors"
	"fmt"
	"strings"
)

// NEVRA names one build of a package.
type NEVRA struct {
	Name string
	EVR
	Arch string
}

// ErrNEVRA is wrapped by ParseNEVRA's errors.
var ErrNEVRA = errors.New("not a NAME-[EPOCH:]VERSION-RELEASE.ARCH")

// ParseNEVRA splits "NAME-[EPOCH:]VERSION-RELEASE.ARCH". The arch follows the last dot, the
// release the last dash, the version the last but one. A trailing ".rpm" is not removed.
func ParseNEVRA(s string) (NEVRA, error) {
	fail := func() (NEVRA, error) { return NEVRA{}, fmt.Errorf("%q: %w", s, ErrNEVRA) }
	dot := strings.LastIndexByte(s, '.')
	if dot < 0 || dot+1 == len(s) {
		return fail()
	}
	n := NEVRA{Arch: s[dot+1:]}
	nvr := s[:dot]
	rel := strings.LastIndexByte(nvr, '-')
	if rel <= 0 || rel+1 == len(nvr) {
		return fail()
	}
	ver := strings.LastIndexByte(nvr[:rel], '-')
	if ver <= 0 || ver+1 == rel || strings.ContainsRune(n.Arch, '-') {
		return fail()
	}
	n.Name = nvr[:ver]
	n.EVR = Parse(nvr[ver+1:])
	if n.Version == "" {
		return fail()
	}
	return n, nil
}

// String returns NAME-[EPOCH:]VERSION-RELEASE.ARCH, the epoch only if HasEpoch.
func (n NEVRA) String() string {
	return n.Name + "-" + n.EVR.String() + "." + n.Arch
}

// CompareNEVRA orders by name, then EVR, then arch.
func CompareNEVRA(a, b NEVRA) int {
	if r := strings.Compare(a.Name, b.Name); r != 0 {
		return r
	}
	if r := Compare(a.EVR, b.EVR); r != 0 {
		return r
	}
	return strings.Compare(a.Arch, b.Arch)
}
