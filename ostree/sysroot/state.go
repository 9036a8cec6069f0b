package sysroot

import (
	"slices"
)

// State is what a sysroot holds at one moment. It is a value and does not
// follow later changes.
type State struct {
	// BootVersion and SubBootVersion are each 0 or 1.
	BootVersion, SubBootVersion int
	// Deployments are in boot order: the first is the default of the next
	// boot. A staged deployment comes before all others.
	Deployments []Deployment
	// Changed is the time of the last change, in nanoseconds since 1970, as
	// the modification time of ostree/deploy tells it.
	Changed int64

	stagedMerge *Deployment // as staged.merge
}

// Booted returns the running deployment.
func (st *State) Booted() (Deployment, bool) {
	return st.find(func(d Deployment) bool { return d.Booted })
}

// Staged returns the staged deployment.
func (st *State) Staged() (Deployment, bool) {
	return st.find(func(d Deployment) bool { return d.Staged })
}

func (st *State) find(match func(Deployment) bool) (Deployment, bool) {
	i := slices.IndexFunc(st.Deployments, match)
	if i < 0 {
		return Deployment{}, false
	}
	return st.Deployments[i], true
}

// osnameOr returns osname or, if it is empty, the stateroot that is running.
func (st *State) osnameOr(osname string) string {
	if b, ok := st.Booted(); ok && osname == "" {
		return b.OSName
	}
	return osname
}

// Pending returns the first deployment of a stateroot that comes before the
// booted one: what it will be when the machine boots. If none is booted, that
// is the first of the stateroot. The empty name is the booted stateroot.
func (st *State) Pending(osname string) (Deployment, bool) {
	pending, _ := st.around(st.osnameOr(osname))
	if pending < 0 {
		return Deployment{}, false
	}
	return st.Deployments[pending], true
}

// Rollback returns the first deployment of a stateroot after the booted one.
func (st *State) Rollback(osname string) (Deployment, bool) {
	_, rollback := st.around(st.osnameOr(osname))
	if rollback < 0 {
		return Deployment{}, false
	}
	return st.Deployments[rollback], true
}

// around returns the places of the pending and the rollback deployment, or -1.
func (st *State) around(osname string) (pending, rollback int) {
	pending, rollback = -1, -1
	passed := false
	for i, d := range st.Deployments {
		switch {
		case d.OSName != osname:
		case d.Booted:
			passed = true
		case !passed && pending < 0:
			pending = i
		case passed && rollback < 0:
			rollback = i
		}
	}
	return pending, rollback
}

// MergeDeployment returns the deployment of a stateroot whose /etc and kernel
// arguments a new deployment takes over: the booted one, else the pending one.
// The empty name is the booted stateroot.
func (st *State) MergeDeployment(osname string) (Deployment, bool) {
	osname = st.osnameOr(osname)
	if b, ok := st.Booted(); ok && b.OSName == osname {
		return b, true
	}
	return st.Pending(osname)
}
