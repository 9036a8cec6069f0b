package parsedate

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rpmostree/internal/treetest"
)

// The fragments that TestLikeDate puts together. Letters are left out, as zones that ours and the
// program understand in opposite ways.
var (
	dated = strings.Split("2020-01-02|2020-02-29|2019-02-29|2020-03-29|2020-03-08|20-7-9|69-1-1|068-1-1|2020-1-1|2020-13-01|2020 -1 -1|1970-01-01T00:00:00Z|"+
		"2020-02-29T12:34|2020-02-29T12:34:56,789+05:30|2020-02-29 T 12 +2|2020-02-29T12|20200229|200229|20190229|0200229|12345|1/2/2020|1/2/20|2020/1/2|1/2/3/4|13/1/2020|"+
		"2 jan 2020|2 january, 2020|2jan2020|31-dec-99|jan 2, 2020|Sept 30 2020|feb-29-2020|feb. 29, 2019|jan -2 -99|2 jan +1999|1999-12-31|2020-10-26|2020-11-02", "|")
	undated = strings.Split("1/2|2 jan|jan 2|may 5,|jan. 31|september 31|10 feb|2/30|oct-9", "|")
	clocks  = strings.Split("12:00|0:0|23:59:59|23:59:60|24:00|02:30|12:00:00.5|1:2:3,25|12:60|12am|12 pm|5pm|0 am|13pm|5:30 p.m.|11:59:59.5 A.M.|12 a.m|12 : 30|"+
		"12:00 +2|12:00-0530|12:00 +5:30|12:00 -0:30|12:00 +24|12:00 +2401|12:00 +24:01|12:00 +230|12:00 + 2|12 +2|12:30 pm +2|02:30 +01:00|12:|:30|5:30.5", "|")
	zoneNames = strings.Split("UTC|gmt|ut|Z|u.t.c.|utc+2|utc -0230|UTC+25|EST|EST +1|EDT|EST DST|CET|CEST|cet -1|CET DST|MSK|MSK DST|msd +1|ist|nst|ndt|hst|sst|nzdt|BST|"+
		"wet|west|jst|c.e.t.|xyz|utc.|z.|utc utc", "|")
	days   = strings.Split("mon|tue.|Wednesday,|thurs|tues.|next sat|last fri|third sun|3 mon|this thu|-1 mon|1 wed|20 sat|first tue|mon ,|twelfth friday|last monday", "|")
	shifts = strings.Split("1 day|day|+1 day|-1 day|2 days ago|- 3 weeks|third month|last month|next year|this hour|month|-1 month|1 month ago|13 months|4 years|-4 years ago|"+
		"fortnights|fortnight ago|+36 hours|90 minutes|90 mins ago|1000000 seconds|-1.5 sec|1.25 secs ago|1.5 days|second|1 second|sec ago|1 year 1 month 1 day|2 days hence|"+
		"yesterday|tomorrow|today|now|next week|ago|1 ago|99999999999999 days|-50 years|9999999999 seconds|99999999999999999999 s|"+
		"0 days|last day ago|tomorrow ago|eleventh hour|--1 day|+-1 day|1-day|day day", "|")
	numbers = strings.Split("0|9|12|24|99|100|959|1230|2400|1999|02020|123456|00|-1|+5|1.5|1 2", "|")
	noise   = strings.Split("(comment)|(a (nested) one)|(open|)|-|,|+|.|;|/|@5|@ -5.5|last|dst|-(x)|at|noon|January|mon.day|d.ay", "|")
)

// TestLikeDate compares with date(1) what is accepted and what it means, for random texts.
// Texts that mean something else after the program than before are asked for acceptance only.
func TestLikeDate(t *testing.T) {
	for i, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"} {
		rnd := rand.New(rand.NewPCG(uint64(i), 7))
		pick := func(list []string) string { return list[rnd.IntN(len(list))] }
		kinds := [][]string{clocks, clocks, shifts, shifts, shifts, zoneNames, days, numbers}
		var texts []string
		for range 5000 {
			parts := []string{pick(dated)}
			if zone == "UTC" && rnd.IntN(3) == 0 { // elsewhere the clocks may change today
				parts[0] = pick(undated)
			}
			for range rnd.IntN(4) {
				parts = append(parts, pick(kinds[rnd.IntN(len(kinds))]))
			}
			if rnd.IntN(20) == 0 {
				parts = append(parts, pick(noise))
			}
			rnd.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
			texts = append(texts, strings.Join(parts, " "))
		}
		if zone == "UTC" {
			texts = slices.Concat(texts, dated, undated, clocks, zoneNames, days, shifts, numbers, noise)
		}
		for _, rule := range []string{"America/New_York", ":Asia/Tokyo", "XXX-5:30", "ABC5DEF,M3.2.0,M11.1.0", "<+03>-3", "rubbish", "", `a\"b`, `a\b`, `a`} {
			for _, rest := range []string{" 2020-07-01 12:00", "2020-01-01 12:00 +2", " 2020-03-08 02:30", " 2020-01-01 UTC 1 month", "@5", "12:00", ""} {
				texts = append(texts, ` TZ="`+rule+`"`+rest)
			}
		}
		t.Run(zone, func(t *testing.T) { compare(t, zone, texts) })
	}
}

func compare(t *testing.T, zone string, texts []string) {
	before := time.Now().In(Zone(zone))
	answers := askDate(t, zone, texts)
	after := time.Now().In(before.Location())
	accepted, failed := 0, 0
	for i, s := range texts {
		got, ok := Parse(s, before)
		later, still := Parse(s, after)
		want := answers[i]
		switch {
		case ok != still:
		case ok != (want != ""):
			t.Errorf("%q: accepted is %v, of date it is %q", s, ok, want)
			failed++
		case ok && got.Year() > 9999 && zone != "UTC": // the clocks of then are anyone's guess
		case ok && got.Equal(later) && want != show(got):
			t.Errorf("%q: %s, of date it is %s", s, show(got), want)
			failed++
		case ok:
			accepted++
		}
		if failed > 30 {
			t.Fatal("and so on")
		}
	}
	if accepted < len(texts)/10 {
		t.Errorf("only %d of %d texts are dates", accepted, len(texts))
	}
}

func show(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

// askDate returns the seconds since 1970 that date(1) prints for each text, and "" for those that
// it does not accept.
func askDate(t *testing.T, zone string, texts []string) []string {
	file := filepath.Join(t.TempDir(), "dates")
	if err := os.WriteFile(file, []byte(strings.Join(texts, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(treetest.Oracle(t, "date"), "-f", file, "+%s.%N")
	cmd.Env = []string{"TZ=" + zone, "LC_ALL=C"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && stderr.Len() == 0 {
		t.Fatal(err)
	}
	times, refused := bufio.NewScanner(&stdout), bufio.NewScanner(&stderr)
	more := refused.Scan()
	answers := make([]string, len(texts))
	for i, s := range texts {
		if more && strings.HasSuffix(refused.Text(), "date: invalid date '"+strings.ReplaceAll(s, `\`, `\\`)+"'") {
			more = refused.Scan()
		} else if times.Scan() {
			answers[i] = times.Text()
		}
	}
	if more || times.Scan() {
		t.Fatalf("the answers are not understood: %s", strconv.Quote(refused.Text()))
	}
	return answers
}
