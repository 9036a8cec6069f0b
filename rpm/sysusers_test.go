package rpm

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

// encodeSysusers fills a line up as rpm does.
func encodeSysusers(line string) string {
	return base64.StdEncoding.EncodeToString([]byte(line + strings.Repeat("\x00", (3-len(line)%3)%3)))
}

func TestSysusers(t *testing.T) {
	provide := func(name, version string) Dep { return Dep{name, DepEqual, version} }
	for _, c := range []struct {
		name     string
		provides []Dep
		want     []string // nil: none
		bad      bool
	}{
		{"none", []Dep{{"user(x)", 0, ""}, provide("users", "1"), provide("other(x)", "1")}, nil, false},
		{"user and group", []Dep{provide("user(chrony)", encodeSysusers(`u chrony - "chrony user" /var/lib/chrony`)), provide("group(chrony)", encodeSysusers("g chrony 42")),
			provide("groupmember(chrony/clock)", encodeSysusers("m chrony clock"))},
			[]string{"g chrony 42", "m chrony clock", `u chrony - "chrony user" /var/lib/chrony`}, false},
		{"not base64", []Dep{provide("user(x)", "1.0-1")}, nil, true},
		{"two lines", []Dep{provide("user(x)", encodeSysusers("u x 1\nu root 0"))}, nil, true},
		{"two lines, the first with a tab", []Dep{provide("user(x)", encodeSysusers("u x\t1\nu root 0"))}, nil, true},
		{"another kind", []Dep{provide("user(x)", encodeSysusers("f /etc/passwd"))}, nil, true},
		{"empty", []Dep{provide("user(x)", "AAAA")}, nil, true},
		{"too long", []Dep{provide("user(x)", encodeSysusers("u "+strings.Repeat("x", MaxSysusersLine)))}, nil, true},
	} {
		b := small()
		b.Provides = c.provides
		got, err := readBytes(t, build(t, b)).Header.Sysusers()
		if (err != nil) != c.bad || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func FuzzSysusers(f *testing.F) {
	f.Add(encodeSysusers("u chrony - - /var/lib/chrony"))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		line, err := sysusersLine(s)
		if err == nil && (line == "" || strings.ContainsAny(line, "\n\r\x00")) {
			t.Errorf("%q: %q", s, line)
		}
	})
}

// FuzzDeps gives the tags of dependencies and triggers any strings.
func FuzzDeps(f *testing.F) {
	f.Add("foo", ">= 1:2-3", "/usr/lib", uint32(DepTriggerIn), uint32(0))
	f.Add("(a if b)", "", "", uint32(0), uint32(7))
	f.Fuzz(func(t *testing.T, name, version, path string, flags, index uint32) {
		entries := []Entry{StringEntry(TagName, "n"), StringEntry(TagVersion, "1"), StringEntry(TagRelease, "1"), StringEntry(TagSourceRPM, "x")}
		clean := func(s string) string { return strings.ReplaceAll(s, "\x00", "") }
		deps := []Dep{{clean(name), DepFlags(flags), clean(version)}, {clean(path), DepFlags(flags), ""}}
		for _, tags := range []depTags{provideTags, requireTags, conflictTags, supplementTags} {
			entries = append(entries, tags.entries(deps)...)
		}
		for _, tags := range []triggerTags{packageTriggerTags, fileTriggerTags, transFileTriggerTags} {
			for _, e := range tags.entries([]Trigger{{Body: clean(version), Conditions: deps}}) {
				if e.Tag == tags.index {
					e = Uint32Entry(tags.index, index, 0)
				}
				entries = append(entries, e)
			}
		}
		b, err := EncodeHeader(TagHeaderImmutable, entries)
		if err != nil {
			t.Fatal(err)
		}
		h, err := ParseHeader(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Check(); (err != nil) != (index > 0) {
			t.Errorf("%v", err)
		}
		touch(h)
		for _, d := range h.Requires() {
			_ = d.String()
			d.MatchedBy(deps[1])
			ParseRich(d.Name)
		}
		h.Sysusers()
	})
}
