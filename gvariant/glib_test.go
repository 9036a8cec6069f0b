package gvariant

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

type question struct {
	Type string  `json:"type"`
	Hex  string  `json:"hex,omitempty"`
	Text *string `json:"text,omitempty"`
}

type answer struct {
	Type, Hex, Long, Short, Swapped, Error string
	Normal                                 bool
}

// askGLib sends all questions to one Python process.
func askGLib(t *testing.T, questions []question) []answer {
	t.Helper()
	if err := exec.Command("/usr/bin/python3", "-c", "from gi.repository import GLib").Run(); err != nil {
		treetest.Skip(t, "needs python3 with gi: ", err)
	}
	var in, errs bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, q := range questions {
		if err := enc.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/usr/bin/python3", "testdata/glib.py")
	cmd.Stdin, cmd.Stderr = &in, &errs
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "G_MESSAGES_DEBUG=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	answers := make([]answer, len(questions))
	dec := json.NewDecoder(bytes.NewReader(out))
	for i := range answers {
		if err := dec.Decode(&answers[i]); err != nil {
			t.Fatal(err)
		}
	}
	return answers
}

// generator makes random types and values.
type generator struct{ *rand.Rand }

func (g generator) typ(depth int) string {
	basic := "bynqiuxthdsog"
	n := g.IntN(20)
	switch {
	case depth == 0 || n < 9:
		return string(basic[g.IntN(len(basic))])
	case n < 10:
		return "v"
	case n < 13:
		return "a" + g.typ(depth-1)
	case n < 14:
		return "m" + g.typ(depth-1)
	case n < 16:
		return "a{" + string(basic[g.IntN(len(basic))]) + g.typ(depth-1) + "}"
	case n < 17:
		return "{" + string(basic[g.IntN(len(basic))]) + g.typ(depth-1) + "}"
	}
	s := "("
	for range g.IntN(4) {
		s += g.typ(depth - 1)
	}
	return s + ")"
}

var someStrings = []string{"", "a", "it's", `q"q`, `it's "x"`, "back\\slash", "new\nline\ttab", "\x01\x7f", "é", "日本", "\U0001f600", "\u200b\ufeff", "\u0378", "\ue000", "\U000e0001",
	strings.Repeat("long", 70)}

func (g generator) value(i *info) Value {
	switch i.kind {
	case 'b':
		return Bool(g.IntN(2) == 1)
	case 's':
		return String(someStrings[g.IntN(len(someStrings))])
	case 'o':
		return ObjectPath([]string{"/", "/a", "/a/b_1"}[g.IntN(3)])
	case 'g':
		return Signature([]string{"", "s", "a{sv}ii", "(av)"}[g.IntN(4)])
	case 'v':
		t, _ := compile(g.typ(2))
		return Variant(g.value(t))
	case 'd':
		return Float64([]float64{0, math.Copysign(0, -1), 1, 0.1, 1e17, 123456789012345678, 1e-5, 0.0001, 2.5e300, math.Inf(1), math.Inf(-1), math.MaxFloat64, 5e-324, g.NormFloat64()}[g.IntN(14)])
	case 'a':
		var list []Value
		for range g.IntN(4) {
			list = append(list, g.value(i.elem))
		}
		if i == &infoBytes && g.IntN(2) == 0 {
			return Bytestring(someStrings[g.IntN(len(someStrings))])
		}
		return assemble(i.typ, list)
	case 'm':
		if g.IntN(3) == 0 {
			return Nothing(i.elem.typ)
		}
		return Just(g.value(i.elem))
	case '(', '{':
		var list []Value
		for _, m := range i.members {
			list = append(list, g.value(m.info))
		}
		if len(list) == 0 {
			return Tuple()
		}
		return assemble(i.typ, list)
	}
	x := g.Uint64() >> g.IntN(64)
	if g.IntN(4) == 0 {
		x = -x
	}
	return fixedValue(i, x)
}

// TestValuesAgainstGLib compares normal-form verdicts, texts and byte swapping of random
// values and of damaged ones.
func TestValuesAgainstGLib(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(3, 4))}
	var values []Value
	var questions []question
	for range 6000 {
		i, err := compile(g.typ(4))
		if err != nil {
			t.Fatal(err)
		}
		v := g.value(i)
		if !v.IsNormal() {
			t.Errorf("%s %s: built, but not in normal form: % x", v.Type(), v, v.Bytes())
		}
		values = append(values, v)
		damaged := bytes.Clone(v.data)
		for range 1 + g.IntN(2) {
			switch n := len(damaged); {
			case n == 0 || g.IntN(4) == 0:
				damaged = append(damaged, byte(g.IntN(4)))
			case g.IntN(4) == 0:
				damaged = damaged[:n-1]
			default:
				damaged[g.IntN(n)] += byte(1 << g.IntN(8))
			}
		}
		values = append(values, New(i.typ, damaged, binary.LittleEndian))
	}
	for _, v := range values {
		questions = append(questions, question{Type: string(v.Type()), Hex: hex.EncodeToString(v.Bytes())})
	}
	normal := 0
	for i, a := range askGLib(t, questions) {
		v := values[i]
		if v.IsNormal() != a.Normal {
			t.Errorf("%s % x: normal is %v, GLib says %v", v.Type(), v.Bytes(), v.IsNormal(), a.Normal)
		}
		v.Print(true)
		if !a.Normal || !v.IsNormal() {
			continue
		}
		normal++
		if got := v.Print(true); got != a.Long {
			t.Errorf("%s: printed\n%s\nGLib prints\n%s", v.Type(), got, a.Long)
		}
		if got := v.Print(false); got != a.Short {
			t.Errorf("%s: printed\n%s\nGLib prints\n%s", v.Type(), got, a.Short)
		}
		swapped := v.WithByteOrder(binary.BigEndian)
		if got := hex.EncodeToString(swapped.Bytes()); got != a.Swapped {
			t.Errorf("%s: swapped %s, GLib %s", v, got, a.Swapped)
		}
		if swapped.Print(true) != a.Long {
			t.Errorf("%s: swapped reads %s", v, swapped)
		}
		if strings.Contains(a.Long, "nan") {
			continue
		}
		if again, err := Parse(v.Type(), a.Long); err != nil || !bytes.Equal(again.Bytes(), v.Bytes()) {
			t.Errorf("%s: parsed again: %v %v", v, again, err)
		}
	}
	if normal < 6000 {
		t.Errorf("only %d values were normal", normal)
	}
}

