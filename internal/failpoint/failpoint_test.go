package failpoint

import "testing"

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		env   string
		name  string
		fail  bool
		after int64
	}{
		{"a.b", "a.b", false, 1},
		{"a.b=error", "a.b", true, 1},
		{"a.b@3", "a.b", false, 3},
		{"a.b@3=error", "a.b", true, 3},
		{"a.b@x", "a.b", false, 1},
	} {
		a := parse(tt.env)
		if a.name != tt.name || a.fail != tt.fail || a.after != tt.after {
			t.Errorf("parse(%q) = %q %v %d", tt.env, a.name, a.fail, a.after)
		}
	}
	if parse("") != nil {
		t.Error("parse of the empty string arms a point")
	}
	if err := At("anything"); err != nil {
		t.Errorf("At without arming: %v", err)
	}
}
