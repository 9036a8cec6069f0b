package parsedate

import (
	"strconv"
	"strings"
)

// kind is what a token is. Punctuation is its own kind.
type kind byte

const (
	integer kind = 1 + iota
	signed       // an integer after a sign
	decimal
	signedDecimal
	meridian // "am" is 1, "pm" 2
	month
	weekday
	unit
	dayShift // a number of days
	ordinal
	ago       // a factor
	zone      // a number of seconds east of Greenwich, as dayZone
	dayZone   // daylight saving time
	localZone // 1 is daylight saving time
	dst
	letterT // a zone, or what is between a date and a time
)

// token is a number, a word or a sign of punctuation.
type token struct {
	kind     kind
	value    int64
	nsec     int64 // the fraction, with the sign of the value
	digits   int   // of the number, before the fraction
	negative bool
	span     span // of a unit
}

// isNumber tells whether a token is a number of any kind.
func (t token) isNumber() bool { return t.kind >= integer && t.kind <= signedDecimal }

const (
	spaces  = " \t\n\v\f\r"
	figures = "0123456789"
)

// scan makes a text tokens. local holds the names of the local zone.
func scan(s string, local map[string]token) (tokens []token, ok bool) {
	for {
		s = strings.TrimLeft(s, spaces)
		if s == "" {
			return tokens, true
		}
		var t token
		switch c := s[0]; {
		case c == '(':
			s = s[comment(s):]
			continue
		case c == '+' || c == '-':
			rest := strings.TrimLeft(s[1:], spaces)
			if rest == "" || !isDigit(rest[0]) { // a lone sign means nothing
				s = s[1:]
				continue
			}
			t, s, ok = number(rest, c == '-')
			t.kind++ // the signed one
		case isDigit(c):
			t, s, ok = number(s, false)
		case isLetter(c):
			word := s
			for s != "" && (isLetter(s[0]) || s[0] == '.') {
				s = s[1:]
			}
			t, ok = lookUp(strings.ToLower(word[:len(word)-len(s)]), local)
		case strings.IndexByte(":,/@", c) >= 0:
			t, s, ok = token{kind: kind(c)}, s[1:], true
		default:
			ok = false
		}
		if !ok {
			return nil, false
		}
		tokens = append(tokens, t)
	}
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// comment returns the length of the comment in parentheses that a text begins with. An open one
// goes to the end.
func comment(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// number takes a number off a text. What is finer than a nanosecond is cut off, downwards.
func number(s string, negative bool) (t token, rest string, ok bool) {
	rest = strings.TrimLeft(s, figures)
	whole := s[:len(s)-len(rest)]
	value, err := strconv.ParseInt(whole, 10, 64)
	t = token{kind: integer, value: value, digits: len(whole), negative: negative}
	if len(rest) > 1 && (rest[0] == '.' || rest[0] == ',') && isDigit(rest[1]) {
		fraction := rest[1:]
		rest = strings.TrimLeft(fraction, figures)
		fraction = fraction[:len(fraction)-len(rest)] + "000000000"
		t.kind = decimal
		t.nsec, _ = strconv.ParseInt(fraction[:9], 10, 64)
		if negative && strings.Trim(fraction[9:], "0") != "" {
			t.nsec++
		}
	}
	if negative {
		t.value, t.nsec = -t.value, -t.nsec
	}
	return t, rest, err == nil
}

// lookUp returns what a word in lower case means.
func lookUp(word string, local map[string]token) (token, bool) {
	if t, ok := words[word]; ok {
		return t, true
	}
	if len(word) == 3 || len(word) == 4 && word[3] == '.' {
		if t, ok := shortNames[word[:3]]; ok {
			return t, true
		}
	}
	if t, ok := zoneNamed(word, local); ok {
		return t, true
	}
	if t, ok := words[strings.TrimSuffix(word, "s")]; ok && t.kind == unit {
		return t, true
	}
	if len(word) == 1 {
		return letterZone(word[0])
	}
	return zoneNamed(strings.ReplaceAll(word, ".", ""), local)
}
