package sack

import (
	"fmt"
	"slices"
	"strings"

	"rpmostree/solv"
)

// A Plan is a change of the requests with which they can be met. It has been tried.
type Plan struct {
	// Without are the requests that are given up.
	Without []string `json:"without,omitempty"`
	// Replace are base packages that have to be replaced too, each with what replaces it.
	Replace []Replacement `json:"replace,omitempty"`
	// Remove are base packages that have to be removed too, by NEVRA.
	Remove []string `json:"remove,omitempty"`
	// Install are the packages that come, by NEVRA.
	Install []string `json:"install"`
	// Commands are what to run for it.
	Commands []string `json:"commands,omitempty"`
}

// A Replacement is a base package and what comes instead.
type Replacement struct {
	Old  string `json:"old"` // NEVRA
	New  string `json:"new"` // NEVRA
	Repo string `json:"repo"`
}

// String words the plan after "Works".
func (p Plan) String() string {
	var parts []string
	if len(p.Without) > 0 {
		parts = append(parts, "without "+list(p.Without))
	}
	var changes []string
	for _, r := range p.Replace {
		changes = append(changes, fmt.Sprintf("replace base package %s with %s from %s", r.Old, r.New, r.Repo))
	}
	if len(p.Remove) > 0 {
		changes = append(changes, "remove from the base "+list(p.Remove))
	}
	if len(changes) > 0 {
		parts = append(parts, "if you also "+list(changes))
	}
	s := strings.Join(parts, " ")
	for _, c := range p.Commands {
		s += "\n  " + c
	}
	return s
}

// maxTries bounds how often is solved again for the sake of one plan.
const maxTries = 4

// maxWithout is how many requests are tried to be left out one by one.
const maxWithout = 3

// tryPlans looks for plans: first those that keep all requests and change the base, then those that
// give requests up.
func (s *Sack) tryPlans(jobs []Asked, opts solv.Options, problems []solv.Problem) []Plan {
	t := trial{sack: s, jobs: jobs, opts: opts}
	var plans []Plan
	if p, ok := t.unlock(problems); ok {
		plans = append(plans, p)
	}
	if len(problems) == 1 {
		blocked := t.requests(problems[0].Jobs)
		for _, j := range blocked[:min(len(blocked), maxWithout)] {
			if p, ok := t.without([]int{j}); ok {
				plans = append(plans, p)
			}
		}
		if len(plans) > 0 || len(blocked) == 1 {
			return plans
		}
	}
	if p, ok := t.withoutAll(problems); ok {
		plans = append(plans, p)
	}
	return plans
}

// A trial solves changed requests.
type trial struct {
	sack *Sack
	jobs []Asked
	opts solv.Options
}

// requests returns those of the jobs that somebody asked for.
func (t *trial) requests(jobs []int) (out []int) {
	for _, j := range jobs {
		if t.jobs[j].Request != "" && !slices.Contains(out, j) {
			out = append(out, j)
		}
	}
	return out
}

// solve solves without some of the jobs.
func (t *trial) solve(dropped map[int]bool) (solv.Transaction, []solv.Problem) {
	jobs := make([]solv.Job, len(t.jobs))
	for i := range t.jobs {
		if !dropped[i] { // else a Noop, so that the numbers stay
			jobs[i] = t.jobs[i].Job
		}
	}
	return solv.Solve(t.sack.Pool, jobs, t.opts)
}

// without tries to leave requests out.
func (t *trial) without(requests []int) (Plan, bool) {
	dropped := map[int]bool{}
	for _, j := range requests {
		dropped[j] = true
	}
	tr, problems := t.solve(dropped)
	if len(problems) > 0 || len(t.requests(t.kept(dropped))) == 0 {
		return Plan{}, false
	}
	return t.plan(requests, tr)
}

