package ostree

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// dateLayouts are the absolute forms that parseDate knows, in the order of trying.
// Those without a zone are in local time.
var dateLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05-07",
	"2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 -07:00", "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05-0700", "2006-01-02 15:04:05-07:00", "2006-01-02 15:04:05Z07:00",
	"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04 -0700", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02", "20060102",
	time.RFC1123Z, time.RFC1123, time.UnixDate, time.ANSIC, "Mon 02 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04:05 -0700", "2 Jan 2006", "Jan 2 2006", "Jan 2, 2006", "2 January 2006", "January 2 2006", "January 2, 2006", "Jan 2 2006 15:04:05", "January 2 2006 15:04:05",
	"Mon Jan 2 15:04:05 MST 2006", "Mon Jan _2 03:04:05 PM MST 2006",
}

// parseDate reads a date: "@" and seconds since 1970, "now", "today", "yesterday", an
// absolute date as date(1) and RFC 3339 write it, or a distance from now like "2 days ago".
func parseDate(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if secs, ok := strings.CutPrefix(s, "@"); ok {
		if n, err := strconv.ParseInt(secs, 10, 62); err == nil && n >= 0 {
			return time.Unix(n, 0), nil
		}
		return time.Time{}, fmt.Errorf("Could not parse '%s'", s)
	}
	now := time.Now()
	switch strings.ToLower(s) {
	case "now", "today":
		return now, nil
	case "yesterday":
		return now.AddDate(0, 0, -1), nil
	case "tomorrow":
		return now.AddDate(0, 0, 1), nil
	}
	for _, layout := range dateLayouts {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	if t, ok := relativeDate(now, strings.Fields(strings.ToLower(s))); ok {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("Could not parse '%s'", s)
}

// relativeDate reads a number, a unit and perhaps "ago".
func relativeDate(now time.Time, words []string) (time.Time, bool) {
	if len(words) < 2 || len(words) > 3 || len(words) == 3 && words[2] != "ago" {
		return now, false
	}
	n, err := strconv.ParseInt(words[0], 10, 32)
	if err != nil {
		return now, false
	}
	if len(words) == 3 {
		n = -n
	}
	count := int(n)
	switch strings.TrimSuffix(words[1], "s") {
	case "sec", "second":
		return now.Add(time.Duration(n) * time.Second), true
	case "min", "minute":
		return now.Add(time.Duration(n) * time.Minute), true
	case "hour":
		return now.Add(time.Duration(n) * time.Hour), true
	case "day":
		return now.AddDate(0, 0, count), true
	case "week":
		return now.AddDate(0, 0, 7*count), true
	case "fortnight":
		return now.AddDate(0, 0, 14*count), true
	case "month":
		return now.AddDate(0, count, 0), true
	case "year":
		return now.AddDate(count, 0, 0), true
	}
	return now, false
}
