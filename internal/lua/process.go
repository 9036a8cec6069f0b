package lua

import (
	"os"
	"os/exec"
	"strings"
	"syscall"

	lua "github.com/yuin/gopher-lua"
	"golang.org/x/sys/unix"
)

// A process is a child of the script.
type process struct {
	pid   int
	files [3]*os.File // standard input, output and error
	own   []*os.File  // to close once the program runs
	run   *os.Process // the program; nil if it executed none
	over  bool
}

// noPID is the number of a child that executed nothing: there is no process.
const noPID = 1 << 22 // above the kernel's PID_MAX_LIMIT

func newProcess() *process {
	return &process{files: [3]*os.File{os.Stdin, os.Stdout, os.Stderr}}
}

func (p *process) ended() bool { return p.over || p.run != nil }

func (p *process) exit(int) { p.pid, p.over = noPID, true }

func (p *process) closeFiles() {
	for _, f := range p.own {
		f.Close()
	}
}

// redirect opens a file for descriptor fd of the process.
func (p *process) redirect(fd int, path string, flag int) error {
	f, err := os.OpenFile(path, flag, 0o644)
	if err != nil {
		return err
	}
	p.files[fd], p.own = f, append(p.own, f)
	return nil
}

// surroundings are what a child has of its parent, and may change for itself.
type surroundings struct {
	dir   *os.File
	umask int
	env   []string
}

// surround returns the surroundings of this process.
func surround() (surroundings, error) {
	dir, err := os.Open(".")
	mask := unix.Umask(0)
	unix.Umask(mask)
	return surroundings{dir, mask, os.Environ()}, err
}

// restore makes them those of this process again.
func (s surroundings) restore() error {
	defer s.dir.Close()
	unix.Umask(s.umask)
	os.Clearenv()
	for _, kv := range s.env {
		k, v, _ := strings.Cut(kv, "=")
		if err := os.Setenv(k, v); err != nil {
			return err
		}
	}
	return s.dir.Chdir()
}

// start executes a program, which is looked for in PATH, as the process p.
func (in *interpreter) start(p *process, args []string) error {
	path, err := exec.LookPath(args[0])
	if err != nil {
		if e := unix.Access(args[0], unix.F_OK); e != nil {
			return syscall.ENOENT
		}
		return syscall.EACCES
	}
	in.limit.lift()
	defer in.limit.set()
	p.run, err = os.StartProcess(path, args, &os.ProcAttr{Env: os.Environ(), Files: p.files[:]})
	if err == nil {
		p.pid = p.run.Pid
	}
	return err
}

// wait waits for the end of the process.
func (p *process) wait() (syscall.WaitStatus, error) {
	if p.run == nil {
		return 0, nil
	}
	state, err := p.run.Wait()
	if err != nil {
		return 0, err
	}
	return state.Sys().(syscall.WaitStatus), nil
}

// exec is posix.exec(path, args...): the child becomes a program.
func (in *interpreter) exec(l *lua.LState) int {
	args := arguments(l)
	if in.child == nil {
		l.RaiseError("exec not permitted in this context")
	}
	in.leave(l)
	if err := in.start(in.child, args); err != nil {
		return in.failed(l, args[0], err)
	}
	in.leave(l)
	return 0
}

// leave unwinds a child that has ended.
func (in *interpreter) leave(l *lua.LState) {
	if in.child != nil && in.child.ended() {
		ud := l.NewUserData()
		ud.Value = errChild
		l.Error(ud, 0)
	}
}

// wait is posix.wait([pid]).
func (in *interpreter) wait(l *lua.LState) int {
	pid := l.OptInt(1, -1)
	if pid == -1 {
		for n := range in.processes {
			pid = max(pid, n)
		}
	}
	p := in.processes[pid]
	if p == nil {
		return in.failed(l, "", syscall.ECHILD)
	}
	delete(in.processes, pid)
	if _, err := p.wait(); err != nil {
		return in.failed(l, "", err)
	}
	l.Push(lua.LNumber(pid))
	return 1
}

