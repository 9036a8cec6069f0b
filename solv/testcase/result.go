package testcase

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"rpmostree/solv"
)

// resultKinds are the kinds of result lines. Packages are put in rpm's order, not in libsolv's.
var resultKinds = []string{"transaction", "problems", "orphaned", "recommended", "unneeded", "alternatives", "rules", "genid", "reason",
	"cleandeps", "jobs", "userinstalled", "order", "proof"}

// Solve runs the solver and returns the result lines of the wanted kinds, sorted.
func (st *Step) Solve() []string {
	_, lines := st.Run()
	return lines
}

// Run is Solve that returns the solver's result too.
func (st *Step) Run() (*solv.Result, []string) {
	w := writer{pool: st.Pool, step: st}
	var res *solv.Result
	if st.before != nil {
		res = st.before.Again(st.Jobs)
	} else {
		res = solv.SolveAll(st.Pool, st.Jobs, st.Options)
	}
	st.before = res
	kinds := st.Kinds
	if len(kinds) == 0 {
		kinds = []string{"transaction", "problems"}
	}
	for _, k := range kinds {
		switch k {
		case "transaction":
			w.transaction(&res.Transaction)
		case "problems":
			w.problems(res.Problems)
		case "jobs":
			for i := range st.Jobs {
				w.add("job " + JobString(st.Pool, &st.Jobs[i]))
			}
		case "genid":
			w.genids()
		case "rules":
			w.rules(res)
		case "cleandeps":
			w.packages("cleandeps ", res.Cleaned())
		case "orphaned":
			w.packages("orphaned ", res.Orphaned())
		case "unneeded":
			w.unneeded(res)
		case "userinstalled":
			w.userInstalled(res)
		case "reason":
			w.reasons(res)
		case "recommended":
			rec, sug := res.Recommendations(false)
			w.packages("recommended ", rec)
			w.packages("suggested ", sug)
		case "alternatives":
			w.alternatives(res.Alternatives())
		case "proof":
			w.proofs(res)
		case "order":
			w.order(res)
		}
	}
	slices.Sort(w.lines)
	return res, w.lines
}

type writer struct {
	pool  *solv.Pool
	step  *Step
	lines []string
}

func (w *writer) add(s string) { w.lines = append(w.lines, s) }

func (w *writer) str(id solv.ID) string { return PackageString(w.pool, id) }

func (w *writer) packages(prefix string, ids []solv.ID) {
	for _, id := range ids {
		w.add(prefix + w.str(id))
	}
}

// transaction lists changes from the point of view of the installed packages: one that is
// replaced is named with its main replacement.
func (w *writer) transaction(t *solv.Transaction) {
	old := map[solv.ID][]solv.ID{}
	for _, st := range t.Steps {
		old[st.ID] = st.Old
	}
	for _, st := range t.Steps {
		switch {
		case st.Kind == solv.StepErase:
			w.add("erase " + w.str(st.ID))
		case st.Kind == solv.StepReplaced:
			w.add(w.replaced(st.ID, st.Old[0], t) + " " + w.str(st.ID) + " " + w.str(st.Old[0]))
		case w.comesAlone(st, old):
			w.add("install " + w.str(st.ID))
		}
	}
}

func (w *writer) replaced(id, by solv.ID, t *solv.Transaction) string {
	if w.pool.Info(id).Name != w.pool.Info(by).Name {
		return "erase"
	}
	for _, st := range t.Steps {
		if st.ID == by {
			return w.change(id, by, st.Kind)
		}
	}
	return "erase"
}

func (w *writer) change(id, by solv.ID, kind solv.StepKind) string {
	switch c := w.pool.Compare(id, by); {
	case w.pool.Identical(id, by):
		return "reinstall"
	case c < 0:
		return "upgrade"
	case c > 0:
		return "downgrade"
	}
	return "change"
}

// comesAlone reports that no line about an installed package mentions the new one.
func (w *writer) comesAlone(st solv.Step, old map[solv.ID][]solv.ID) bool {
	name := w.pool.Info(st.ID).Name
	if len(st.Old) == 0 || w.pool.Info(st.Old[0]).Name != name {
		return true
	}
	for _, o := range st.Old {
		if w.pool.Info(o).Name == name && old[o][0] == st.ID {
			return false
		}
	}
	return true
}

func hash(n int, parts ...string) string {
	h := md5.New()
	for _, s := range parts {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:n])
}

// ruleID identifies a rule by its literals.
func (w *writer) ruleID(r solv.Rule) string {
	var lits []string
	for _, l := range r.Literals {
		if l < 0 {
			lits = append(lits, "!"+w.str(-l))
		} else {
			lits = append(lits, w.str(l))
		}
	}
	slices.Sort(lits)
	return hash(16, slices.Compact(lits)...)
}

