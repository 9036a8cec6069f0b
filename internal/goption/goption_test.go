package goption

import (
	"fmt"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "|"},
		{"-a -b x y", "a b=x|y"},
		{"y -ab x z", "a b=x|y z"},
		{"--all --bee=x --bee y", "a b=y|"},
		{"--bee= z", "b=|z"},
		{"-- -a --all", "|-a --all"},
		{"- -l 1 -l 2", "l=1,2|-"},
		{"--all=no", "a|"}, // GLib takes a value of a flag, and ignores it
		{"--al", "error: Unknown option --al"},
		{"-ax", "error: Unknown option -ax"},
		{"-b", "error: Missing argument for -b"},
		{"--bee", "error: Missing argument for --bee"},
		{"-bl x y", "error: Error parsing option -l"},
		{"--num=4", "n=4|"},
		{"-n 0x10", "n=16|"},
		{"-b \xff", "error: Invalid byte sequence in conversion input"},
		{"--list=a\xff", "error: Invalid byte sequence in conversion input"},
		{"--path=\xff \xfe", "b=\xff|\xfe"},
		{"--num=x", "error: Cannot parse integer value “x” for --num"},
		{"--num=4294967296", "error: Integer value “4294967296” for --num out of range"},
	} {
		all, bee, num := false, "unset", -9
		var list []string
		var s Set
		s.Flag(&all, "all", 'a', "")
		s.String(&bee, "bee", 'b', "B", "")
		s.File(&bee, "path", 0, "PATH", "")
		s.List(&list, "list", 'l', "L", "")
		s.Int(&num, "num", 'n', "N", "")
		got := ""
		if rest, err := s.Parse(strings.Fields(c.args)); err != nil {
			got = "error: " + err.Error()
		} else {
			var set []string
			if all {
				set = append(set, "a")
			}
			if bee != "unset" {
				set = append(set, "b="+bee)
			}
			if list != nil {
				set = append(set, "l="+strings.Join(list, ","))
			}
			if num != -9 {
				set = append(set, fmt.Sprint("n=", num))
			}
			got = strings.Join(set, " ") + "|" + strings.Join(rest, " ")
		}
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.args, got, c.want)
		}
	}
}

func TestPrintHelp(t *testing.T) {
	var s Set
	var v bool
	s.Flag(&v, "verbose", 'v', "Say more")
	s.Func(nil, "out", 0, "PATH", "Where it goes")
	s.Flag(&v, "secret", 0, "Not shown")
	s[2].Hidden = true
	var b strings.Builder
	s.PrintHelp(&b, s.Width())
	want := `Help Options:
  -h, --help        Show help options

Application Options:
  -v, --verbose     Say more
  --out=PATH        Where it goes

`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