// redirectToNull is posix.redirect2null(fd), for a child.
func (in *interpreter) redirectToNull(l *lua.LState) int {
	fd := l.CheckInt(1)
	if in.child == nil {
		l.RaiseError("redirect2null not permitted in this context")
	}
	in.leave(l)
	if fd < 0 || fd > 2 {
		return in.failed(l, "", syscall.EBADF)
	}
	if err := in.child.redirect(fd, os.DevNull, os.O_WRONLY); err != nil {
		return in.failed(l, "", err)
	}
	l.Push(lua.LNumber(fd))
	return 1
}

// exit is os.exit([status]), for a child.
func (in *interpreter) exit(l *lua.LState) int {
	if in.child == nil {
		l.RaiseError("exit not permitted in this context")
	}
	in.leave(l)
	in.child.exit(l.OptInt(1, 0))
	in.leave(l)
	return 0
}

// execute is rpm.execute(path, args...).
func (in *interpreter) execute(l *lua.LState) int {
	return in.runProgram(l, newProcess(), arguments(l))
}

// spawn is rpm.spawn({path, args...}, {stdin=, stdout=, stderr=}).
func (in *interpreter) spawn(l *lua.LState) int {
	var args []string
	t := l.CheckTable(1)
	for i := 1; i <= t.Len(); i++ {
		args = append(args, lua.LVAsString(t.RawGetInt(i)))
	}
	if len(args) == 0 {
		l.RaiseError("command not supplied")
	}
	p := newProcess()
	var failure error
	if actions, ok := l.Get(2).(*lua.LTable); ok {
		actions.ForEach(func(key, value lua.LValue) {
			fd, flag := -1, os.O_WRONLY|os.O_APPEND|os.O_CREATE
			switch lua.LVAsString(key) {
			case "stdin":
				fd, flag = 0, os.O_RDONLY
			case "stdout":
				fd = 1
			case "stderr":
				fd = 2
			default:
				l.RaiseError("invalid spawn directive: %s", lua.LVAsString(key))
			}
			if failure == nil {
				failure = p.redirect(fd, lua.LVAsString(value), flag)
			}
		})
	}
	if failure != nil {
		p.closeFiles()
		return in.failed(l, "", failure)
	}
	return in.runProgram(l, p, args)
}

// runProgram runs a program to its end and returns 0, or nil, what happened, and a
// number.
func (in *interpreter) runProgram(l *lua.LState, p *process, args []string) int {
	in.leave(l)
	err := in.start(p, args)
	p.closeFiles()
	if err != nil {
		return in.failed(l, "", err)
	}
	status, err := p.wait()
	switch {
	case err != nil:
		return in.failed(l, "", err)
	case status.Signaled():
		return push(l, lua.LNil, lua.LString("exit signal"), lua.LNumber(status.Signal()))
	case status.ExitStatus() != 0:
		return push(l, lua.LNil, lua.LString("exit code"), lua.LNumber(status.ExitStatus()))
	}
	return push(l, lua.LNumber(0))
}

// system is os.execute([command]) of Lua 5.4.
func (in *interpreter) system(l *lua.LState) int {
	if l.GetTop() == 0 {
		return push(l, lua.LBool(unix.Access("/bin/sh", unix.X_OK) == nil))
	}
	in.leave(l)
	p := newProcess()
	if err := in.start(p, []string{"/bin/sh", "-c", l.CheckString(1)}); err != nil {
		return push(l, lua.LNil, lua.LString("exit"), lua.LNumber(127))
	}
	status, err := p.wait()
	switch {
	case err != nil:
		return in.failed(l, "", err)
	case status.Signaled():
		return push(l, lua.LNil, lua.LString("signal"), lua.LNumber(status.Signal()))
	case status.ExitStatus() != 0:
		return push(l, lua.LNil, lua.LString("exit"), lua.LNumber(status.ExitStatus()))
	}
	return push(l, lua.LTrue, lua.LString("exit"), lua.LNumber(0))
}
