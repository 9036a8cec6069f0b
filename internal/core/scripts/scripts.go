// Package scripts runs the scriptlets of packages in an OS tree: %pre, %post,
// %posttrans, the triggers %triggerprein and %triggerin, and the transaction
// file triggers. Scripts that act on a running system (%preun, %postun,
// %pretrans, %verify) have no place in an image and are not run, as in
// rpm-ostree, which refuses packages with triggers.
package scripts

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rpmostree/internal/lua"
	"rpmostree/internal/sandbox"
	"rpmostree/rpm"
)

// A Package is one package that is being installed.
type Package struct {
	Header *rpm.Header
	// Replaces tells that another version of the package was there before: its
	// scripts then get the argument 2 in place of 1.
	Replaces bool
}

// A Runner runs scripts in one tree.
type Runner struct {
	Root sandbox.Root
	// Log receives every line a script prints; id is PACKAGE.KIND. Nil discards.
	Log func(id, line string)
	// Macros are the rpm macros for scripts that ask for expansion.
	Macros map[string]string
	// Lua is a static program that runs the text in a file if called with the
	// arguments LuaCommand and the file's path: it is to call InterpretLua. If it
	// is "", packages with <lua> scripts are refused.
	Lua string
}

// kindName is the name of a kind in rpm-ostree's tables and log identifiers.
func kindName(k rpm.ScriptKind) string {
	switch k {
	case rpm.PreIn:
		return "prein"
	case rpm.PostIn:
		return "post"
	}
	return k.String()
}

// Kinds are the scripts that are run, in this order.
var kinds = [...]rpm.ScriptKind{rpm.PreIn, rpm.PostIn, rpm.PostTrans}

// UnsupportedError tells that a package cannot be installed because one of its
// scripts cannot be run.
type UnsupportedError struct {
	Package, Kind, Why string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("Package %s has (currently) unsupported %s script in '%s'", e.Package, e.Why, e.Kind)
}

