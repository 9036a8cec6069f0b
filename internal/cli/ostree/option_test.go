package ostree

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", ""},
		{"-a -b x y", "a b=x|y"},
		{"y -ab x z", "a b=x|y z"},
		{"--all --bee=x --bee y", "a b=y|"},
		{"--bee= z", "b=|z"},
		{"-- -a --all", "|-a --all"},
		{"- -l 1 -l 2", "l=1,2|-"},
		{"--all=yes", "error: Unknown option --all=yes"},
		{"--al", "error: Unknown option --al"},
		{"-ax", "error: Unknown option -ax"},
		{"-b", "error: Missing argument for -b"},
		{"--bee", "error: Missing argument for --bee"},
		{"-bl x y", "error: Error parsing option -l"},
		{"--num=4", "n=4|"},
		{"--num=x", "error: Cannot parse integer value “x” for --num"},
	} {
		var all bool
		var bee string
		var list []string
		num := -9
		cmd := &command{name: "x"}
		bee = "unset"
		cmd.flag(&all, "all", 'a', "")
		cmd.str(&bee, "bee", 'b', "B", "")
		cmd.list(&list, "list", 'l', "L", "")
		cmd.int(&num, "num", "N", "")
		e := &env{cmd: cmd}
		got := ""
		if err := e.parse(strings.Fields(c.args)); err != nil {
			got = "error: " + err.Error()
		} else if c.args != "" {
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
				set = append(set, "n=4")
			}
			got = strings.Join(set, " ") + "|" + strings.Join(e.args, " ")
		}
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.args, got, c.want)
		}
	}
}

func TestParseDate(t *testing.T) {
	t.Setenv("TZ", "UTC")
	for s, want := range map[string]int64{
		"@5": 5, "1970-01-02": 86400, "2005-10-29 12:43:29 +0000": 1130589809, "October 25 1985": 499046400,
		"1970-01-01T00:00:09Z": 9, "Thu, 01 Jan 1970 00:00:07 +0000": 7,
	} {
		got, err := parseDate(s)
		if err != nil || got.Unix() != want {
			t.Errorf("%q: %v %v, want %d", s, got.Unix(), err, want)
		}
	}
	for _, s := range []string{"", "@", "@x", "@-1", "soon", "2 bananas ago", "2005-13-01"} {
		if got, err := parseDate(s); err == nil {
			t.Errorf("%q: accepted as %v", s, got)
		}
	}
	now, _ := parseDate("now")
	week, err := parseDate("1 week ago")
	if d := now.Sub(week).Hours(); err != nil || d < 166 || d > 170 {
		t.Errorf("a week has %v hours, %v", d, err)
	}
}
