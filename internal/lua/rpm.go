package lua

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rpmostree/rpm/evr"
)

// lineLength is how long the lines of rpm.b64encode are.
const lineLength = 64

func (in *interpreter) openRPM() {
	in.functions("rpm", map[string]lua.LGFunction{
		"b64decode":     decode64,
		"b64encode":     encode64,
		"define":        in.define,
		"execute":       in.execute,
		"expand":        in.expand,
		"glob":          glob,
		"isdefined":     in.isDefined,
		"next_file":     in.nextFile,
		"redirect2null": in.redirectToNull,
		"spawn":         in.spawn,
		"undefine":      in.undefine,
		"ver":           version,
		"vercmp":        vercmp,
	})
	class := in.l.NewTypeMetatable(versionClass)
	in.l.SetFuncs(class, map[string]lua.LGFunction{
		"__index":    versionPart,
		"__tostring": func(l *lua.LState) int { return push(l, lua.LString(checkVersion(l, 1).String())) },
		"__eq":       compareVersions(func(c int) bool { return c == 0 }),
		"__lt":       compareVersions(func(c int) bool { return c < 0 }),
		"__le":       compareVersions(func(c int) bool { return c <= 0 }),
	})
	if len(in.Prefixes) > 0 {
		t := in.l.NewTable()
		for _, p := range in.Prefixes {
			t.Append(lua.LString(p))
		}
		in.l.SetGlobal("RPM_INSTALL_PREFIX", t)
	}
}

func vercmp(l *lua.LState) int {
	return push(l, lua.LNumber(evr.Compare(parseVersion(l, 1), parseVersion(l, 2))))
}

func parseVersion(l *lua.LState, i int) evr.EVR {
	s := l.CheckString(i)
	if s == "" {
		l.ArgError(i, "invalid version ")
	}
	return evr.Parse(s)
}

const versionClass = "rpm.ver"

// version is rpm.ver(evr) or rpm.ver(epoch, version, release).
func version(l *lua.LState) int {
	var v evr.EVR
	switch l.GetTop() {
	case 1:
		v = parseVersion(l, 1)
	case 3:
		s := l.CheckString(2)
		if e := lua.LVAsString(l.Get(1)); e != "" {
			s = e + ":" + s
		}
		if r := lua.LVAsString(l.Get(3)); r != "" {
			s += "-" + r
		}
		v = evr.Parse(s)
	default:
		l.RaiseError("invalid number of arguments: %d", l.GetTop())
	}
	ud := l.NewUserData()
	ud.Value = v
	l.SetMetatable(ud, l.GetTypeMetatable(versionClass))
	return push(l, ud)
}

func checkVersion(l *lua.LState, i int) evr.EVR {
	v, ok := l.CheckUserData(i).Value.(evr.EVR)
	if !ok {
		l.ArgError(i, versionClass+" expected")
	}
	return v
}

// versionPart returns what a version has as "e", "v" or "r".
func versionPart(l *lua.LState) int {
	s := checkVersion(l, 1).String()
	epoch, rest, ok := strings.Cut(s, ":")
	if !ok {
		epoch, rest = "", s
	}
	ver, rel := rest, ""
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		ver, rel = rest[:i], rest[i+1:]
	}
	part := ""
	switch key := l.CheckString(2); key {
	case "e":
		part = epoch
	case "v":
		part = ver
	case "r":
		part = rel
	default:
		l.RaiseError("invalid attribute: %s", key)
	}
	if part == "" {
		return push(l, lua.LNil)
	}
	return push(l, lua.LString(part))
}

func compareVersions(is func(int) bool) lua.LGFunction {
	return func(l *lua.LState) int {
		return push(l, lua.LBool(is(evr.Compare(checkVersion(l, 1), checkVersion(l, 2)))))
	}
}

func (in *interpreter) expand(l *lua.LState) int {
	return push(l, lua.LString(in.Expand(l.CheckString(1), in.Macros)))
}

// define is rpm.define("name text"). Macros with parameters are for builds.
func (in *interpreter) define(l *lua.LState) int {
	name, body, ok := strings.Cut(strings.TrimLeft(l.CheckString(1), " \t"), " ")
	if !ok || strings.Contains(name, "(") {
		l.RaiseError("error defining macro")
	}
	in.Macros[name] = strings.TrimLeft(body, " \t")
	return 0
}

func (in *interpreter) undefine(l *lua.LState) int {
	delete(in.Macros, l.CheckString(1))
	return 0
}

func (in *interpreter) isDefined(l *lua.LState) int {
	_, ok := in.Macros[l.CheckString(1)]
	return push(l, lua.LBool(ok), lua.LFalse)
}

