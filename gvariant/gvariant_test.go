package gvariant

import "testing"

func TestRoundTrip(t *testing.T) {
	for _, s := range []string{
		"[1, 2, 3]", "{'a': <1>, 'b': <@as []>}", "(1,)", "b'hello'", "just 1", "[byte 0x01, 0x02]", "('x', uint64 5, [(int16 1, 'y')])",
		"@a{sv} {}", "[<'x'>, <[<1>]>]", "1.5", "[1.0, 2.5e+20]", "{1, 2}", "@mi 1", "@mmi just nothing", "()",
	} {
		v, err := Parse("", s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if !v.IsNormal() {
			t.Errorf("%s: not normal: % x", s, v.Bytes())
		}
		t.Log(v.Type(), v.Print(true), v.Bytes())
	}
}
