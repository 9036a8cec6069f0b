package rpm

// Priorities of file triggers. Higher runs first; those of at least
// PriorityBeforePost run before %post, the others after it.
const (
	DefaultPriority    = 1000000
	PriorityBeforePost = 10000
)

// Trigger is a script that runs when another package (Triggers) or a file below
// a path (FileTriggers, TransFileTriggers) comes or goes.
type Trigger struct {
	Interp   []string // program, at least one element
	Body     string
	Flags    ScriptFlags
	Priority uint32 // of file triggers, otherwise 0
	// Conditions are package names with versions, or path prefixes. Their flags
	// say which event: DepTriggerIn, DepTriggerUn, DepTriggerPostUn, DepTriggerPreIn.
	Conditions []Dep
}

// Event returns the one of DepTriggerPreIn, DepTriggerIn, DepTriggerUn and
// DepTriggerPostUn that the first condition has, 0 if it has none.
func (t Trigger) Event() DepFlags {
	for _, c := range t.Conditions {
		for _, e := range [...]DepFlags{DepTriggerPreIn, DepTriggerIn, DepTriggerUn, DepTriggerPostUn} {
			if c.Flags&e != 0 {
				return e
			}
		}
	}
	return 0
}

// triggerTags are the arrays of one kind of trigger: the first group has an
// element per script, the second one per condition.
type triggerTags struct {
	body, prog, scriptFlags, priority Tag
	deps                              depTags
	index                             Tag
}

var (
	packageTriggerTags = triggerTags{
		TagTriggerScripts, TagTriggerScriptProg, TagTriggerScriptFlags, 0,
		depTags{TagTriggerName, TagTriggerFlags, TagTriggerVersion}, TagTriggerIndex,
	}
	fileTriggerTags = triggerTags{
		TagFileTriggerScripts, TagFileTriggerScriptProg, TagFileTriggerScriptFlags, TagFileTriggerPriorities,
		depTags{TagFileTriggerName, TagFileTriggerFlags, TagFileTriggerVersion}, TagFileTriggerIndex,
	}
	transFileTriggerTags = triggerTags{
		TagTransFileTriggerScripts, TagTransFileTriggerScriptProg, TagTransFileTriggerScriptFlags, TagTransFileTriggerPriorities,
		depTags{TagTransFileTriggerName, TagTransFileTriggerFlags, TagTransFileTriggerVersion}, TagTransFileTriggerIndex,
	}
)

// Triggers returns the scripts that run when other packages change.
func (h *Header) Triggers() []Trigger { return h.triggers(packageTriggerTags) }

// FileTriggers returns the scripts that run when one package changes files
// below a path.
func (h *Header) FileTriggers() []Trigger { return h.triggers(fileTriggerTags) }

// TransFileTriggers returns the scripts that run once per transaction if it
// changes files below a path.
func (h *Header) TransFileTriggers() []Trigger { return h.triggers(transFileTriggerTags) }

func (h *Header) triggers(t triggerTags) []Trigger {
	bodies, progs := h.Strings(t.body), h.Strings(t.prog)
	flags, priorities := h.Uint32s(t.scriptFlags), h.Uint32s(t.priority)
	out := make([]Trigger, max(len(bodies), len(progs)))
	for i := range out {
		out[i].Interp = []string{Shell}
		if i < len(progs) {
			out[i].Interp = []string{progs[i]}
		}
		if i < len(bodies) {
			out[i].Body = bodies[i]
		}
		if i < len(flags) {
			out[i].Flags = ScriptFlags(flags[i])
		}
		if t.priority != 0 {
			out[i].Priority = DefaultPriority
		}
		if i < len(priorities) {
			out[i].Priority = priorities[i]
		}
	}
	index := h.Uint32s(t.index)
	for i, d := range h.deps(t.deps) {
		if i < len(index) && uint64(index[i]) < uint64(len(out)) {
			x := &out[index[i]]
			x.Conditions = append(x.Conditions, d)
		}
	}
	return out
}

func (t triggerTags) entries(triggers []Trigger) []Entry {
	var bodies, progs []string
	var flags, priorities, index []uint32
	var deps []Dep
	anyFlags := false
	for i, x := range triggers {
		prog := Shell
		if len(x.Interp) > 0 {
			prog = x.Interp[0]
		}
		priority := x.Priority
		if priority == 0 {
			priority = DefaultPriority
		}
		bodies, progs = append(bodies, x.Body), append(progs, prog)
		flags, priorities = append(flags, uint32(x.Flags)), append(priorities, priority)
		anyFlags = anyFlags || x.Flags != 0
		for _, c := range x.Conditions {
			deps, index = append(deps, c), append(index, uint32(i))
		}
	}
	out := []Entry{StringsEntry(t.body, bodies...), StringsEntry(t.prog, progs...), Uint32Entry(t.index, index...)}
	out = append(out, t.deps.entries(deps)...)
	if anyFlags || t.priority != 0 {
		out = append(out, Uint32Entry(t.scriptFlags, flags...))
	}
	if t.priority != 0 {
		out = append(out, Uint32Entry(t.priority, priorities...))
	}
	return out
}
