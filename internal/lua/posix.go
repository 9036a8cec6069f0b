package lua

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	lua "github.com/yuin/gopher-lua"
	"golang.org/x/sys/unix"
)

// push pushes values and returns how many there are.
func push(l *lua.LState, values ...lua.LValue) int {
	for _, v := range values {
		l.Push(v)
	}
	return len(values)
}

// arguments returns all arguments, which must be strings or numbers.
func arguments(l *lua.LState) []string {
	out := []string{l.CheckString(1)}
	for i := 2; i <= l.GetTop(); i++ {
		out = append(out, l.CheckString(i))
	}
	return out
}

// failed returns nil, a text and the number of the error.
func (in *interpreter) failed(l *lua.LState, what string, err error) int {
	in.errno = err
	n := syscall.EIO
	errors.As(err, &n)
	text := capital(n.Error())
	if what != "" {
		text = what + ": " + text
	}
	return push(l, lua.LNil, lua.LString(text), lua.LNumber(n))
}

// capital returns the text of an error as C has it.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// done returns 0, or what failed returns.
func (in *interpreter) done(l *lua.LState, what string, err error) int {
	if err != nil {
		return in.failed(l, what, err)
	}
	return push(l, lua.LNumber(0))
}

func (in *interpreter) openPosix() {
	// path makes a function of a path that returns 0.
	path := func(f func(string) error) lua.LGFunction {
		return func(l *lua.LState) int { return in.done(l, l.CheckString(1), f(l.CheckString(1))) }
	}
	paths := func(f func(string, string) error) lua.LGFunction {
		return func(l *lua.LState) int { return in.done(l, "", f(l.CheckString(1), l.CheckString(2))) }
	}
	t := in.functions("posix", map[string]lua.LGFunction{
		"access":        in.access,
		"chdir":         path(unix.Chdir),
		"chmod":         in.chmod,
		"chown":         in.chown,
		"dir":           in.dir,
		"errno":         in.lastError,
		"exec":          in.exec,
		"files":         in.files,
		"fork":          unsupportedFork,
		"getcwd":        in.getcwd,
		"getenv":        getenv,
		"getgroup":      getgroup,
		"getpasswd":     getpasswd,
		"getprocessid":  getprocessid,
		"kill":          in.kill,
		"link":          paths(unix.Link),
		"mkdir":         path(func(p string) error { return unix.Mkdir(p, 0o777) }),
		"mkfifo":        path(func(p string) error { return unix.Mkfifo(p, 0o777) }),
		"mkstemp":       in.mkstemp,
		"putenv":        in.putenv,
		"readlink":      in.readlink,
		"redirect2null": in.redirectToNull,
		"rmdir":         path(unix.Rmdir),
		"setenv":        in.setenv,
		"sleep":         in.sleep,
		"stat":          in.stat,
		"symlink":       paths(unix.Symlink),
		"umask":         umask,
		"uname":         in.uname,
		"unlink":        path(unix.Unlink),
		"unsetenv":      func(l *lua.LState) int { os.Unsetenv(l.CheckString(1)); return 0 },
		"utime":         in.utime,
		"wait":          in.wait,
	})
	t.RawSetString("version", lua.LString("posix library for "+lua.LuaVersion))
}

// unsupportedFork is posix.fork where it could not be replaced.
func unsupportedFork(l *lua.LState) int {
	l.RaiseError("posix.fork is supported at the start of a statement only: pid = posix.fork()")
	return 0
}

func (in *interpreter) access(l *lua.LState) int {
	path := l.CheckString(1)
	var mode uint32
	for _, c := range l.OptString(2, "f") {
		i := strings.IndexRune(" frwx", c)
		if i < 0 {
			l.ArgError(2, fmt.Sprintf("unknown mode option `%c'", c))
		}
		mode |= [...]uint32{0, unix.F_OK, unix.R_OK, unix.W_OK, unix.X_OK}[i]
	}
	return in.done(l, path, unix.Access(path, mode))
}

func (in *interpreter) chmod(l *lua.LState) int {
	path := l.CheckString(1)
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return in.failed(l, path, err)
	}
	mode, ok := changeMode(st.Mode, l.CheckString(2))
	if !ok {
		l.ArgError(2, "bad mode")
	}
	return in.done(l, path, unix.Chmod(path, mode&0o7777))
}

func (in *interpreter) chown(l *lua.LState) int {
	path := l.CheckString(1)
	return in.done(l, path, unix.Chown(path, ownerID(l, 2, passwdFiles()), ownerID(l, 3, groupFiles())))
}

// ownerID returns the number of the user or group that is argument i, -1 if there is
// none.
func ownerID(l *lua.LState, i int, files []string) int {
	switch v := l.Get(i).(type) {
	case lua.LNumber:
		return int(v)
	case lua.LString:
		if f := account(files, 0, string(v)); f != nil {
			if n, err := strconv.Atoi(f[2]); err == nil {
				return n
			}
		}
	}
	return -1
}

