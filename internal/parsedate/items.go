package parsedate

// parser takes items off a list of tokens and keeps what they say. Each kind of item is counted,
// as most may be there once only.
type parser struct {
	tokens []token

	dates      int
	year       token // none has no digits
	month, day int64

	times                      int
	hour, minute, second, nsec int64
	half                       int64 // of the day: 1 is before noon, 2 after; 0 is a clock of 24 hours

	weekdays       int
	weekday, weeks int64 // Sunday is 0; the weeks to go ahead

	zones  int
	offset int64 // of the zone, in seconds east of Greenwich
	local  bool  // the zone is a name of the local one: dst counts, not offset
	dst    bool

	shifts int
	shift  span
}

// span is a distance in time.
type span struct{ months, days, seconds, nsec int64 }

// next returns the kind of the next token, or 0.
func (p *parser) next() kind {
	if len(p.tokens) == 0 {
		return 0
	}
	return p.tokens[0].kind
}

// take takes the next token if it is of one of some kinds.
func (p *parser) take(kinds ...kind) (token, bool) {
	for _, k := range kinds {
		if p.next() == k {
			t := p.tokens[0]
			p.tokens = p.tokens[1:]
			return t, true
		}
	}
	return token{}, false
}

// item takes one item of at least one token. A token continues what is before it wherever it can,
// even if what follows then is wrong: "2 jan 12:00" has a year 12.
func (p *parser) item() bool {
	if p.next() == unit {
		return p.relative(token{value: 1}, true)
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	switch t.kind {
	case integer:
		return p.number(t)
	case signed, decimal, signedDecimal:
		return p.relative(t, true)
	case ordinal:
		if day, ok := p.take(weekday); ok {
			return p.dayOfWeek(t.value, day)
		}
		return p.relative(t, true)
	case dayShift:
		p.shifts++
		return addTo(&p.shift.days, t.value, 1)
	case month:
		return p.monthFirst(t)
	case weekday:
		p.take(',')
		return p.dayOfWeek(0, t)
	case zone, dayZone, letterT:
		return p.zone(t)
	case localZone:
		_, dst := p.take(dst)
		p.zones++
		p.local, p.dst = true, dst || t.value != 0
		return !dst || t.value == 0
	}
	return false
}

// number takes what begins with a number.
func (p *parser) number(n token) bool {
	switch p.next() {
	case ':':
		return p.clock(n, false)
	case meridian:
		half, _ := p.take(meridian)
		p.half = half.value
		return p.timeOfDay(n.value, 0, token{})
	case '/':
		return p.slashed(n)
	case month:
		m, _ := p.take(month)
		year, _ := p.take(integer, signed)
		return p.date(year, m.value, n.value)
	case weekday:
		day, _ := p.take(weekday)
		return p.dayOfWeek(n.value, day)
	case unit:
		return p.relative(n, true)
	case signed:
		return p.hyphened(n)
	}
	return p.bare(n)
}

// hyphened takes what begins with a number and a signed one: an ISO 8601 date, the zone after an
// hour, or a bare number before the number of a unit.
func (p *parser) hyphened(n token) bool {
	s, _ := p.take(signed)
	if day, ok := p.take(signed); ok {
		p.date(n, -s.value, -day.value)
		if _, ok := p.take(letterT); ok {
			hour, ok := p.take(integer)
			return ok && p.clock(hour, true)
		}
		return true
	}
	if p.next() == unit {
		return p.bare(n) && p.relative(s, false)
	}
	return p.timeOfDay(n.value, 0, token{}) && p.zoneOff(0, s)
}

// bare takes a number that stands for itself: a year after a date without one, a date of more
// than four digits, else a time of day.
func (p *parser) bare(n token) bool {
	switch v := n.value; {
	case p.dates > 0 && p.year.digits == 0 && p.shifts == 0 && (p.times > 0 || n.digits > 2):
		p.year = n
		return true
	case n.digits > 4:
		return p.date(token{value: v / 10000, digits: n.digits - 4}, v/100%100, v%100)
	case n.digits > 2:
		return p.timeOfDay(v/100, v%100, token{})
	default:
		return p.timeOfDay(v, 0, token{})
	}
}

// slashed takes the rest of MONTH/DAY, MONTH/DAY/YEAR or YEAR/MONTH/DAY.
func (p *parser) slashed(a token) bool {
	p.take('/')
	b, ok := p.take(integer)
	if !ok {
		return false
	}
	if _, more := p.take('/'); !more {
		return p.date(token{}, a.value, b.value)
	}
	c, ok := p.take(integer)
	if a.digits >= 4 {
		return ok && p.date(a, b.value, c.value)
	}
	return ok && p.date(c, a.value, b.value)
}

// monthFirst takes the rest of MONTH DAY, of MONTH DAY, YEAR or of MONTH-DAY-YEAR.
func (p *parser) monthFirst(m token) bool {
	if day, ok := p.take(signed); ok {
		year, ok := p.take(signed)
		return ok && p.date(year, m.value, -day.value)
	}
	day, ok := p.take(integer)
	var year token
	if _, more := p.take(','); ok && more {
		year, ok = p.take(integer)
	}
	return ok && p.date(year, m.value, day.value)
}

// date keeps a date. A year without digits is the one named before, or this one.
func (p *parser) date(year token, month, day int64) bool {
	p.dates++
	p.month, p.day = month, day
	if year.digits > 0 {
		p.year = year
		p.year.value = max(year.value, -year.value) // the sign is a hyphen
		if year.kind == signed && year.value > 0 {
			p.year.digits = 4 // a plus is none; the century is not added
		}
	}
	return true
}

// clock takes what follows an hour: minutes, seconds, and the half of the day or a zone. In ISO
// 8601 there are no halves, and the minutes may lack where there is a zone.
func (p *parser) clock(hour token, iso bool) bool {
	var minute, second token
	_, ok := p.take(':')
	if ok {
		if minute, ok = p.take(integer); !ok {
			return false
		}
		if _, more := p.take(':'); more {
			if second, ok = p.take(integer, decimal); !ok {
				return false
			}
		}
	}
	p.timeOfDay(hour.value, minute.value, second)
	if zone, named := p.take(signed); named {
		return p.zoneOff(0, zone)
	}
	if half, named := p.take(meridian); named {
		p.half = half.value
		return !iso
	}
	return ok
}

// timeOfDay keeps a time of day.
func (p *parser) timeOfDay(hour, minute int64, second token) bool {
	p.times++
	p.hour, p.minute, p.second, p.nsec = hour, minute, second.value, second.nsec
	return true
}

// zone takes what may follow the name of a zone: an offset that is added, or "DST". The signed
// number of a unit is left to that, which then takes no "ago".
func (p *parser) zone(z token) bool {
	var s token
	number := false
	if z.kind != dayZone {
		s, number = p.take(signed)
	}
	if number && p.next() != unit {
		return z.kind == zone && p.zoneOff(z.value, s)
	}
	p.zones++
	p.offset = z.value
	if number {
		return p.relative(s, false)
	}
	if _, ok := p.take(dst); ok {
		p.offset += 3600
		return z.kind == zone
	}
	return true
}

// zoneOff keeps a zone that is H, HH, HHMM or HH:MM off a base in seconds. That is a day at most.
func (p *parser) zoneOff(base int64, off token) bool {
	hours, minutes := off.value, int64(0)
	if _, ok := p.take(':'); ok {
		m, ok := p.take(integer)
		if !ok {
			return false
		}
		if minutes = m.value; off.negative {
			minutes = -minutes
		}
	} else if off.digits > 2 {
		hours, minutes = hours/100, hours%100
	}
	const day = 24 * 60
	if max(hours, -hours, minutes, -minutes) > 2*day { // so the product is not out of range
		return false
	}
	minutes += 60 * hours
	p.zones++
	p.offset = base + 60*minutes
	return max(minutes, -minutes) <= day
}

// dayOfWeek keeps a day of the week that is some weeks ahead.
func (p *parser) dayOfWeek(weeks int64, day token) bool {
	p.weekdays++
	p.weekday, p.weeks = day.value, weeks
	return true
}

// relative takes the unit that a number has, and an "ago" that may follow. Only seconds have
// fractions.
func (p *parser) relative(n token, mayTurn bool) bool {
	u, ok := p.take(unit)
	if !ok || (n.kind == decimal || n.kind == signedDecimal) && u.span.seconds != 1 {
		return false
	}
	if turn, ok := p.take(ago); ok {
		if !mayTurn {
			return false
		}
		n.value, n.nsec = n.value*turn.value, n.nsec*turn.value
	}
	p.shifts++
	return addTo(&p.shift.months, n.value, u.span.months) && addTo(&p.shift.days, n.value, u.span.days) &&
		addTo(&p.shift.seconds, n.value, u.span.seconds) && addTo(&p.shift.nsec, n.nsec, 1)
}

// addTo adds n times by, unless that is out of range. by is small and not negative.
func addTo(sum *int64, n, by int64) bool {
	product := n * by
	total, ok := add(*sum, product)
	*sum = total
	return ok && (by == 0 || product/by == n)
}