// Check returns an error if a script of the packages that come, or a trigger that
// they set off, could not be run. It is called before anything is changed.
func (r Runner) Check(c Change) error {
	for _, h := range c.Add {
		for _, k := range kinds {
			s, ok := h.Script(k)
			if !ok {
				continue
			}
			if err := r.check(h, kindName(k), s.Interp, s.Body, s.Flags); err != nil {
				return err
			}
		}
		for _, t := range h.TransFileTriggers() {
			if !inserts(t) || Ignored(h.Name(), "transfiletriggerin") {
				continue
			}
			if err := r.check(h, "transfiletriggerin", t.Interp, t.Body, t.Flags); err != nil {
				return err
			}
		}
	}
	for i := range c.Add {
		for _, kind := range [...]rpm.ScriptKind{rpm.PreIn, rpm.PostIn} {
			for _, t := range c.triggers(i, kind) {
				if err := r.check(t.owner, t.kind, t.script.Interp, t.script.Body, t.script.Flags); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// check returns an error if one script could not be run.
func (r Runner) check(h *rpm.Header, kind string, interp []string, body string, flags rpm.ScriptFlags) error {
	interp, body, err := r.prepare(h.Name(), kind, interp, body)
	if err == nil && interp != nil && interp[0] == rpm.InterpLua && flags == 0 {
		if err := lua.Check(h.Name()+"."+kind, body); err != nil {
			return fmt.Errorf("%w: %v", &UnsupportedError{h.Name(), kind, rpm.InterpLua}, err)
		}
	}
	if err == nil && interp != nil && flags&rpm.ScriptQFormat != 0 {
		if _, err := Format(body, h); err != nil {
			return &UnsupportedError{h.Name(), kind, "query format"}
		}
	}
	return err
}

func triggersOn(t rpm.Trigger, flag rpm.DepFlags) bool {
	return slices.ContainsFunc(t.Conditions, func(d rpm.Dep) bool { return d.Flags&flag != 0 })
}

func inserts(t rpm.Trigger) bool { return triggersOn(t, rpm.DepTriggerIn) }

// Has reports whether one of the packages has a script of that kind to run.
func Has(pkgs []*rpm.Header, kind rpm.ScriptKind) bool {
	return slices.ContainsFunc(pkgs, func(h *rpm.Header) bool {
		_, ok := h.Script(kind)
		return ok && !Ignored(h.Name(), kindName(kind))
	})
}

// prepare returns the interpreter and text to run. A nil interpreter means that
// nothing has to run.
func (r Runner) prepare(pkg, kind string, interp []string, body string) ([]string, string, error) {
	if Ignored(pkg, kind) {
		return nil, "", nil
	}
	if interp[0] != rpm.InterpLua {
		return interp, body, nil
	}
	if text, ok := luaReplacements[pkg+"."+kind]; ok {
		return []string{rpm.Shell}, text, nil
	}
	if skipsItself(body) {
		return nil, "", nil
	}
	if r.Lua != "" {
		return interp, body, nil
	}
	return nil, "", &UnsupportedError{pkg, kind, rpm.InterpLua}
}

// Run runs the script of that kind of one package, if it has one.
func (r Runner) Run(ctx context.Context, p Package, kind rpm.ScriptKind) error {
	s, ok := p.Header.Script(kind)
	if !ok {
		return nil
	}
	count := "1"
	if p.Replaces {
		count = "2"
	}
	return r.exec(ctx, script{p.Header, kindName(kind), s.Interp, s.Body, s.Flags}, []string{count}, nil)
}

// A script is what exec runs.
type script struct {
	header *rpm.Header
	kind   string
	interp []string
	body   string
	flags  rpm.ScriptFlags
}

// text returns the script with what it asks to be expanded.
func (r Runner) text(s script) (string, error) {
	var err error
	if s.flags&rpm.ScriptExpand != 0 {
		s.body = Expand(s.body, r.Macros)
	}
	if s.flags&rpm.ScriptQFormat != 0 {
		s.body, err = Format(s.body, s.header)
	}
	return s.body, err
}

// exec runs one script. The error names the package and the script, and says
// where its output went.
func (r Runner) exec(ctx context.Context, s script, args []string, stdin []byte) error {
	pkg := s.header.Name()
	body, err := r.text(s)
	if err != nil {
		return fmt.Errorf("Running %%%s for %s: %w", s.kind, pkg, err)
	}
	interp, body, err := r.prepare(pkg, s.kind, s.interp, body)
	if err != nil || interp == nil {
		return err
	}
	cmd := sandbox.Command{Args: interp}
	root := r.Root
	switch {
	case interp[0] == rpm.InterpLua:
		var bind sandbox.Bind
		if bind, cmd, err = r.luaCommand(s, body, args); err != nil {
			return err
		}
		root.Binds = append(slices.Clip(root.Binds), bind)
	case body != "":
		cmd.Script = []byte(body)
		cmd.Args = slices.Concat(interp, []string{sandbox.ScriptPath}, args)
	}
	cmd.Stdin, cmd.Env = bytes.NewReader(stdin), prefixes(s.header)
	id := pkg + "." + s.kind
	out := &lineWriter{emit: func(line string) {
		if r.Log != nil {
			r.Log(id, line)
		}
	}}
	cmd.Output = out
	err = sandbox.Run(ctx, root, cmd)
	out.flush()
	if exit := (*sandbox.ExitError)(nil); errors.As(err, &exit) {
		exit.Program = interp[0] // of <lua>, the name that the package has for it
	}
	if err != nil {
		return fmt.Errorf("Running %%%s for %s: %w", s.kind, pkg, err)
	}
	return nil
}

// prefixes tells the scripts of a relocatable package where it is, as rpm does.
func prefixes(h *rpm.Header) (env []string) {
	for i, p := range h.Strings(rpm.TagPrefixes) {
		if i == 0 {
			env = append(env, "RPM_INSTALL_PREFIX="+p)
		}
		env = append(env, fmt.Sprintf("RPM_INSTALL_PREFIX%d=%s", i, p))
	}
	return env
}

// FileTriggers runs the %transfiletriggerin scripts of the installed packages
// that match what has changed.
//
// A trigger of a package that was there before runs if one of the changed
// packages has (or, when removed, had) a matching file, and gets the matching
// files of the added packages. A trigger of an added package gets the matching
// files of all installed packages. That is rpm's rule, with one addition:
// removals count, so that a cache such as ld.so.cache follows them.
func (r Runner) FileTriggers(ctx context.Context, installed, added, removed []*rpm.Header) error {
	for _, t := range fileTriggers(installed, added, removed) {
		stdin := strings.Join(t.files, "\n")
		if stdin != "" {
			stdin += "\n"
		}
		run := script{t.header, "transfiletriggerin", t.trigger.Interp, t.trigger.Body, t.trigger.Flags}
		err := r.exec(ctx, run, []string{"1"}, []byte(stdin))
		if err != nil {
			return err
		}
	}
	return nil
}

// HasFileTriggers reports whether FileTriggers would run anything.
func HasFileTriggers(installed, added, removed []*rpm.Header) bool {
	return len(fileTriggers(installed, added, removed)) > 0
}

// A fileTrigger is a trigger that a change sets off.
type fileTrigger struct {
	header  *rpm.Header
	trigger rpm.Trigger
	files   []string
}

// fileTriggers returns the triggers to run, those of high priority first.
func fileTriggers(installed, added, removed []*rpm.Header) []fileTrigger {
	isAdded := map[*rpm.Header]bool{}
	for _, h := range added {
		isAdded[h] = true
	}
	var runs []fileTrigger
	for _, h := range installed {
		for _, t := range h.TransFileTriggers() {
			if !inserts(t) || Ignored(h.Name(), "transfiletriggerin") {
				continue
			}
			files := matching(t, added)
			if isAdded[h] {
				files = matching(t, installed)
			}
			if len(files) > 0 || len(matching(t, removed)) > 0 {
				runs = append(runs, fileTrigger{h, t, files})
			}
		}
	}
	slices.SortStableFunc(runs, func(a, b fileTrigger) int {
		return cmp.Or(cmp.Compare(b.trigger.Priority, a.trigger.Priority), strings.Compare(a.header.Name(), b.header.Name()))
	})
	return runs
}

// matching returns the sorted paths of the packages' files that start with a
// prefix of the trigger.
func matching(t rpm.Trigger, pkgs []*rpm.Header) []string {
	var out []string
	for _, h := range pkgs {
		for _, p := range h.Paths() {
			if slices.ContainsFunc(t.Conditions, func(d rpm.Dep) bool { return strings.HasPrefix(p, d.Name) }) {
				out = append(out, p)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// A lineWriter cuts output into lines.
type lineWriter struct {
	emit func(string)
	buf  []byte
}

// maxLine bounds a line of output in bytes; longer ones are cut in pieces.
const maxLine = 8 << 10

func (w *lineWriter) Write(b []byte) (int, error) {
	w.buf = append(w.buf, b...)
	for {
		i := bytes.IndexByte(w.buf, '\n')
		switch {
		case i >= 0:
			w.emit(string(w.buf[:i]))
			w.buf = w.buf[i+1:]
		case len(w.buf) >= maxLine:
			w.emit(string(w.buf[:maxLine]))
			w.buf = w.buf[maxLine:]
		default:
			return len(b), nil
		}
	}
}

func (w *lineWriter) flush() {
	if len(w.buf) > 0 {
		w.emit(string(w.buf))
		w.buf = nil
	}
}