// names returns the names in a directory in the order of the alphabet.
func (in *interpreter) names(l *lua.LState) ([]string, string, error) {
	path := l.OptString(1, ".")
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, path, err
	}
	out := []string{".", ".."}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out, path, nil
}

func (in *interpreter) dir(l *lua.LState) int {
	names, path, err := in.names(l)
	if err != nil {
		return in.failed(l, path, err)
	}
	t := l.NewTable()
	for _, n := range names {
		t.Append(lua.LString(n))
	}
	return push(l, t)
}

func (in *interpreter) files(l *lua.LState) int {
	names, path, err := in.names(l)
	if err != nil {
		return in.failed(l, path, err)
	}
	return push(l, l.NewFunction(func(l *lua.LState) int {
		if len(names) == 0 {
			return push(l, lua.LNil)
		}
		n := names[0]
		names = names[1:]
		return push(l, lua.LString(n))
	}))
}

func (in *interpreter) lastError(l *lua.LState) int {
	n := syscall.Errno(0)
	text := "Success"
	if errors.As(in.errno, &n) {
		text = capital(n.Error())
	}
	return push(l, lua.LString(text), lua.LNumber(n))
}

func (in *interpreter) getcwd(l *lua.LState) int {
	dir, err := os.Getwd()
	if err != nil {
		return in.failed(l, ".", err)
	}
	return push(l, lua.LString(dir))
}

func getenv(l *lua.LState) int {
	if l.GetTop() > 0 {
		if v, ok := os.LookupEnv(l.CheckString(1)); ok {
			return push(l, lua.LString(v))
		}
		return push(l, lua.LNil)
	}
	t := l.NewTable()
	for _, kv := range os.Environ() {
		k, v, _ := strings.Cut(kv, "=")
		t.RawSetString(k, lua.LString(v))
	}
	return push(l, t)
}

func (in *interpreter) putenv(l *lua.LState) int {
	k, v, ok := strings.Cut(l.CheckString(1), "=")
	if !ok {
		return in.done(l, "", os.Unsetenv(k))
	}
	return in.done(l, l.CheckString(1), os.Setenv(k, v))
}

func (in *interpreter) setenv(l *lua.LState) int {
	name, value := l.CheckString(1), l.CheckString(2)
	if _, there := os.LookupEnv(name); there && l.GetTop() > 2 && l.Get(3) != lua.LNil && !l.ToBool(3) {
		return push(l, lua.LNumber(0))
	}
	return in.done(l, name, os.Setenv(name, value))
}

// passwdFiles and groupFiles are where users and groups are; the second of each is
// of systems with the altfiles name service.
func passwdFiles() []string { return []string{"/etc/passwd", "/usr/lib/passwd"} }
func groupFiles() []string  { return []string{"/etc/group", "/usr/lib/group"} }

// account returns the fields of the first line whose field i is value, nil if there
// is none.
func account(files []string, i int, value string) []string {
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) >= 4 && f[i] == value {
				return f
			}
		}
	}
	return nil
}

// accountOf returns the line of the user or group that is the first argument, a
// name or a number.
func accountOf(l *lua.LState, files []string) []string {
	if n, ok := l.Get(1).(lua.LNumber); ok {
		return account(files, 2, strconv.Itoa(int(n)))
	}
	return account(files, 0, l.CheckString(1))
}

func getpasswd(l *lua.LState) int {
	var f []string
	if l.GetTop() == 0 || l.Get(1) == lua.LNil {
		f = account(passwdFiles(), 2, strconv.Itoa(os.Geteuid()))
	} else {
		f = accountOf(l, passwdFiles())
	}
	if len(f) < 7 {
		return push(l, lua.LNil)
	}
	uid, _ := strconv.Atoi(f[2])
	gid, _ := strconv.Atoi(f[3])
	return selection(l, 2, map[string]lua.LValue{
		"name": lua.LString(f[0]), "uid": lua.LNumber(uid), "gid": lua.LNumber(gid), "dir": lua.LString(f[5]),
		"shell": lua.LString(f[6]), "gecos": lua.LString(f[4]), "passwd": lua.LString(f[1]),
	})
}

func getgroup(l *lua.LState) int {
	f := accountOf(l, groupFiles())
	if f == nil {
		return push(l, lua.LNil)
	}
	gid, _ := strconv.Atoi(f[2])
	t := l.NewTable()
	t.RawSetString("name", lua.LString(f[0]))
	t.RawSetString("gid", lua.LNumber(gid))
	for _, m := range strings.Split(f[3], ",") {
		if m != "" {
			t.Append(lua.LString(m))
		}
	}
	return push(l, t)
}

// selection returns the value that argument i names, or a table of all.
func selection(l *lua.LState, i int, values map[string]lua.LValue) int {
	if l.GetTop() >= i {
		v, ok := values[l.CheckString(i)]
		if !ok {
			l.ArgError(i, fmt.Sprintf("invalid option '%s'", l.CheckString(i)))
		}
		return push(l, v)
	}
	t := l.NewTable()
	for _, k := range slices.Sorted(maps.Keys(values)) {
		t.RawSetString(k, values[k])
	}
	return push(l, t)
}

