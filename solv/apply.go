package solv

import "slices"

// Apply returns the jobs changed by a solution: those it drops become Noop, so that the numbers of
// the others stay, and what it allows is requested. Solving again may show further problems.
func (sol *Solution) Apply(jobs []Job) []Job {
	out := slices.Clone(jobs)
	add := func(a Action, id ID, f JobFlags) {
		same := func(j Job) bool {
			return j.Action == a && j.Flags == f && j.Select.kind == selectPackage && j.Select.ids[0] == id
		}
		if !slices.ContainsFunc(out, same) {
			out = append(out, Job{Action: a, Select: SelectPackage(id), Flags: f})
		}
	}
	for _, r := range sol.Remedies {
		switch r.Kind {
		case DropJob:
			if r.Job >= 0 && r.Job < len(out) {
				out[r.Job] = Job{}
			}
		case ErasePackage:
			add(Erase, r.ID, 0)
		case ReplacePackage:
			add(Install, r.New, NotByUser)
		default:
			add(Install, r.ID, NotByUser)
		}
	}
	return out
}
