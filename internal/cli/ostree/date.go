package ostree

import (
	"fmt"
	"os"
	"time"

	"rpmostree/internal/parsedate"
)

// parseDate reads a date as date(1) of GNU does; see parsedate. It is in the zone of the variable
// TZ or else the machine's, unless it names one.
func parseDate(s string) (time.Time, error) {
	now := time.Now()
	if rule, ok := os.LookupEnv("TZ"); ok {
		now = now.In(parsedate.Zone(rule))
	}
	t, ok := parsedate.Parse(s, now)
	if !ok {
		return time.Time{}, fmt.Errorf("Could not parse '%s'", s)
	}
	return t, nil
}
