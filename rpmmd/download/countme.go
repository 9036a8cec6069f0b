package download

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Once a week the request for a metalink tells how long the machine has been there, so
// that machines can be counted: 1 in its first week, 2 up to the fourth, 3 up to the
// 24th, 4 after that (libdnf's Repo.cpp). It is a random one of the first requests in a
// week, because machines that are refreshed together would all ask at the same time.
const (
	countmeWeek   = 7 * 24 * 3600
	countmeOffset = 4 * 24 * 3600 // the first Monday of 1970
	countmeBudget = 4
	countmeName   = "countme"
)

var countmeWeeks = []int64{2, 5, 25}

// countme returns the URL of a metalink or mirrorlist with what is to be told.
func (r *refresher) countme(url string) string {
	if !r.d.opts.CountMe || !r.Config.CountMe {
		return url
	}
	n := r.countmeBucket(r.d.opts.Now())
	if n == 0 {
		return url
	}
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	return fmt.Sprintf("%s%scountme=%d", url, separator, n)
}

// countmeBucket returns what is to be told, zero for nothing, and notes it.
func (r *refresher) countmeBucket(now time.Time) int {
	name := filepath.Join(r.dir, countmeName)
	var epoch, window int64
	budget := -1
	if b, err := os.ReadFile(name); err == nil {
		if _, err := fmt.Sscanf(string(b), "0 %d %d %d\n", &epoch, &window, &budget); err != nil {
			epoch, window, budget = 0, 0, -1
		}
	}
	if now.Unix()-window < countmeWeek {
		return 0 // counted
	}
	if budget < 0 {
		budget = 1 + rand.IntN(countmeBudget)
	}
	bucket := 0
	if budget--; budget <= 0 {
		budget = -1
		window = now.Unix() - (now.Unix()-countmeOffset)%countmeWeek
		if epoch == 0 {
			epoch = window
		}
		week := (window-epoch)/countmeWeek + 1
		for bucket = 1; bucket <= len(countmeWeeks) && week >= countmeWeeks[bucket-1]; bucket++ {
		}
	}
	// If it cannot be noted, it must not be told: it would be told again and again.
	if os.WriteFile(name, fmt.Appendf(nil, "0 %d %d %d\n", epoch, window, budget), 0o644) != nil {
		return 0
	}
	return bucket
}
