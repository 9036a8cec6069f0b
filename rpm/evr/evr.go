package evr

import (
	"cmp"
	"strconv"
	"strings"
)

// EVR is a package's epoch, version and release. The zero value is the empty EVR.
type EVR struct {
	Epoch    uint32 // a missing epoch counts as 0
	HasEpoch bool   // the epoch was written out
	Version  string
	Release  string // empty = none
}

// Parse splits "[EPOCH:]VERSION[-RELEASE]". The release starts after the last dash. It accepts
// every string: a prefix that is no number, or one beyond 32 bits, stays part of the version.
func Parse(s string) EVR {
	var e EVR
	if n := run(s, isDigit); n > 0 && n < len(s) && s[n] == ':' {
		if v, err := strconv.ParseUint(s[:n], 10, 32); err == nil {
			e.Epoch, e.HasEpoch, s = uint32(v), true, s[n+1:]
		}
	}
	e.Version = s
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		e.Version, e.Release = s[:i], s[i+1:]
	}
	return e
}

// String returns "[EPOCH:]VERSION[-RELEASE]" with the epoch only if HasEpoch.
func (e EVR) String() string {
	s := e.Version
	if e.Release != "" {
		s += "-" + e.Release
	}
	if e.HasEpoch {
		s = strconv.FormatUint(uint64(e.Epoch), 10) + ":" + s
	}
	return s
}

// Canonical returns the form without a zero epoch, which is how two equal EVRs are recognised
// as equal strings.
func (e EVR) Canonical() string {
	e.HasEpoch = e.Epoch != 0
	return e.String()
}

// Compare orders two EVRs, returning -1, 0 or 1. An EVR without a release sorts before the
// same version with one.
func Compare(a, b EVR) int {
	if r := compareEV(a, b); r != 0 {
		return r
	}
	if (a.Release == "") != (b.Release == "") {
		if a.Release == "" {
			return -1
		}
		return 1
	}
	return Vercmp(a.Release, b.Release)
}

// CompareStrings is Compare on unparsed EVRs.
func CompareStrings(a, b string) int {
	if a == b {
		return 0
	}
	return Compare(Parse(a), Parse(b))
}

// CompareVersion is Compare without releases.
func CompareVersion(a, b EVR) int { return compareEV(a, b) }

func compareEV(a, b EVR) int {
	if r := cmp.Compare(a.Epoch, b.Epoch); r != 0 {
		return r
	}
	return Vercmp(a.Version, b.Version)
}
