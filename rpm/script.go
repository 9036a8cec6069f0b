package rpm

// ScriptKind says when a script of a package runs.
type ScriptKind uint8

// Kinds of scripts.
const (
	PreTrans ScriptKind = iota
	PreIn
	PostIn
	PreUn
	PostUn
	PostTrans
	VerifyScript
	PreUnTrans
	PostUnTrans
	scriptKinds = iota
)

// scriptTags has the tags of each kind, and the name used in a spec file.
var scriptTags = [scriptKinds]struct {
	name              string
	body, prog, flags Tag
}{
	PreTrans:     {"pretrans", TagPreTrans, TagPreTransProg, TagPreTransFlags},
	PreIn:        {"pre", TagPreIn, TagPreInProg, TagPreInFlags},
	PostIn:       {"post", TagPostIn, TagPostInProg, TagPostInFlags},
	PreUn:        {"preun", TagPreUn, TagPreUnProg, TagPreUnFlags},
	PostUn:       {"postun", TagPostUn, TagPostUnProg, TagPostUnFlags},
	PostTrans:    {"posttrans", TagPostTrans, TagPostTransProg, TagPostTransFlags},
	VerifyScript: {"verify", TagVerifyScript, TagVerifyScriptProg, TagVerifyScriptFlags},
	PreUnTrans:   {"preuntrans", TagPreUnTrans, TagPreUnTransProg, TagPreUnTransFlags},
	PostUnTrans:  {"postuntrans", TagPostUnTrans, TagPostUnTransProg, TagPostUnTransFlags},
}

// String returns the name of the kind in a spec file, without "%".
func (k ScriptKind) String() string {
	if k < scriptKinds {
		return scriptTags[k].name
	}
	return "unknown"
}

// ScriptFlags says how a script's text is treated before it runs.
type ScriptFlags uint32

// Flags of scripts (rpmscript.h).
const (
	ScriptExpand   ScriptFlags = 1 << 0 // expand macros at run time
	ScriptQFormat  ScriptFlags = 1 << 1 // expand header tags at run time
	ScriptCritical ScriptFlags = 1 << 2 // a failure stops the package
)

// Shell is the interpreter of a script that names none.
const Shell = "/bin/sh"

// InterpLua is the interpreter that rpm has built in.
const InterpLua = "<lua>"

// Script is a program that runs when a package is installed or removed.
type Script struct {
	Kind   ScriptKind
	Interp []string // program and arguments, at least one
	Body   string   // "" if the program is run without a script
	Flags  ScriptFlags
}

// Script returns the script of a kind; ok is false if the package has none.
func (h *Header) Script(kind ScriptKind) (s Script, ok bool) {
	if kind >= scriptKinds {
		return Script{}, false
	}
	t := scriptTags[kind]
	if !h.Has(t.body) && !h.Has(t.prog) {
		return Script{}, false
	}
	flags, _ := h.Uint(t.flags)
	s = Script{kind, h.Strings(t.prog), h.String(t.body), ScriptFlags(flags)}
	if len(s.Interp) == 0 {
		s.Interp = []string{Shell}
	}
	return s, true
}

// Scripts returns all scripts of the package but its triggers, ordered by kind.
func (h *Header) Scripts() []Script {
	var out []Script
	for kind := ScriptKind(0); kind < scriptKinds; kind++ {
		if s, ok := h.Script(kind); ok {
			out = append(out, s)
		}
	}
	return out
}

func (s Script) entries() []Entry {
	t := scriptTags[s.Kind]
	var out []Entry
	if s.Body != "" {
		out = append(out, StringEntry(t.body, s.Body))
	}
	switch len(s.Interp) {
	case 0:
		out = append(out, StringEntry(t.prog, Shell))
	case 1:
		out = append(out, StringEntry(t.prog, s.Interp[0]))
	default:
		out = append(out, StringsEntry(t.prog, s.Interp...))
	}
	if s.Flags != 0 {
		out = append(out, Uint32Entry(t.flags, uint32(s.Flags)))
	}
	return out
}