var texts = []string{
	"", " ", "1", "-1", "+1", "0x10", "010", "08", "1.", ".5", "1e3", "0x1e", "inf", "-inf", "nan", "1.5e", "1x", "99999999999999999999", "2147483648", "byte 256", "byte -1",
	"byte -0", "int16 -32768", "int16 32768", "uint64 18446744073709551615", "int64 -9223372036854775808", "handle 3", "double 1", "double 0x10", "true", "false", "truee",
	"'a", "'a'", `"a'b"`, `'\u00e9\U0001f600\n\x'`, `'\u00'`, `'\u0000'`, "'a\\\nb'", "b'abc'", `b"a\"b\101\0c"`, "b'é'", "b'", `b'\777'`,
	"[]", "[1,2]", "[1,2,]", "[1 2]", "[1, 'a']", "[1, 2.0]", "[1, byte 2]", "[just 1, 2, nothing]", "[nothing, 1]", "[[], [1]]", "[nothing]", "@ai []", "@a* []", "@zz 1", "@ 1", "@", "@(ii) (1, 2)", "@ (1,)",
	"()", "(1)", "(1,)", "(1,2)", "(1,2,)", "(1 2)", "(", ")", "{}", "{1:2}", "{1:2,}", "{1,2}", "{1,2,3}", "{1 2}", "{'a':<1>, 'b':<'x'>}", "{[1]:2}", "{just 1: 2}", "{1: 2, 'a': 3}", "{1: 2, 3: 'x'}", "{<1>: 2}", "@a{sv} {}",
	"<1>", "<<1>>", "<>", "<1", "<[]>", "<@as []>", "just 1", "just just 1", "just nothing", "nothing", "@mi nothing", "@mi 1", "@mmi just nothing", "@mi just just 1", "jus 1", "none",
	"objectpath '/a'", "objectpath 'a'", "signature 'ii'", "signature '!'", "string 'x'", "string 1", "boolean true", "int32 'x'", "uint32 1 2", "foo 1", "y", "y 1", "a1 2", "%i", "1 2", "[1", "['a', objectpath '/b']", "[{}, {1: 2}]", "[(1, []), (2, [3])]", "[[[]], [[1]]]",
	"{'x': [], 'y': [1]}", "[<1>, <'a'>]", "{1: <2>, 3: <4>}", "@(s) ('a',)", "@ay b'x'", "@s 1", "@as [1]", "@a{si} {'x': 'y'}", "[1.0, 2]", "[2, 1.0]", "[true, 1]", "--1", "- 1", "1-2", "1+2", "@d 1", "double 1e400", "double 1e-400", "double .", "'a' 'b'", "[1, 2, 'x', 4]",
	"[\n1,\t2 ]", "({'a': 1}, [byte 1])", "@u 0x", "@u 0xfg", "@y 0b1", "@t 1_000", "@d 1_0.0", "@d 0x1p4", "@d infinity", "@d nan(1)", "@d +inf", "@d INF", "@av [<1>]", "[@u 1, 2]", "[1, @u 2, @i 3]", "{'a', 1}", "[{1, 2}, {3, 4}]",
	"'\x7f\u200b'", "@o 'x'", "[@o '/x', 'y']", "b'a\\\nb'", "@aay [b'x', []]", "[b'x', []]", "@a(say) [('x', [])]", "@a{?*} {}", "@r ()", "@(((i))) (((1,),),)",
}

func TestTextsAgainstGLib(t *testing.T) {
	var questions []question
	for _, s := range texts {
		for _, typ := range []string{"", "i", "as", "mi", "a{sv}", "v", "d", "ay"} {
			questions = append(questions, question{Type: typ, Text: &s})
		}
	}
	for i, a := range askGLib(t, questions) {
		q := questions[i]
		v, err := Parse(Type(q.Type), *q.Text)
		switch {
		case err != nil && a.Error == "":
			t.Errorf("%s %q: error %v, GLib reads %s %s", q.Type, *q.Text, err, a.Type, a.Long)
		case err != nil:
			if err.Error() != a.Error {
				t.Errorf("%s %q: error %q, GLib says %q", q.Type, *q.Text, err, a.Error)
			}
		case a.Error != "":
			t.Errorf("%s %q: read %s %s, GLib says %q", q.Type, *q.Text, v.Type(), v, a.Error)
		case string(v.Type()) != a.Type || hex.EncodeToString(v.Bytes()) != a.Hex:
			t.Errorf("%s %q: read %s %s, GLib reads %s %s", q.Type, *q.Text, v.Type(), v, a.Type, a.Long)
		}
	}
}
