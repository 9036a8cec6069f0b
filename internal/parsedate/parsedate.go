// Package parsedate reads dates as people write them: what date(1) of GNU takes, which is what
// the C program's options take. The language is that of the chapter "Date input formats" of the
// manual of GNU coreutils; what the manual leaves open is as the programs were seen to do it.
package parsedate

import (
	"math"
	"strings"
	"time"
)

// limit bounds years and days of the month, which are int in C's struct tm. What is beyond is
// refused; the C program takes some of it and wraps around.
const limit = math.MaxInt32

// Parse returns the time that a text means at a time now, in whose zone the text is read unless
// it names another. The empty text is the beginning of the day. ok is false for what is no date,
// and for what is not on the calendar or was skipped by a clock set forward.
func Parse(s string, now time.Time) (t time.Time, ok bool) {
	loc := now.Location()
	s = strings.TrimLeft(s, spaces)
	if rule, rest, found := cutRule(s); found {
		loc, s = Zone(rule), rest
	}
	tokens, ok := scan(s, localNames(now, loc))
	if !ok {
		return time.Time{}, false
	}
	if len(tokens) == 2 && tokens[0].kind == '@' {
		n := tokens[1]
		return time.Unix(n.value, n.nsec), n.isNumber()
	}
	p := parser{tokens: tokens}
	for len(p.tokens) > 0 {
		if !p.item() {
			return time.Time{}, false
		}
	}
	return p.resolve(now.In(loc))
}

// resolve puts the items together: the date and the time of day first, in the zone of now; then
// the day of the week, months and days; then the zone that the text names; last seconds.
func (p *parser) resolve(now time.Time) (t time.Time, ok bool) {
	if p.dates > 1 || p.times > 1 || p.weekdays > 1 || p.zones > 1 {
		return time.Time{}, false
	}
	if p.times == 0 && p.shifts > 0 && p.dates == 0 && p.weekdays == 0 {
		p.hour, p.minute, p.second, p.nsec = int64(now.Hour()), int64(now.Minute()), int64(now.Second()), int64(now.Nanosecond())
	}
	wall, ok := p.wall(now)
	if !ok {
		return time.Time{}, false
	}
	loc := now.Location()
	sec, exact := settle(wall, loc, 0)
	switch {
	case p.local:
		sec, exact = settleDST(wall, loc, sec, p.dst)
	case p.zones > 0 && !exact: // the local clock skips it, the other need not
		loc = time.FixedZone("", int(p.offset))
		sec, exact = wall-p.offset, true
	}
	if !exact {
		return time.Time{}, false
	}
	moved, ok := p.move(wall)
	if !ok {
		return time.Time{}, false
	}
	if moved != wall {
		off := offset(sec, loc)
		sec, _ = settle(moved, loc, off)
		if p.local {
			if sec, exact = settleDST(moved, loc, sec, p.dst); !exact { // the named offset stays
				sec = moved - off
			}
		}
	}
	if p.zones > 0 && !p.local {
		sec += offset(sec, loc) - p.offset
	}
	if sec, ok = add(sec, p.shift.seconds); !ok {
		return time.Time{}, false
	}
	return time.Unix(sec, p.nsec+p.shift.nsec).In(now.Location()), true
}

// wall returns what the clock on the wall shows at the items' date and time of day, in seconds
// since 1970-01-01 00:00 on that clock.
func (p *parser) wall(now time.Time) (sec int64, ok bool) {
	year, month, day := int64(now.Year()), int64(now.Month()), int64(now.Day())
	if p.dates > 0 {
		month, day = p.month, p.day
	}
	if p.year.digits > 0 {
		year = p.year.value
		if p.year.digits == 2 {
			if year += 1900; year < 1969 {
				year += 100
			}
		}
	}
	hour := p.hour
	if p.half > 0 {
		if hour < 1 || hour > 12 {
			return 0, false
		}
		hour = hour%12 + 12*(p.half-1)
	}
	if year > limit || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || p.minute > 59 || p.second > 59 {
		return 0, false
	}
	t := time.Date(int(year), time.Month(month), int(day), int(hour), int(p.minute), int(p.second), 0, time.UTC)
	return t.Unix(), t.Day() == int(day)
}

// move moves what a clock shows to a day of the week, unless there was a date, and then by months
// and days.
func (p *parser) move(wall int64) (moved int64, ok bool) {
	if p.weekdays > 0 && p.dates == 0 {
		ahead := (p.weekday - int64(time.Unix(wall, 0).UTC().Weekday()) + 7) % 7
		weeks := p.weeks
		if weeks > 0 && ahead > 0 {
			weeks-- // the first one that is to come
		}
		if weeks > limit/7 {
			return 0, false
		}
		wall += (ahead + 7*weeks) * 24 * 3600
	}
	t := time.Unix(wall, 0).UTC()
	days, ok := add(int64(t.Day()), p.shift.days)
	months := p.shift.months
	if !ok || days > limit || days < -limit || months > 12*limit || months < -12*limit {
		return 0, false
	}
	t = time.Date(t.Year(), t.Month()+time.Month(months), int(days), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	return t.Unix(), max(t.Year(), -t.Year()) <= limit
}

// add adds, unless the sum is out of range.
func add(a, b int64) (sum int64, ok bool) {
	sum = a + b
	return sum, sum > a == (b > 0)
}
