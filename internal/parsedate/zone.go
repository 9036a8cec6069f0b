package parsedate

import (
	"strings"
	"time"
)

// zones are names of zones, in minutes east of Greenwich; dayZones those in summer.
var (
	zones = map[string]int64{
		"wet": 0, "art": -180, "brt": -180, "nst": -210, "ast": -240, "clt": -240, "est": -300, "cst": -360,
		"mst": -420, "pst": -480, "akst": -540, "hst": -600, "hast": -600, "sst": -720, "wat": 60, "cet": 60,
		"met": 60, "mez": 60, "eet": 120, "cat": 120, "sast": 120, "eat": 180, "msk": 180, "ist": 330,
		"sgt": 480, "kst": 540, "jst": 540, "gst": 600, "nzst": 720,
	}
	dayZones = map[string]int64{
		"west": 60, "bst": 60, "brst": -120, "ndt": -150, "adt": -180, "clst": -180, "edt": -240, "cdt": -300,
		"mdt": -360, "pdt": -420, "akdt": -480, "hadt": -540, "cest": 120, "mest": 120, "mesz": 120, "eest": 180,
		"msd": 240, "nzdt": 780,
	}
)

// localNames are the names that the local zone has now and at the other time of the year. The C
// program takes the latter from the zone that the text sets, but not the former.
func localNames(now time.Time, loc *time.Location) map[string]token {
	name, _ := now.Zone()
	names := map[string]token{strings.ToLower(name): localToken(now.IsDST())}
	for quarter := range 3 {
		t := now.AddDate(0, 0, 90*(quarter+1)).In(loc)
		if t.IsDST() != now.IsDST() {
			name, _ := t.Zone()
			names[strings.ToLower(name)] = localToken(t.IsDST())
			break
		}
	}
	return names
}

func localToken(dst bool) token {
	if dst {
		return token{kind: localZone, value: 1}
	}
	return token{kind: localZone}
}

// zoneNamed returns the zone of a name in lower case. The local names come before others, which
// may be of another place, but not before UTC.
func zoneNamed(name string, local map[string]token) (token, bool) {
	switch name {
	case "utc", "ut", "gmt":
		return token{kind: zone}, true
	}
	if t, ok := local[name]; ok {
		return t, true
	}
	if minutes, ok := zones[name]; ok {
		return token{kind: zone, value: 60 * minutes}, true
	}
	minutes, ok := dayZones[name]
	return token{kind: dayZone, value: 60 * minutes}, ok
}

// letterZone returns the zone of a letter as RFC 822 had it: east and west are interchanged, as
// they are in the C program. There is no J.
func letterZone(c byte) (token, bool) {
	hours, t := int64(0), token{kind: zone}
	switch {
	case c >= 'a' && c <= 'i':
		hours = -int64(c-'a') - 1
	case c >= 'k' && c <= 'm':
		hours = -int64(c-'k') - 10
	case c >= 'n' && c <= 'y':
		hours = int64(c-'n') + 1
	case c != 'z':
		return t, false
	}
	if c == 't' {
		t.kind = letterT
	}
	t.value = 3600 * hours
	return t, true
}

// cutRule cuts TZ="RULE" off the beginning of a text. A backslash quotes itself and the quote.
func cutRule(s string) (rule, rest string, found bool) {
	s, found = strings.CutPrefix(s, `TZ="`)
	for i := 0; found && i < len(s); i++ {
		switch {
		case s[i] == '"':
			return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(s[:i]), s[i+1:], true
		case s[i] == '\\':
			if i++; i == len(s) || s[i] != '\\' && s[i] != '"' {
				return "", "", false
			}
		}
	}
	return "", "", false
}

// Zone returns the zone of a value of the variable TZ: the name of a file of the system's time
// zones, or a rule of POSIX like "CET-1CEST,M3.5.0,M10.5.0/3". What is neither is UTC.
func Zone(rule string) *time.Location {
	name := strings.TrimPrefix(strings.TrimPrefix(rule, ":"), "/usr/share/zoneinfo/")
	if loc, err := time.LoadLocation(name); err == nil && name != "Local" {
		return loc
	}
	// A file of version 2 with one zone, UTC, and no time of change but the rule that comes last.
	const (
		magic = "TZif2\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		none  = "\x00\x00\x00\x00"
	)
	file := magic + none + none + none + none + none + none +
		magic + none + none + none + none + "\x00\x00\x00\x01" + "\x00\x00\x00\x04" + none + "\x00\x00" + "UTC\x00" + "\n" + rule + "\n"
	if loc, err := time.LoadLocationFromTZData(rule, []byte(file)); err == nil {
		return loc
	}
	return time.UTC
}

// offset returns how far a zone is east of Greenwich at a time, both in seconds.
func offset(sec int64, loc *time.Location) int64 {
	_, off := time.Unix(sec, 0).In(loc).Zone()
	return int64(off)
}

// settle finds the time at which a clock in a zone shows what a clock in UTC shows at wall. guess
// is an offset of the zone at another time: of two times that fit, the one it leads to is taken.
// If the clock skips what is to be shown, exact is false, and the time is as far from wall as the
// clock was before or will be after, preferably in summer.
func settle(wall int64, loc *time.Location, guess int64) (sec int64, exact bool) {
	sec = wall - guess
	for range 3 {
		next := wall - offset(sec, loc)
		if next == sec {
			return sec, true
		}
		if again := wall - offset(next, loc); again == sec {
			if time.Unix(next, 0).In(loc).IsDST() && !time.Unix(sec, 0).In(loc).IsDST() {
				return next, false
			}
			return sec, false
		}
		sec = next
	}
	return sec, false
}

// settleDST turns a time at which the clock shows wall to the one in summer or winter, where
// there are both or the time is of the wanted kind. Otherwise ok is false.
func settleDST(wall int64, loc *time.Location, sec int64, dst bool) (int64, bool) {
	before, after := time.Unix(sec, 0).In(loc).ZoneBounds()
	for _, t := range []int64{sec, wall - offset(before.Unix()-1, loc), wall - offset(after.Unix(), loc)} {
		if u := time.Unix(t, 0).In(loc); u.IsDST() == dst && t+offset(t, loc) == wall {
			return t, true
		}
	}
	return 0, false
}
