package scripts

import (
	"context"
	"slices"
	"strconv"

	"rpmostree/rpm"
)

// triggerEvents are the events on which a package trigger runs in an image:
// before and after another package is installed.
var triggerEvents = [...]struct {
	flag rpm.DepFlags
	name string
}{{rpm.DepTriggerPreIn, "triggerprein"}, {rpm.DepTriggerIn, "triggerin"}}

// A Change is what is done to a set of packages. Packages are added one after
// the other, and those that go are still there meanwhile, as rpm has it.
type Change struct {
	Keep, Remove []*rpm.Header
	Add          []*rpm.Header // in order of installation
}

// Replaces reports whether another version of the package was there before.
func (c Change) Replaces(h *rpm.Header) bool {
	return slices.ContainsFunc(c.Remove, func(r *rpm.Header) bool { return r.Name() == h.Name() })
}

// A firing is a trigger of a package that another package sets off.
type firing struct {
	owner  *rpm.Header
	kind   string
	script rpm.Trigger
	arg1   int // installed instances of the owner
	arg2   int // installed instances of the package that sets it off
}

// triggers returns what the installation of the package Add[i] sets off, in
// rpm's order: first the triggers of others that wait for it, then its own that
// wait for packages that are there. Before its %pre those of %triggerprein run,
// after its %post those of %triggerin.
func (c Change) triggers(i int, kind rpm.ScriptKind) []firing {
	event, present := triggerEvents[0], c.Add[:i]
	if kind == rpm.PostIn {
		event, present = triggerEvents[1], c.Add[:i+1]
	}
	count := func(name string) (n int) {
		for _, list := range [][]*rpm.Header{c.Keep, c.Remove, present} {
			for _, h := range list {
				if h.Name() == name {
					n++
				}
			}
		}
		return n
	}
	var out []firing
	// fire adds the trigger of owner that source sets off; one pair sets off one script at most.
	fire := func(owner, source *rpm.Header) {
		for _, t := range owner.Triggers() {
			if slices.ContainsFunc(t.Conditions, func(d rpm.Dep) bool { return d.Flags&event.flag != 0 && setOff(d, source) }) {
				out = append(out, firing{owner, event.name, t, count(owner.Name()), count(source.Name())})
				return
			}
		}
	}
	added := c.Add[i]
	for _, list := range [][]*rpm.Header{c.Keep, c.Add[:i]} {
		for _, owner := range list {
			fire(owner, added)
		}
	}
	for _, list := range [][]*rpm.Header{c.Keep, present} {
		for _, source := range list {
			fire(added, source)
		}
	}
	return out
}

// setOff reports whether a package meets the condition of a trigger: it has the
// name, and provides something by it in a version that is asked for.
func setOff(d rpm.Dep, source *rpm.Header) bool {
	if d.Name != source.Name() {
		return false
	}
	self := rpm.Dep{Name: d.Name, Flags: rpm.DepEqual, EVR: source.EVR().String()}
	return d.MatchedBy(self) || slices.ContainsFunc(source.Provides(), d.MatchedBy)
}

// HasTriggers reports whether a package trigger runs beside the scripts of that
// kind, which is PreIn or PostIn.
func (c Change) HasTriggers(kind rpm.ScriptKind) bool {
	for i := range c.Add {
		for _, t := range c.triggers(i, kind) {
			if !Ignored(t.owner.Name(), t.kind) {
				return true
			}
		}
	}
	return false
}

// Install runs the script of that kind of the package c.Add[i], if it has one,
// and the package triggers that go with it.
func (r Runner) Install(ctx context.Context, c Change, i int, kind rpm.ScriptKind) error {
	triggers := func(want rpm.ScriptKind) error {
		if kind != want {
			return nil
		}
		for _, t := range c.triggers(i, kind) {
			run := script{t.owner, t.kind, t.script.Interp, t.script.Body, t.script.Flags}
			if err := r.exec(ctx, run, []string{strconv.Itoa(t.arg1), strconv.Itoa(t.arg2)}, nil); err != nil {
				return err
			}
		}
		return nil
	}
	if err := triggers(rpm.PreIn); err != nil {
		return err
	}
	if err := r.Run(ctx, Package{Header: c.Add[i], Replaces: c.Replaces(c.Add[i])}, kind); err != nil {
		return err
	}
	return triggers(rpm.PostIn)
}