// nextFile returns the next path that a file trigger is for, nil after the last.
func (in *interpreter) nextFile(l *lua.LState) int {
	line, err := in.stdin.ReadString('\n')
	if line = strings.TrimSuffix(line, "\n"); line == "" && err != nil {
		return push(l, lua.LNil)
	}
	return push(l, lua.LString(line))
}

// glob is rpm.glob(pattern [, "c"]); with "c", a pattern that nothing matches is
// its own result.
func glob(l *lua.LState) int {
	pattern := l.CheckString(1)
	paths, err := filepath.Glob(pattern)
	if err != nil {
		l.RaiseError("glob %s failed: %v", pattern, err)
	}
	if len(paths) == 0 && strings.Contains(l.OptString(2, ""), "c") {
		paths = []string{pattern}
	}
	if len(paths) == 0 {
		// As rpm's, which then pushes nothing but its argument.
		return push(l, lua.LString(pattern))
	}
	t := l.NewTable()
	for _, p := range paths {
		t.Append(lua.LString(p))
	}
	return push(l, t)
}

func encode64(l *lua.LState) int {
	length := l.OptInt(2, -1)
	if length < 0 {
		length = lineLength
	}
	s := base64.StdEncoding.EncodeToString([]byte(l.CheckString(1)))
	if length == 0 {
		return push(l, lua.LString(s))
	}
	var b strings.Builder
	for len(s) > 0 {
		n := min(length, len(s))
		b.WriteString(s[:n] + "\n")
		s = s[n:]
	}
	return push(l, lua.LString(b.String()))
}

func decode64(l *lua.LState) int {
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(l.CheckString(1)), ""))
	if err != nil {
		return push(l, lua.LNil)
	}
	return push(l, lua.LString(b))
}

// openChanges adds what scripts for Lua 5.4 expect.
func (in *interpreter) openChanges() {
	l := in.l
	in.functions("os", map[string]lua.LGFunction{"execute": in.system, "exit": in.exit, "remove": in.remove, "rename": in.rename})
	t := in.functions("table", map[string]lua.LGFunction{
		"pack": func(l *lua.LState) int {
			return push(l, packed(l, 1, l.GetTop()))
		},
	})
	t.RawSetString("unpack", l.GetGlobal("unpack"))
	// Options of reading lost their "*" in 5.3.
	if files, ok := l.GetTypeMetatable("FILE*").(*lua.LTable); ok {
		starred(l, files, 2)
		if index, ok := files.RawGetString("__index").(*lua.LTable); ok {
			starred(l, index, 2)
		}
	}
	if io, ok := l.GetGlobal("io").(*lua.LTable); ok {
		starred(l, io, 1)
		in.unlimited(io, "popen")
	}
}

// unlimited replaces a function of a table, which starts a program, by one that does it
// without the interpreter's limit.
func (in *interpreter) unlimited(t *lua.LTable, name string) {
	start := t.RawGetString(name)
	t.RawSetString(name, in.l.NewFunction(func(l *lua.LState) int {
		n := l.GetTop()
		l.Insert(start, 1)
		in.limit.lift()
		defer in.limit.set()
		l.Call(n, lua.MultRet)
		return l.GetTop()
	}))
}

// packed returns a table of the values on the stack from first to last, and how many
// there are as "n".
func packed(l *lua.LState, first, last int) *lua.LTable {
	t := l.NewTable()
	for i := first; i <= last; i++ {
		t.RawSetInt(i-first+1, l.Get(i))
	}
	t.RawSetString("n", lua.LNumber(last-first+1))
	return t
}

// starred replaces the function read of a table by one that puts "*" before its
// options, of which argument first is the first.
func starred(l *lua.LState, t *lua.LTable, first int) {
	read, ok := t.RawGetString("read").(*lua.LFunction)
	if !ok {
		return
	}
	t.RawSetString("read", l.NewFunction(func(l *lua.LState) int {
		n := l.GetTop()
		l.Push(read)
		for i := 1; i <= n; i++ {
			v := l.Get(i)
			if s, ok := v.(lua.LString); ok && i >= first && !strings.HasPrefix(string(s), "*") {
				v = "*" + s[:min(1, len(s))]
			}
			l.Push(v)
		}
		l.Call(n, lua.MultRet)
		return l.GetTop() - n
	}))
}

// remove is os.remove(path), of Lua 5.4.
func (in *interpreter) remove(l *lua.LState) int {
	path := l.CheckString(1)
	if err := os.Remove(path); err != nil {
		return in.failed(l, path, unwrap(err))
	}
	return push(l, lua.LTrue)
}

func (in *interpreter) rename(l *lua.LState) int {
	from := l.CheckString(1)
	if err := os.Rename(from, l.CheckString(2)); err != nil {
		return in.failed(l, from, err)
	}
	return push(l, lua.LTrue)
}
