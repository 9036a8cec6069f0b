package ostree

import "testing"

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

// FuzzParseDate reads dates; what is accepted has one time.
func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"@5", "2005-10-29 12:43:29 +0000", "October 25 1985", "Thu, 01 Jan 1970 00:00:07 +0000", "2 weeks ago", "1 year", "yesterday", "-9223372036854775808 days ago"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sourceDate(s)
		d, err := parseDate(s)
		if err != nil || d.UTC().Year() < 0 || d.UTC().Year() > 9999 {
			return
		}
		again, err := parseDate(d.UTC().Format("2006-01-02T15:04:05Z"))
		if err != nil || again.Unix() != d.Unix() {
			t.Errorf("%q: %v, again %v (%v)", s, d, again, err)
		}
	})
}
