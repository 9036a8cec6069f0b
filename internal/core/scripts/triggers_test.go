package scripts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rpmostree/rpm"
)

// Which triggers run on what, with which arguments: as rpm's own transcripts have it.
func TestTriggers(t *testing.T) {
	cond := func(name string, flag rpm.DepFlags, evr string) rpm.Trigger {
		tr := trigger(name, "true", flag, 0)
		if evr != "" {
			tr.Conditions[0].Flags |= rpm.DepGreater | rpm.DepEqual
			tr.Conditions[0].EVR = evr
		}
		return tr
	}
	both := []rpm.Trigger{cond("target", rpm.DepTriggerPreIn, ""), cond("target", rpm.DepTriggerIn, "")}
	owner := header(t, rpm.Builder{Name: "owner", Triggers: both})
	target := header(t, rpm.Builder{Name: "target", Provides: []rpm.Dep{{Name: "target", Flags: rpm.DepEqual, EVR: "7"}}})
	old := header(t, rpm.Builder{Name: "target"})
	oldOwner := header(t, rpm.Builder{Name: "owner", Triggers: both})
	choosy := header(t, rpm.Builder{Name: "choosy", Triggers: []rpm.Trigger{cond("target", rpm.DepTriggerIn, "8")}})
	seven := header(t, rpm.Builder{Name: "seven", Triggers: []rpm.Trigger{cond("target", rpm.DepTriggerIn, "7")}})
	twice := header(t, rpm.Builder{Name: "twice", Triggers: []rpm.Trigger{cond("target", rpm.DepTriggerIn, ""), cond("target", rpm.DepTriggerIn, "")}})
	provider := header(t, rpm.Builder{Name: "provider", Provides: []rpm.Dep{{Name: "target"}}})
	self := header(t, rpm.Builder{Name: "self", Triggers: []rpm.Trigger{cond("self", rpm.DepTriggerIn, "")}})
	type list = []*rpm.Header
	for _, tt := range []struct {
		name string
		c    Change
		want string
	}{
		{"target comes", Change{Keep: list{owner}, Add: list{target}}, "owner.triggerprein 1 0, owner.triggerin 1 1"},
		{"target is upgraded", Change{Keep: list{owner}, Remove: list{old}, Add: list{target}}, "owner.triggerprein 1 1, owner.triggerin 1 2"},
		{"owner comes", Change{Keep: list{target}, Add: list{owner}}, "owner.triggerprein 0 1, owner.triggerin 1 1"},
		{"owner is upgraded", Change{Keep: list{target}, Remove: list{oldOwner}, Add: list{owner}}, "owner.triggerprein 1 1, owner.triggerin 2 1"},
		{"both come, owner first", Change{Add: list{owner, target}}, "owner.triggerprein 1 0, owner.triggerin 1 1"},
		{"both come, target first", Change{Add: list{target, owner}}, "owner.triggerprein 0 1, owner.triggerin 1 1"},
		{"only the owner", Change{Add: list{owner}}, ""},
		{"version does not match", Change{Keep: list{choosy}, Add: list{target}}, ""},
		{"version of a provide matches", Change{Keep: list{seven}, Add: list{target}}, "seven.triggerin 1 1"},
		{"one script for a pair", Change{Keep: list{twice}, Add: list{target}}, "twice.triggerin 1 1"},
		{"a provide by another name", Change{Keep: list{owner}, Add: list{provider}}, ""},
		{"the owner goes", Change{Remove: list{owner}, Add: list{target}}, ""},
		{"by itself", Change{Add: list{self}}, "self.triggerin 1 1"},
	} {
		var got []string
		for i := range tt.c.Add {
			for _, kind := range []rpm.ScriptKind{rpm.PreIn, rpm.PostIn} {
				for _, x := range tt.c.triggers(i, kind) {
					got = append(got, fmt.Sprintf("%s.%s %d %d", x.owner.Name(), x.kind, x.arg1, x.arg2))
				}
			}
		}
		if s := strings.Join(got, ", "); s != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, s, tt.want)
		}
	}
}

func TestInstall(t *testing.T) {
	var log []string
	r := Runner{Root: root(t), Log: func(id, line string) { log = append(log, id+": "+line) }}
	echo := `echo $# $1 $2 "$RPM_INSTALL_PREFIX"`
	target := header(t, rpm.Builder{Name: "target", Prefixes: []string{"/opt/t", "/usr"}, Scripts: []rpm.Script{
		{Kind: rpm.PreIn, Body: echo}, {Kind: rpm.PostIn, Body: echo + " %{NAME}-%{VERSION} 100%%", Flags: rpm.ScriptQFormat}}})
	owner := header(t, rpm.Builder{Name: "owner", Triggers: []rpm.Trigger{
		trigger("target", echo, rpm.DepTriggerIn, 0), trigger("target", echo, rpm.DepTriggerPreIn, 0), trigger("target", echo, rpm.DepTriggerUn, 0)}})
	c := Change{Keep: []*rpm.Header{owner}, Add: []*rpm.Header{target}}
	for _, kind := range []rpm.ScriptKind{rpm.PreIn, rpm.PostIn} {
		if err := r.Install(context.Background(), c, 0, kind); err != nil {
			t.Fatal(err)
		}
		if !c.HasTriggers(kind) {
			t.Errorf("%v: no triggers", kind)
		}
	}
	want := []string{"owner.triggerprein: 2 1 0 ", "target.prein: 1 1 /opt/t", "target.post: 1 1 /opt/t target-1 100%", "owner.triggerin: 2 1 1 "}
	for i := range log {
		log[i] = strings.ReplaceAll(log[i], "1  /opt", "1 /opt")
	}
	if !slices.Equal(log, want) {
		t.Errorf("log\n%s\nwant\n%s", strings.Join(log, "\n"), strings.Join(want, "\n"))
	}
}

func FuzzFormat(f *testing.F) {
	f.Add(`%{NAME} \n %% %{epoch}`)
	f.Fuzz(func(t *testing.T, s string) {
		h := header(t, rpm.Builder{Name: "n"})
		Format(s, h)
	})
}
