package gvariant

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

func (n *node) buildNumber(t *info) (Value, error) {
	if t.kind == 'd' {
		return n.buildFloat()
	}
	abs, negative, err := n.integer()
	if err != nil {
		return Value{}, err
	}
	if strings.IndexByte("ynqiuxth", t.kind) < 0 {
		return Value{}, n.typeError(t)
	}
	limit := uint64(math.MaxUint64) >> (64 - 8*t.size)
	if strings.IndexByte("nixh", t.kind) >= 0 {
		limit >>= 1
		if negative {
			limit++
		}
	} else if negative {
		limit = 0
	}
	if abs > limit {
		return Value{}, n.errorf("number out of range for type '%c'", t.kind)
	}
	if negative {
		abs = -abs
	}
	return fixedValue(t, abs), nil
}

func (n *node) badNumber(at int) error {
	return &ParseError{From: n.from + at, To: n.from + at + 1, Message: "invalid character in number"}
}

// digitValue returns the value of a hexadecimal digit, 16 for anything else.
func digitValue(c byte) uint64 {
	switch {
	case isDigit(c):
		return uint64(c - '0')
	case 'a' <= c && c <= 'f':
		return uint64(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return uint64(c-'A') + 10
	}
	return 16
}

// integer reads the text as GLib does: a minus sign, and then what C's strtoull makes
// of the rest with base 0 (a sign again, 0x for hexadecimal, 0 for octal).
func (n *node) integer() (abs uint64, negative bool, err error) {
	text := n.text
	at := 0
	if text[0] == '-' {
		negative, at = true, 1
	}
	start, minus := at, false
	if at < len(text) && (text[at] == '-' || text[at] == '+') {
		minus = text[at] == '-'
		at++
	}
	base := uint64(10)
	if rest := text[at:]; strings.HasPrefix(rest, "0") {
		base = 8
		if len(rest) > 2 && (rest[1] == 'x' || rest[1] == 'X') && digitValue(rest[2]) < 16 {
			base = 16
			at += 2
		}
	}
	overflow, digits := false, at
	for at < len(text) && digitValue(text[at]) < base {
		d := digitValue(text[at])
		overflow = overflow || abs > (math.MaxUint64-d)/base
		abs = abs*base + d
		at++
	}
	if at == digits {
		at = start // nothing was read at all
	}
	switch {
	case overflow:
		return 0, false, n.errorf("integer too big for any type")
	case at < len(text):
		return 0, false, n.badNumber(at)
	}
	if minus {
		abs = -abs
	}
	return abs, negative && abs != 0, nil
}

func (n *node) buildFloat() (Value, error) {
	end := floatLen(n.text)
	if end < len(n.text) || end == 0 {
		return Value{}, n.badNumber(end)
	}
	text := strings.ToLower(n.text)
	switch {
	case strings.HasSuffix(text, "nan"):
		// ParseFloat wants no sign before it.
		x := math.Float64frombits(0x7ff8 << 48) // C's quiet NaN, which is not Go's
		if text[0] == '-' {
			x = math.Copysign(x, -1)
		}
		return Float64(x), nil
	case strings.Contains(text, "0x") && !strings.Contains(text, "p"):
		text += "p0" // which C leaves out
	}
	x, err := strconv.ParseFloat(text, 64)
	if errors.Is(err, strconv.ErrRange) && math.IsInf(x, 0) {
		return Value{}, n.errorf("number too big for any type")
	}
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return Value{}, n.badNumber(0)
	}
	return Float64(x), nil
}

// floatLen is the length of the start of s that C's strtod reads, 0 if there is no number.
func floatLen(s string) int {
	i := 0
	if s != "" && (s[0] == '-' || s[0] == '+') {
		i++
	}
	lower := strings.ToLower(s[i:])
	for _, word := range []string{"infinity", "inf", "nan"} {
		if strings.HasPrefix(lower, word) {
			return i + len(word)
		}
	}
	if n := mantissaLen(strings.TrimPrefix(lower, "0x"), 16); strings.HasPrefix(lower, "0x") && n > 0 {
		i += 2 + n
		return i + exponentLen(s[i:], 'p')
	}
	n := mantissaLen(lower, 10)
	if n == 0 {
		return 0
	}
	i += n
	return i + exponentLen(s[i:], 'e')
}

// mantissaLen is the length of digits with at most one point; 0 if there is no digit.
func mantissaLen(s string, base uint64) int {
	i, digits, point := 0, 0, false
	for ; i < len(s); i++ {
		if s[i] == '.' && !point {
			point = true
		} else if digitValue(s[i]) < base {
			digits++
		} else {
			break
		}
	}
	if digits == 0 {
		return 0
	}
	return i
}

// exponentLen is the length of an exponent, 0 if it has no digit.
func exponentLen(s string, letter byte) int {
	if s == "" || s[0]|0x20 != letter {
		return 0
	}
	i := 1
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	digits := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i == digits {
		return 0
	}
	return i
}