func (w *writer) problems(problems []solv.Problem) {
	for _, pr := range problems {
		prefix := "problem " + w.problemID(pr) + " "
		w.add(prefix + "info " + pr.Reason.String() + byNobody(pr.Reason))
		for _, sol := range pr.Solutions {
			id := hash(4, w.ruleID(sol.Rule))
			if sol.Job >= 0 {
				id = hash(4, JobString(w.pool, &w.step.Jobs[sol.Job]))
			}
			for _, r := range sol.Remedies {
				w.add(prefix + "solution " + id + " " + w.remedy(r))
			}
		}
	}
}

// byNobody is what libsolv says of a conflict with a rich dependency, which no package provides.
func byNobody(c solv.Cause) string {
	switch c.Kind {
	case solv.ReasonConflicts, solv.ReasonObsoletes, solv.ReasonInstalledObsoletes:
		if c.To == 0 {
			return " provided by <NULL>"
		}
	}
	return ""
}

// problemID identifies a problem by the rules behind it.
func (w *writer) problemID(pr solv.Problem) string {
	var ids []string
	for _, r := range pr.Proof {
		ids = append(ids, w.ruleID(r))
	}
	slices.Sort(ids)
	return hash(4, slices.Compact(ids)...)
}

// proofs lists the proofs of all problems, then those of the rules learnt for them.
func (w *writer) proofs(res *solv.Result) {
	var learnt []solv.ProofStep // steps whose rules need a proof too
	for i, pr := range res.Problems {
		learnt = w.proof(w.problemID(pr), res.Proof(i), learnt)
	}
	for i := 0; i < len(learnt); i++ {
		learnt = w.proof(w.ruleID(learnt[i].Rule), res.LearntProof(learnt[i].Learnt), learnt)
	}
}

func (w *writer) proof(id string, steps, learnt []solv.ProofStep) []solv.ProofStep {
	for i, st := range steps {
		prefix := fmt.Sprintf("proof %s %3d", id, i)
		if st.Premise {
			w.add(prefix + " premise")
		} else {
			w.add(prefix + " " + classNames[st.Rule.Class] + " " + w.ruleID(st.Rule))
		}
		known := slices.ContainsFunc(learnt, func(o solv.ProofStep) bool { return o.Learnt == st.Learnt })
		if st.Learnt != 0 && !known {
			learnt = append(learnt, st)
		}
		for _, l := range st.Rule.Literals {
			mark := "   "
			if l == st.Literal {
				mark = "-->"
			}
			if l < 0 {
				w.add(prefix + ": " + mark + " -" + w.str(-l))
			} else {
				w.add(prefix + ": " + mark + "  " + w.str(l))
			}
		}
	}
	return learnt
}

func (w *writer) remedy(r solv.Remedy) string {
	switch r.Kind {
	case solv.DropJob:
		return "deljob " + JobString(w.pool, &w.step.Jobs[r.Job])
	case solv.ErasePackage:
		return "erase " + w.str(r.ID)
	case solv.ReplacePackage:
		return "replace " + w.str(r.ID) + " " + w.str(r.New)
	}
	return "allow " + w.str(r.ID)
}

var classNames = map[solv.Reason]string{
	solv.ReasonPackage: "pkg", solv.ReasonUpdate: "update", solv.ReasonFeature: "feature", solv.ReasonJob: "job",
	solv.ReasonDistUpgrade: "distupgrade", solv.ReasonInferiorArch: "infarch", solv.ReasonChoice: "choice",
	solv.ReasonLearnt: "learnt", solv.ReasonBest: "best", solv.ReasonYumObsoletes: "yumobs", solv.ReasonBlacklist: "black",
	solv.ReasonRecommendsRule: "recommends", solv.ReasonRepoPriority: "strictrepoprio",
}

func (w *writer) rules(res *solv.Result) {
	for _, r := range res.Rules() {
		if r.Class == solv.ReasonFeature && len(r.Literals) == 1 && r.Literals[0] == -solv.System {
			continue
		}
		prefix := "rule " + classNames[r.Class] + " " + w.ruleID(r)
		for _, l := range r.Literals {
			if l < 0 {
				w.add(prefix + " -" + w.str(-l))
			} else {
				w.add(prefix + "  " + w.str(l))
			}
		}
	}
}

func (w *writer) genids() {
	for i := range w.step.Jobs {
		j := &w.step.Jobs[i]
		kind, id, _, _ := j.Select.Parts()
		if j.Action != solv.Noop || j.Flags != 0 || kind != "provides" {
			continue
		}
		s := FormatDep(w.pool, id)
		w.add("genid dep " + s)
		if back := ParseDep(w.pool, s); back != id {
			w.add("genid roundtrip error: " + FormatDep(w.pool, back))
		}
		w.genid(id, 1)
	}
}

