package solv

import "slices"

// elements of a problem: n > 0 is rule n (infarch and distupgrade rules stand for all of the same
// name), n < 0 is job -n-1.

func (s *solver) jobElem(job int32) int32 { return -job - 1 }

// firstOfName returns the first of the neighbouring rules in sp that are about the same name.
func (s *solver) firstOfName(sp span, i int32) int32 {
	name := s.pool.sols[-s.rules[i].p].name
	for i > sp.start && s.pool.sols[-s.rules[i-1].p].name == name {
		i--
	}
	return i
}

func (s *solver) elemOf(i int32) int32 {
	switch {
	case s.job.has(i):
		return s.jobElem(s.jobOf[i-s.job.start])
	case s.best.has(i) && i < s.bestUp:
		return s.jobElem(s.jobOf[-s.bestOf[i-s.best.start]-s.job.start])
	case s.infArch.has(i):
		return s.firstOfName(s.infArch, i)
	case s.dup.has(i):
		return s.firstOfName(s.dup, i)
	}
	return i
}

// record adds a rule to the problem being collected.
func (s *solver) record(i int32) {
	v := s.elemOf(i)
	pr := &s.problems[len(s.problems)-1]
	if !slices.Contains(pr.elems, v) {
		pr.elems = append(pr.elems, v)
	}
}

// elemRules calls f for every rule of a problem element.
func (s *solver) elemRules(v int32, f func(i int32)) {
	if v < 0 {
		job := -v - 1
		for i := s.best.start; i < s.bestUp; i++ {
			if s.jobOf[-s.bestOf[i-s.best.start]-s.job.start] == job {
				f(i)
			}
		}
		for i, j := range s.jobOf {
			if j == job {
				f(s.job.start + int32(i))
			}
		}
		return
	}
	for _, sp := range [...]span{s.infArch, s.dup} {
		if sp.has(v) {
			name := s.pool.sols[-s.rules[v].p].name
			for i := s.firstOfName(sp, v); i < sp.end && s.pool.sols[-s.rules[i].p].name == name; i++ {
				f(i)
			}
			return
		}
	}
	f(v)
}

func (s *solver) disableElem(v int32) {
	s.elemRules(v, func(i int32) { s.rules[i].off = true })
}

func (s *solver) enableElem(v int32) {
	if s.feature.has(v) && !s.rules[v-s.feature.start+s.update.start].off {
		return // the update rule is active
	}
	s.elemRules(v, func(i int32) { s.rules[i].off = false })
	if s.update.has(v) {
		if f := &s.rules[v-s.update.start+s.feature.start]; f.p != 0 {
			f.off = true
		}
	}
}

// giveUp disables a rule for good.
func (s *solver) giveUp(i int32) {
	v := s.elemOf(i)
	s.disableElem(v)
	if v < 0 {
		s.enablePolicyRules(-v - 1)
	}
}

func (s *solver) mayUninstall() bool {
	return s.opts.AllowUninstall || s.allowUninstallAll || s.allowUninstall != nil
}

// uninstall solves a problem by giving up the last of its update rules whose package may be
// erased. It reports whether there was one.
func (s *solver) uninstall(elems []int32) bool {
	all := s.opts.AllowUninstall || s.allowUninstallAll
	var lastOrphan, last int32
	flags := ^JobFlags(0)
	for _, v := range elems {
		if v < 0 {
			flags &= s.jobs[-v-1].Flags
		}
		if !s.update.has(v) {
			continue
		}
		id := s.first + v - s.update.start
		if !all && !s.allowUninstall.has(id) || s.pool.excluded(id) {
			continue
		}
		if slices.ContainsFunc(elems, func(b int32) bool { return s.best.has(b) && s.bestOf[b-s.best.start] == id }) {
			continue // it has to be updated
		}
		if s.featureRule(id).p != 0 {
			last = max(last, v)
			continue
		}
		lastOrphan = max(lastOrphan, v)
		if r := &s.rules[v]; s.opts.KeepOrphans && len(r.rest) == 0 && r.p == id {
			lastOrphan, last = v, 0
			break
		}
	}
	v := last
	if v == 0 {
		v = lastOrphan
	}
	if v == 0 {
		return false
	}
	s.disableElem(v)
	if flags != ^JobFlags(0) && flags&CleanDeps != 0 && s.cleanDeps != nil {
		if id := s.rules[v].p; id > 0 && !slices.Contains(s.cleanUpdates, id) {
			s.cleanUpdates = append(s.cleanUpdates, id)
			s.disablePolicyRules()
		}
	}
	return true
}
