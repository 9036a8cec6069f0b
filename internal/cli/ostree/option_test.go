package ostree

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	t.Setenv("TZ", "America/New_York")
	for s, want := range map[string]int64{
		"@5": 5, "@-1": -1, "1970-01-02": 86400 + 5*3600, "2005-10-29 12:43:29 +0000": 1130589809, "October 25 1985": 499060800,
		"1970-01-01T00:00:09Z": 9, "Thu, 01 Jan 1970 00:00:07 +0000": 7, "TZ=\"UTC\" 2 jan 1970": 86400,
	} {
		got, err := parseDate(s)
		if err != nil || got.Unix() != want {
			t.Errorf("%q: %v %v, want %d", s, got.Unix(), err, want)
		}
	}
	for _, s := range []string{"@", "@x", "soon", "2 bananas ago", "2005-13-01"} {
		if got, err := parseDate(s); err == nil || err.Error() != "Could not parse '"+s+"'" {
			t.Errorf("%q: accepted as %v (%v)", s, got, err)
		}
	}
}

// TestTimestampLikeC compares commits by their checksums, with what the C program understands
// otherwise than date(1) does: zones of letters, and the local ones that a text sets.
func TestTimestampLikeC(t *testing.T) {
	c := needC(t)
	t.Setenv("TZ", "UTC")
	dirs := [2]string{t.TempDir(), t.TempDir()}
	for _, dir := range dirs {
		if err := os.Mkdir(filepath.Join(dir, "tree"), 0o755); err != nil {
			t.Fatal(err)
		}
		if out, status := theirs(t, c, dir, "--repo=r", "init", "--mode=archive"); status != 0 {
			t.Fatal(out)
		}
	}
	texts := []string{"", "12:00", "yesterday 5pm", "mon", "1/2", "@-1", "@5.9", "@5,x", "@-5.5", "2020-01-01 12:00 j", "2020-01-01 12:00 t dst", "soon",
		"2020-01-01T12:34:56,7+05:30", "2 jan 2020 mon 3 days ago", "2020-02-30", "TZ=\"UTC", "TZ=\"XXX-5:30\" 2020-01-01",
		"TZ=\"Europe/Berlin\" 2020-03-29 02:30", "TZ=\"Europe/Berlin\" 2020-03-28 02:30 1 day", "TZ=\"Europe/Berlin\" 2020-10-25 02:30",
		"TZ=\"Europe/Berlin\" 2020-07-01 CET", "TZ=\"Europe/Berlin\" 2020-07-01 12:00 +2 hours", "TZ=\"Asia/Jerusalem\" 2020-01-01 IST"}
	for letter := 'a'; letter <= 'z'; letter += 3 {
		texts = append(texts, "2020-01-01 12:00 "+string(letter))
	}
	for _, s := range texts {
		args := []string{"--repo=r", "commit", "--orphan", "--canonical-permissions", "--timestamp=" + s, "tree"}
		var want, got string
		var wantStatus, status int
		for day := 0; day != time.Now().UTC().Day(); { // again, if it was over midnight
			day = time.Now().UTC().Day()
			want, wantStatus = theirs(t, c, dirs[0], args...)
			got, status = ours(t, dirs[1], args...)
		}
		if got != want || status != wantStatus {
			t.Errorf("%q: status %d: %s, want %d: %s", s, status, got, wantStatus, want)
		}
	}
}

// FuzzSourceDate reads numbers as strtoll does: what is read is what it begins with.
func FuzzSourceDate(f *testing.F) {
	for _, s := range []string{"5", " +7x", "-1", "x", "", "9223372036854775808"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := sourceDate(s)
		if again, err2 := sourceDate(strconv.FormatInt(n, 10) + "x"); err == nil && (err2 != nil || again != n) {
			t.Errorf("%q: %d, again %d (%v)", s, n, again, err2)
		}
	})
}
