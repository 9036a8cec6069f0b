package evr

// Vercmp compares two version (or release) strings as rpm does and returns -1, 0 or 1.
//
// Strings are cut into runs of digits and runs of ASCII letters; everything else only
// separates runs. Digits sort after letters, numbers compare by value, letters byte by byte,
// and what is longer sorts last. A tilde sorts before everything, the end of the string
// included; a caret sorts after the end of the string but before any further run.
func Vercmp(a, b string) int {
	if a == b {
		return 0
	}
	for {
		a, b = trimSeparators(a), trimSeparators(b)
		if r, again := compareMarks(a, b); r != 0 {
			return r
		} else if again {
			a, b = a[1:], b[1:]
			continue
		}
		if a == "" || b == "" {
			break
		}
		var r int
		if isDigit(a[0]) || isDigit(b[0]) {
			a, b, r = compareNumbers(a, b)
		} else {
			a, b, r = compareWords(a, b)
		}
		if r != 0 {
			return r
		}
	}
	switch {
	case a != "":
		return 1
	case b != "":
		return -1
	}
	return 0
}

// compareMarks decides on a leading '~' or '^'. again reports that both sides start with the
// same mark, which is then to be skipped.
func compareMarks(a, b string) (r int, again bool) {
	ca, cb := first(a), first(b)
	switch {
	case ca == '~' || cb == '~':
		if ca == cb {
			return 0, true
		}
		if ca == '~' {
			return -1, false
		}
		return 1, false
	case ca == '^' && cb == '^':
		return 0, true
	case ca == '^':
		if b == "" {
			return 1, false
		}
		return -1, false
	case cb == '^':
		if a == "" {
			return -1, false
		}
		return 1, false
	}
	return 0, false
}

// compareNumbers compares the leading digit runs, of which at most one is empty (and then loses).
func compareNumbers(a, b string) (restA, restB string, r int) {
	na, nb := run(a, isDigit), run(b, isDigit)
	da, db := a[:na], b[:nb]
	if na == 0 {
		return a, b, -1
	}
	if nb == 0 {
		return a, b, 1
	}
	for len(da) > 1 && da[0] == '0' {
		da = da[1:]
	}
	for len(db) > 1 && db[0] == '0' {
		db = db[1:]
	}
	switch {
	case len(da) != len(db):
		r = sign(len(da) - len(db))
	case da < db:
		r = -1
	case da > db:
		r = 1
	}
	return a[na:], b[nb:], r
}

// compareWords compares the leading letter runs.
func compareWords(a, b string) (restA, restB string, r int) {
	na, nb := run(a, isLetter), run(b, isLetter)
	switch wa, wb := a[:na], b[:nb]; {
	case wa < wb:
		r = -1
	case wa > wb:
		r = 1
	}
	return a[na:], b[nb:], r
}

func trimSeparators(s string) string {
	for s != "" && !isDigit(s[0]) && !isLetter(s[0]) && s[0] != '~' && s[0] != '^' {
		s = s[1:]
	}
	return s
}

func run(s string, is func(byte) bool) int {
	n := 0
	for n < len(s) && is(s[n]) {
		n++
	}
	return n
}

func first(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}
