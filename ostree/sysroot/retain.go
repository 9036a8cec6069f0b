package sysroot

import "slices"

// Retain says which deployments stay when a new one is written. The zero value
// keeps the booted and the merge deployment, pinned ones, and those of other
// stateroots.
type Retain struct {
	All      bool // keep everything
	Pending  bool // keep those before the booted one
	Rollback bool // keep those after the booted one
	// NotDefault puts the new deployment after the booted one (or else the
	// merge deployment), so that it is not what boots next.
	NotDefault bool
}

// With returns the deployments that remain when d, which is made from merge, is
// added. Nothing is written. The staged deployment is among the pending ones.
func (st *State) With(d Deployment, merge *Deployment, r Retain) []Deployment {
	booted, isBooted := st.Booted()
	if !isBooted && merge == nil && (r.Pending || r.Rollback) {
		r.All = true // there is no before and after
	}
	var list []Deployment
	added := !r.NotDefault
	if added {
		list = append(list, d)
	}
	passed := false // the booted deployment, or the merge deployment if none is booted
	for _, old := range st.Deployments {
		fromBooted := isBooted && old.Same(booted)
		fromMerge := merge != nil && old.Same(*merge)
		if fromBooted || !isBooted && fromMerge {
			passed = true
		}
		if r.All || old.Pinned() || old.OSName != d.OSName || fromBooted || fromMerge ||
			r.Pending && !passed || r.Rollback && passed {
			list = append(list, old)
		}
		if !added && passed {
			list = append(list, d)
			added = true
		}
	}
	if !added {
		list = append(list, d)
	}
	return list
}

// Without returns the deployments without the one at index.
func (st *State) Without(index int) []Deployment {
	return slices.Delete(slices.Clone(st.Deployments), index, index+1)
}

// WithDefault returns the deployments with the one at index first.
func (st *State) WithDefault(index int) []Deployment {
	return slices.Insert(st.Without(index), 0, st.Deployments[index])
}