func (w *writer) genid(id solv.Ref, n int) int {
	left, op, right, isRel := w.pool.Relation(id)
	switch {
	case isRel:
		n = w.genid(right, w.genid(left, n))
		w.add(fmt.Sprintf("genid %2d: genid op %s", n, operatorName(op)))
	case id == 0:
		w.add(fmt.Sprintf("genid %2d: genid null", n))
	default:
		w.add(fmt.Sprintf("genid %2d: genid lit %s", n, w.pool.Name(id)))
	}
	return n + 1
}

func (w *writer) alternatives(list []solv.Alternative) {
	for i := range list {
		a := &list[i]
		id := hash(4, w.ruleID(a.Rule))
		if a.Why.Kind == solv.ReasonRecommends && len(a.Rule.Literals) == 0 {
			id = hash(4, w.str(a.Why.From), FormatDep(w.pool, a.Why.Dep))
		}
		w.add(fmt.Sprintf("alternative %s %2d %s", id, 0, a))
		for n, c := range a.Candidates {
			mark := " "
			switch {
			case -c == a.Chosen:
				mark = "+"
			case c < 0:
				mark, c = "-", -c
			}
			// two digits are all that libsolv has: after 99 come ":0", ":1" and so on
			num := fmt.Sprintf("%2d", n+1)
			if n+1 > 99 {
				num = string(rune('0'+(n+1)/10)) + string(rune('0'+(n+1)%10))
			}
			w.add(fmt.Sprintf("alternative %s %s %s %s", id, num, mark, w.str(max(c, -c))))
		}
	}
}

func (w *writer) order(res *solv.Result) {
	for i, id := range res.Order() {
		what := "install"
		if in := w.pool.Installed(); in != nil && w.pool.Info(id).Repo == in {
			what = "erase"
		}
		w.add(fmt.Sprintf("order %4d %s %s", i+1, what, w.str(id)))
	}
}

// unneeded lists what nothing needs; what is needed only by others of the list is plain.
func (w *writer) unneeded(res *solv.Result) {
	roots := res.Unneeded(true)
	for _, id := range res.Unneeded(false) {
		if slices.Contains(roots, id) {
			w.add("unneeded_filtered " + w.str(id))
		} else {
			w.add("unneeded " + w.str(id))
		}
	}
}

// userInstalled lists packages, and the names of all others.
func (w *writer) userInstalled(res *solv.Result) {
	user := map[string]bool{}
	for _, id := range res.UserInstalled() {
		w.add("userinstalled pkg " + w.str(id))
		user[w.pool.Info(id).Name] = true
	}
	for id := solv.ID(2); int(id) < w.pool.Len(); id++ {
		if name := w.pool.Info(id).Name; res.Has(id) && !user[name] {
			user[name] = true
			w.add("autoinst name " + name)
		}
	}
}

var decisionNames = [...]string{"unrelated", "unit", "keep", "job", "update", "cleandeps", "resolve", "weakdep", "orphan"}

func (w *writer) reasons(res *solv.Result) {
	for id := solv.System; int(id) < w.pool.Len(); id++ {
		reason, rule := res.Decision(id)
		if reason == solv.DecidedUnrelated {
			continue
		}
		prefix := "reason " + w.str(id) + " "
		causes := res.WeakCauses(id)
		for _, c := range causes {
			line, other := "recommended ", c.From
			if c.Kind == solv.ReasonSupplements {
				line, other = "supplemented ", c.To
			}
			line += FormatDep(w.pool, c.Dep)
			if other != 0 {
				line += " " + w.str(other)
			}
			w.add(prefix + line)
		}
		if len(causes) > 0 {
			continue
		}
		line := prefix + decisionNames[reason]
		if rule != nil {
			line += " " + w.ruleID(*rule)
		}
		w.add(line)
	}
}

// Diff compares expected and actual lines, in any order: "-" lines are missing, "+" lines are
// too many.
func Diff(want, got []string) string {
	want, got = slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))
	var b strings.Builder
	for len(want) > 0 || len(got) > 0 {
		switch {
		case len(got) == 0 || len(want) > 0 && want[0] < got[0]:
			if want[0] != "" {
				b.WriteString("-" + want[0] + "\n")
			}
			want = want[1:]
		case len(want) == 0 || got[0] < want[0]:
			if got[0] != "" {
				b.WriteString("+" + got[0] + "\n")
			}
			got = got[1:]
		default:
			want, got = want[1:], got[1:]
		}
	}
	return b.String()
}
