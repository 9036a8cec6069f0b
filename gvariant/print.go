package gvariant

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// Print returns v in GVariant text format. With annotate, types that cannot be
// inferred from the text are written out, so that Parse gives the same value back.
func (v Value) Print(annotate bool) string {
	var p printer
	p.print(v, annotate)
	return p.String()
}

// String returns Print(true).
func (v Value) String() string { return v.Print(true) }

type printer struct {
	strings.Builder
}

func (p *printer) print(v Value, annotate bool) {
	if v.info == nil {
		return
	}
	switch v.info.kind {
	case 'a':
		p.array(v, annotate)
	case '(':
		p.tuple(v, annotate)
	case '{':
		p.WriteByte('{')
		p.print(v.Index(0), annotate)
		p.WriteString(", ")
		p.print(v.Index(1), annotate)
		p.WriteByte('}')
	case 'v':
		// The type of what is in a variant is never known from outside.
		p.WriteByte('<')
		p.print(v.Unbox(), true)
		p.WriteByte('>')
	case 'm':
		p.maybe(v, annotate)
	case 's':
		p.quote(v.Str())
	case 'o', 'g':
		if annotate {
			p.WriteString(map[byte]string{'o': "objectpath ", 'g': "signature "}[v.info.kind])
		}
		p.WriteString("'" + v.Str() + "'")
	default:
		p.number(v, annotate)
	}
}

func (p *printer) number(v Value, annotate bool) {
	prefix, text := "", ""
	switch v.info.kind {
	case 'b':
		text = strconv.FormatBool(v.Bool())
	case 'y':
		prefix, text = "byte ", fmt.Sprintf("0x%02x", v.Byte())
	case 'n':
		prefix, text = "int16 ", strconv.FormatInt(int64(v.Int16()), 10)
	case 'q':
		prefix, text = "uint16 ", strconv.FormatUint(uint64(v.Uint16()), 10)
	case 'i':
		text = strconv.FormatInt(int64(v.Int32()), 10) // the default type of numbers
	case 'u':
		prefix, text = "uint32 ", strconv.FormatUint(uint64(v.Uint32()), 10)
	case 'h':
		prefix, text = "handle ", strconv.FormatInt(int64(v.Handle()), 10)
	case 'x':
		prefix, text = "int64 ", strconv.FormatInt(v.Int64(), 10)
	case 't':
		prefix, text = "uint64 ", strconv.FormatUint(v.Uint64(), 10)
	case 'd':
		text = formatFloat(v.Float64())
	}
	if annotate {
		p.WriteString(prefix)
	}
	p.WriteString(text)
}

// formatFloat writes x as C's "%.17g" does, with ".0" if it looks like an integer.
func formatFloat(x float64) string {
	switch {
	case math.IsInf(x, 1):
		return "inf"
	case math.IsInf(x, -1):
		return "-inf"
	case math.IsNaN(x) && math.Signbit(x):
		return "-nan"
	case math.IsNaN(x):
		return "nan"
	}
	s := strconv.FormatFloat(x, 'e', 16, 64)
	mantissa, exp, _ := strings.Cut(s, "e")
	e, _ := strconv.Atoi(exp)
	if e < -4 || e >= 17 {
		if strings.Contains(mantissa, ".") {
			mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		}
		return fmt.Sprintf("%se%+03d", mantissa, e)
	}
	s = strconv.FormatFloat(x, 'f', 16-e, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func (p *printer) array(v Value, annotate bool) {
	n := v.Len()
	if v.info == &infoBytes && n > 0 && bytes.IndexByte(v.data, 0) == n-1 {
		p.bytestring(v.data[:n-1])
		return
	}
	open, shut := "[", "]"
	dict := v.info.elem.kind == '{'
	if dict {
		open, shut = "{", "}"
	}
	if n == 0 && annotate {
		p.WriteString("@" + string(v.info.typ) + " ")
	}
	p.WriteString(open)
	for i, e := range v.All() {
		if i > 0 {
			p.WriteString(", ")
		}
		if dict {
			p.print(e.Index(0), annotate)
			p.WriteString(": ")
			e = e.Index(1)
		}
		p.print(e, annotate)
		annotate = false // the first element settles the type of the others
	}
	p.WriteString(shut)
}

func (p *printer) bytestring(b []byte) {
	quote := "'"
	if bytes.IndexByte(b, '\'') >= 0 {
		quote = `"`
	}
	p.WriteString("b" + quote)
	for _, c := range b {
		switch {
		case c == '\\' || c == '"':
			p.WriteByte('\\')
			p.WriteByte(c)
		case c >= '\b' && c <= '\r':
			p.WriteByte('\\')
			p.WriteByte("btnvfr"[c-'\b'])
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(p, `\%03o`, c)
		default:
			p.WriteByte(c)
		}
	}
	p.WriteString(quote)
}

func (p *printer) tuple(v Value, annotate bool) {
	p.WriteByte('(')
	for i, m := range v.All() {
		if i > 0 {
			p.WriteString(", ")
		}
		p.print(m, annotate)
	}
	if v.Len() == 1 {
		p.WriteByte(',')
	}
	p.WriteByte(')')
}

// maybe leaves out "just" where the text says it all without, which is not so
// around a "nothing".
func (p *printer) maybe(v Value, annotate bool) {
	if annotate {
		p.WriteString("@" + string(v.info.typ) + " ")
	}
	depth := 0
	x := v
	for x.kind() == 'm' && x.Len() == 1 {
		x = x.Index(0)
		depth++
	}
	if x.kind() != 'm' {
		p.print(x, false)
		return
	}
	p.WriteString(strings.Repeat("just ", depth) + "nothing")
}

func (p *printer) quote(s string) {
	quote := '\''
	if strings.Contains(s, "'") {
		quote = '"'
	}
	p.WriteRune(quote)
	for _, c := range s {
		switch {
		case c == quote || c == '\\':
			p.WriteByte('\\')
			p.WriteRune(c)
		case isPrint(c):
			p.WriteRune(c)
		case c >= '\a' && c <= '\r':
			p.WriteByte('\\')
			p.WriteByte("abtnvfr"[c-'\a'])
		case c < 0x10000:
			fmt.Fprintf(p, `\u%04x`, c)
		default:
			fmt.Fprintf(p, `\U%08x`, c)
		}
	}
	p.WriteRune(quote)
}

// isPrint is g_unichar_isprint: anything but control, format, surrogate and unassigned characters.
func isPrint(c rune) bool {
	return unicode.In(c, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Co)
}
