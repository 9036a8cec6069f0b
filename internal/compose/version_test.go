package compose

import (
	"encoding/json"
	"testing"
	"time"
)

func TestNextVersion(t *testing.T) {
	now := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ prefix, suffix, last, want string }{
		{"22", ".", "", "22"},
		{"22", ".", "22", "22.1"},
		{"22", ".", "22.1", "22.2"},
		{"22", ".", "22.9", "22.10"},
		{"23", ".", "22.9", "23"},
		{"22", "-", "22-1", "22-2"},
		{"22", ".", "22.x", "22"},
		{"22.<date:%Y%m%d>", ".", "", "22.20260307.0"},
		{"22.<date:%Y%m%d>", ".", "22.20260307.0", "22.20260307.1"},
		{"22.<date:%Y%m%d>", ".", "22.20260306.4", "22.20260307.0"},
	} {
		got, err := NextVersion(tt.prefix, tt.suffix, tt.last, now)
		if err != nil || got != tt.want {
			t.Errorf("NextVersion(%q, %q, %q) = %q, %v, want %q", tt.prefix, tt.suffix, tt.last, got, err, tt.want)
		}
	}
	for _, bad := range []string{"22.<date:%Y", "22.<date:%Q>"} {
		if _, err := NextVersion(bad, ".", "", now); err == nil {
			t.Errorf("NextVersion accepts %q", bad)
		}
	}
}

func TestMutateOSRelease(t *testing.T) {
	text := "NAME=Lab\nVERSION=\"12 (Lab)\"\nVERSION_ID=12\nPRETTY_NAME=\"Lab 12\"\nOSTREE_VERSION='old'\n"
	want := "NAME=Lab\nVERSION=\"12.3 (Lab)\"\nVERSION_ID=12\nPRETTY_NAME=\"Lab 12.3\"\nOSTREE_VERSION='12.3'\n"
	if got := mutateOSRelease(text, "12", "12.3"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFromJSON(t *testing.T) {
	for in, want := range map[string]string{
		`"s"`: `'s'`, `true`: `true`, `7`: `int64 7`, `1.5`: `1.5`,
		`["a", 1]`: `[<'a'>, <int64 1>]`, `{"b": 1, "a": "x"}`: `{'a': <'x'>, 'b': <int64 1>}`,
	} {
		var v any
		if err := json.Unmarshal([]byte(in), &v); err != nil {
			t.Fatal(err)
		}
		got, err := FromJSON(v)
		if err != nil || got.Print(true) != want {
			t.Errorf("FromJSON(%s) = %s, %v, want %s", in, got.Print(true), err, want)
		}
	}
	if _, err := FromJSON(nil); err == nil {
		t.Error("FromJSON accepts null")
	}
}