func getprocessid(l *lua.LState) int {
	number := func(n int) lua.LValue { return lua.LNumber(n) }
	return selection(l, 1, map[string]lua.LValue{
		"egid": number(os.Getegid()), "euid": number(os.Geteuid()), "gid": number(os.Getgid()), "uid": number(os.Getuid()),
		"pgrp": number(unix.Getpgrp()), "pid": number(os.Getpid()), "ppid": number(os.Getppid()),
	})
}

func (in *interpreter) kill(l *lua.LState) int {
	pid := l.CheckInt(1)
	if pid == noPID {
		return in.failed(l, "", syscall.ESRCH)
	}
	return in.done(l, "", unix.Kill(pid, unix.Signal(l.OptInt(2, int(unix.SIGTERM)))))
}

func (in *interpreter) sleep(l *lua.LState) int {
	select {
	case <-time.After(time.Duration(l.CheckInt(1)) * time.Second):
	case <-l.Context().Done():
	}
	return push(l, lua.LNumber(0))
}

// mkstemp makes a file whose name is the template with its last six X replaced, and
// returns it open and its name.
func (in *interpreter) mkstemp(l *lua.LState) int {
	template, ok := strings.CutSuffix(l.CheckString(1), "XXXXXX")
	if !ok {
		return in.failed(l, "", syscall.EINVAL)
	}
	var name string
	for {
		name = template + rand.Text()[:6]
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			f.Close()
			break
		}
		if !errors.Is(err, fs.ErrExist) {
			return in.failed(l, "", err)
		}
	}
	l.Push(l.GetField(l.GetGlobal("io"), "open"))
	l.Push(lua.LString(name))
	l.Push(lua.LString("a+"))
	l.Call(2, 1)
	return push(l, l.Get(-1), lua.LString(name))
}

func (in *interpreter) readlink(l *lua.LState) int {
	target, err := os.Readlink(l.CheckString(1))
	if err != nil {
		return in.failed(l, l.CheckString(1), err)
	}
	return push(l, lua.LString(target))
}

func (in *interpreter) stat(l *lua.LState) int {
	path := l.CheckString(1)
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return in.failed(l, path, err)
	}
	kind := map[uint32]string{
		unix.S_IFREG: "regular", unix.S_IFLNK: "link", unix.S_IFDIR: "directory", unix.S_IFCHR: "character device",
		unix.S_IFBLK: "block device", unix.S_IFIFO: "fifo", unix.S_IFSOCK: "socket",
	}[st.Mode&unix.S_IFMT]
	if kind == "" {
		kind = "?"
	}
	return selection(l, 2, map[string]lua.LValue{
		"mode": lua.LString(modeText(st.Mode)), "ino": lua.LNumber(st.Ino), "dev": lua.LNumber(st.Dev),
		"nlink": lua.LNumber(st.Nlink), "uid": lua.LNumber(st.Uid), "gid": lua.LNumber(st.Gid), "size": lua.LNumber(st.Size),
		"atime": lua.LNumber(st.Atim.Sec), "mtime": lua.LNumber(st.Mtim.Sec), "ctime": lua.LNumber(st.Ctim.Sec),
		"type": lua.LString(kind), "_mode": lua.LNumber(st.Mode),
	})
}

// umask sets and returns the permissions that new files get, "rwxr-xr-x".
func umask(l *lua.LState) int {
	old := unix.Umask(0)
	unix.Umask(old)
	mode := uint32(^old) & 0o777
	if l.GetTop() > 0 {
		m, ok := changeMode(mode, l.CheckString(1))
		if !ok {
			return push(l, lua.LNil)
		}
		mode = m & 0o777
		unix.Umask(int(^mode & 0o777))
	}
	return push(l, lua.LString(modeText(mode)))
}

func (in *interpreter) uname(l *lua.LState) int {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return in.failed(l, "", err)
	}
	fields := map[byte]string{
		'm': unix.ByteSliceToString(u.Machine[:]), 'n': unix.ByteSliceToString(u.Nodename[:]), '%': "%",
		'r': unix.ByteSliceToString(u.Release[:]), 's': unix.ByteSliceToString(u.Sysname[:]),
		'v': unix.ByteSliceToString(u.Version[:]),
	}
	format := l.OptString(1, "%s %n %r %v %m")
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		i++
		if i == len(format) || fields[format[i]] == "" {
			l.ArgError(1, "unknown format option")
		}
		b.WriteString(fields[format[i]])
	}
	return push(l, lua.LString(b.String()))
}

func (in *interpreter) utime(l *lua.LState) int {
	path := l.CheckString(1)
	now := lua.LNumber(time.Now().Unix())
	mtime, atime := l.OptNumber(2, now), l.OptNumber(3, now)
	return in.done(l, path, unwrap(os.Chtimes(path, time.Unix(int64(atime), 0), time.Unix(int64(mtime), 0))))
}

// unwrap returns the number of the error inside err.
func unwrap(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
