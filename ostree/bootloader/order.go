package bootloader

import "slices"

// SortEntries puts entries in boot order: highest version first, entries
// without a version last.
func SortEntries(entries []*Entry) {
	slices.SortStableFunc(entries, func(a, b *Entry) int {
		va, oka := a.Get("version")
		vb, okb := b.Get("version")
		switch {
		case oka && okb:
			return -compareVersions(va, vb)
		case oka:
			return -1
		case okb:
			return 1
		}
		return 0
	})
}

// compareVersions orders as strverscmp(3): like a string comparison, but runs
// of digits compare as numbers, and runs with leading zeros as fractions.
func compareVersions(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i == len(a) && i == len(b) {
		return 0
	}
	start := i
	for start > 0 && isDigit(a, start-1) {
		start--
	}
	switch {
	case !isDigit(a, start) || !isDigit(b, start):
	case a[start] != '0' && b[start] != '0': // numbers: the longer run is larger
		if la, lb := digits(a[start:]), digits(b[start:]); la != lb {
			return la - lb
		}
	case allZero(a[start:i]) && start < i && (isDigit(a, i) || isDigit(b, i)):
		// fractions: a further digit makes the number smaller
		if isDigit(a, i) != isDigit(b, i) {
			if isDigit(a, i) {
				return -1
			}
			return 1
		}
	}
	return int(at(a, i)) - int(at(b, i))
}

func at(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

func isDigit(s string, i int) bool { return at(s, i) >= '0' && at(s, i) <= '9' }

func digits(s string) int {
	d, _ := leadingDigits(s)
	return len(d)
}

func allZero(s string) bool {
	for i := range len(s) {
		if s[i] != '0' {
			return false
		}
	}
	return true
}
