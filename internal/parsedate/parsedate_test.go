package parsedate

import (
	"strings"
	"testing"
	"time"
)

// TestParse has texts in the zone of Berlin on Thursday, 26 November 2026 at 14:51:32.5.
func TestParse(t *testing.T) {
	now := time.Date(2026, 11, 26, 14, 51, 32, 500000000, Zone("Europe/Berlin"))
	for line := range strings.Lines(`
                                        2026-11-26T00:00:00+01:00
now                                     2026-11-26T14:51:32.5+01:00
 (today) - ,                            no
@5.5                                    1970-01-01T01:00:05.5+01:00
@-5,25                                  1970-01-01T00:59:54.75+01:00
@5 UTC                                  no
TZ="America/New_York" 12:00             2026-11-26T18:00:00+01:00
TZ="UTC" 1 day                          2026-11-27T14:51:32.5+01:00
TZ="XXX-5:30" 2020-01-01                2019-12-31T19:30:00+01:00
TZ="a\b" 12:00                          no
10 jan                                  2026-01-10T00:00:00+01:00
2 jan 12:00                             no
jan 2 12:00                             2026-01-02T12:00:00+01:00
1/2/2020                                2020-01-02T00:00:00+01:00
2020/1/2                                2020-01-02T00:00:00+01:00
10-jan-69                               1969-01-10T00:00:00+01:00
10-jan-68                               2068-01-10T00:00:00+01:00
Sept 30, 2020                           2020-09-30T00:00:00+02:00
Sept. 30                                no
29 feb                                  no
2020-02-29T12:34:56,7891234567-05:30    2020-02-29T19:04:56.789123456+01:00
2020-02-29T12                           no
5pm                                     2026-11-26T17:00:00+01:00
12 a.m.                                 2026-11-26T00:00:00+01:00
13pm                                    no
24:00                                   no
12:00 +2 hours                          2026-11-26T12:00:00+01:00
12 +2 hours                             2026-11-26T14:00:00+01:00
12:00 EST                               2026-11-26T18:00:00+01:00
12:00 EST DST                           2026-11-26T17:00:00+01:00
12:00 a                                 2026-11-26T14:00:00+01:00
12:00 y                                 2026-11-26T01:00:00+01:00
12:00 j                                 no
12:00 utc+2:30                          2026-11-26T10:30:00+01:00
12:00 utc+24:01                         no
12:00 utc +9223372036854775807          no
2020-07-01 CET                          no
2020-07-01 CEST                         2020-07-01T00:00:00+02:00
2020-07-01 CET DST                      2020-07-01T00:00:00+02:00
CEST DST                                no
2020-03-29 02:30                        no
2020-03-29 02:30 UTC                    2020-03-29T04:30:00+02:00
2020-03-28 02:30 1 day                  2020-03-29T03:30:00+02:00
2020-10-24 02:30 1 day                  2020-10-25T02:30:00+02:00
2020-10-26 02:30 1 day ago              2020-10-25T02:30:00+01:00
2020-10-25 02:30 CEST                   2020-10-25T02:30:00+02:00
2020-03-27 12:00 CET 3 days             2020-03-30T13:00:00+02:00
mon                                     2026-11-30T00:00:00+01:00
thu                                     2026-11-26T00:00:00+01:00
next thu                                2026-12-03T00:00:00+01:00
last friday                             2026-11-20T00:00:00+01:00
third mon                               2026-12-14T00:00:00+01:00
mon, 2 jan 2020                         2020-01-02T00:00:00+01:00
2 days ago 12:00                        2026-11-24T12:00:00+01:00
third day                               2026-11-29T14:51:32.5+01:00
fortnight ago                           2026-11-12T14:51:32.5+01:00
a fortnight ago                         2026-11-12T16:51:32.5+01:00
yesterday noon                          no
2020-03-31 1 month ago                  2020-03-02T00:00:00+01:00
2020-02-29 1 year                       2021-03-01T00:00:00+01:00
2020-01-01 -1.0000000001 sec            2019-12-31T23:59:58.999999999+01:00
2020-01-01 1.5 days                     no
2020-01-01 2147483640 days              5881630-07-04T00:00:00+02:00
2020-01-01 2147483648 days              no
2020-01-01 9223372036854775807 seconds  no
2020-01-01 9223372036854775807 years    no
2020-01-01 utc +1 day ago               no
0                                       2026-11-26T00:00:00+01:00
1230                                    2026-11-26T12:30:00+01:00
20200102                                2020-01-02T00:00:00+01:00
1/2 5pm 1999                            1999-01-02T17:00:00+01:00
1/2 now 1999                            no
1 2                                     no
99999999999999999999                    no
last                                    no
mon tue                                 no
2020-01-01 2020-01-02                   no
12:00 utc cet                           no
`[1:]) {
		text, want := strings.TrimRight(line[:40], " "), strings.TrimSpace(line[40:])
		got, ok := Parse(text, now)
		if shown := got.In(now.Location()).Format("2006-01-02T15:04:05.999999999Z07:00"); ok != (want != "no") || ok && shown != want {
			t.Errorf("%q: %s %v, want %s", text, shown, ok, want)
		}
	}
}

// FuzzParse reads texts. What is accepted is the same time when it is written out.
func FuzzParse(f *testing.F) {
	for _, list := range [][]string{dated, undated, clocks, zoneNames, days, shifts, numbers, noise} {
		for _, s := range list {
			f.Add(s)
		}
	}
	f.Add(`TZ="EST5EDT,M3.2.0,M11.1.0" 2020-07-01 12:00 mon 3 days ago`)
	f.Add(`TZ="XXX\\\"" -9223372036854775807 days -9223372036854775807 days`)
	now := time.Date(2026, 11, 26, 14, 51, 32, 0, Zone("Europe/Berlin"))
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := Parse(s, now)
		if !ok || d.UTC().Year() < 1000 || d.UTC().Year() > 9999 {
			return
		}
		if again, ok := Parse(d.UTC().Format("2006-01-02T15:04:05.999999999Z"), now); !ok || !again.Equal(d) {
			t.Errorf("%q: %v, again %v %v", s, d, again, ok)
		}
	})
}