func (t *trial) kept(dropped map[int]bool) (jobs []int) {
	for j := range t.jobs {
		if !dropped[j] {
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// withoutAll leaves a request of each problem out until there is none.
func (t *trial) withoutAll(problems []solv.Problem) (Plan, bool) {
	dropped := map[int]bool{}
	var list []int
	for range maxTries {
		found := false
		for _, pr := range problems {
			open := slices.DeleteFunc(t.requests(pr.Jobs), func(j int) bool { return dropped[j] })
			if len(open) > 0 && len(open) == len(t.requests(pr.Jobs)) {
				dropped[open[0]] = true
				list = append(list, open[0])
				found = true
			}
		}
		if !found || len(t.requests(t.kept(dropped))) == 0 {
			return Plan{}, false
		}
		var tr solv.Transaction
		if tr, problems = t.solve(dropped); len(problems) == 0 {
			return t.plan(list, tr)
		}
	}
	return Plan{}, false
}

// unlock releases the base packages that are in the way, as long as there are some, and then
// takes the change of the base that comes of it.
func (t *trial) unlock(problems []solv.Problem) (Plan, bool) {
	dropped := map[int]bool{}
	for range maxTries {
		n := len(dropped)
		for _, pr := range problems {
			for _, j := range pr.Jobs {
				if t.jobs[j].Action == solv.Lock {
					dropped[j] = true
				}
			}
			t.unlockCauses(pr, dropped)
		}
		if len(dropped) == n {
			return Plan{}, false
		}
		var tr solv.Transaction
		if tr, problems = t.solve(dropped); len(problems) == 0 {
			p, ok := t.plan(nil, tr)
			return p, ok && len(p.Replace)+len(p.Remove) > 0
		}
	}
	return Plan{}, false
}

// unlockCauses releases the base packages that a problem names.
func (t *trial) unlockCauses(pr solv.Problem, dropped map[int]bool) {
	named := map[solv.ID]bool{}
	for _, c := range pr.Causes {
		named[c.From], named[c.To] = true, true
	}
	for j := range t.jobs {
		if kind, _, ids, _ := t.jobs[j].Select.Parts(); t.jobs[j].Action == solv.Lock && kind == "pkg" && named[ids[0]] {
			dropped[j] = true
		}
	}
}

// plan describes what a solution changes.
func (t *trial) plan(without []int, tr solv.Transaction) (Plan, bool) {
	s := t.sack
	p := Plan{Install: []string{}}
	for _, j := range without {
		p.Without = append(p.Without, t.jobs[j].Request)
	}
	wanted := map[solv.ID]bool{} // base packages that requests change anyway
	for j := range t.jobs {
		if t.jobs[j].Action == solv.Erase {
			for _, id := range s.Pool.Selected(t.jobs[j].Select) {
				wanted[id] = true
			}
		}
	}
	var names, removed []string
	for _, st := range tr.Steps {
		n := s.NEVRA(st.ID).String()
		switch {
		case st.Kind < solv.StepErase:
			p.Install = append(p.Install, n)
		case wanted[st.ID] || !t.locked(st.ID):
		case st.Kind == solv.StepReplaced && s.Pool.Info(st.Old[0]).Name == s.Pool.Info(st.ID).Name:
			p.Replace = append(p.Replace, Replacement{n, s.NEVRA(st.Old[0]).String(), s.Pool.Info(st.Old[0]).Repo.Name()})
			names = append(names, s.Pool.Info(st.ID).Name)
		default:
			p.Remove = append(p.Remove, n)
			removed = append(removed, s.Pool.Info(st.ID).Name)
		}
	}
	p.Commands = commands(p, names, removed)
	return p, true
}

// locked reports that policy keeps a base package.
func (t *trial) locked(id solv.ID) bool {
	return slices.ContainsFunc(t.jobs, func(a Asked) bool {
		kind, _, ids, _ := a.Select.Parts()
		return a.Action == solv.Lock && kind == "pkg" && ids[0] == id
	})
}

// commands returns what replaces and removes base packages.
func commands(p Plan, names, removed []string) (out []string) {
	byRepo := map[string][]string{}
	var repos []string
	for i, r := range p.Replace {
		if byRepo[r.Repo] == nil {
			repos = append(repos, r.Repo)
		}
		byRepo[r.Repo] = append(byRepo[r.Repo], names[i])
	}
	for _, repo := range repos {
		if !strings.HasPrefix(repo, "@") {
			out = append(out, "rpm-ostree override replace --experimental --from repo="+repo+" "+strings.Join(byRepo[repo], " "))
		}
	}
	if len(removed) > 0 {
		out = append(out, "rpm-ostree override remove "+strings.Join(removed, " "))
	}
	return out
}
