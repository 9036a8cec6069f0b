// Package lua runs package scripts that are written for rpm's built-in Lua
// interpreter, <lua>, in this process: whoever calls it sees to it that the process
// sees only what the script may touch.
//
// The language is gopher-lua's, Lua 5.1 with goto; the functions in which scripts
// for 5.4 differ (reading without "*", table.pack and unpack, results of
// os.execute) are added. The tables posix and rpm are rpm's (rpmio/lposix.cc and
// rpmlua.cc), without what is of use only while packages are built.
//
// A process cannot be copied here. posix.fork works where scripts use it: see
// fork.go.
package lua

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// Limits of the interpreter.
const (
	maxRegistry  = 1 << 20 // values on the stack
	maxCallDepth = 200     // as LUAI_MAXCCALLS of Lua
)

// Limits of scripts: the compiler is recursive, and in places not linear.
const (
	maxBody  = 256 << 10 // bytes
	maxDepth = 1000      // of the syntax tree
)

// A Script is what to run.
type Script struct {
	Name string // for messages
	Body string
	// Counts are the arguments that tell how many instances of packages there
	// are: at most two, arg[2] and arg[3].
	Counts []int
	// Prefixes are where a relocatable package is.
	Prefixes []string
	// Macros are those that rpm.expand knows, by name. Run may change the map.
	Macros map[string]string
	// Expand replaces macros in a text.
	Expand func(text string, macros map[string]string) string `json:"-"`
	// Memory limits what the interpreter may allocate, in bytes: more ends this
	// process. 0 means no limit. Programs that the script runs have the limit that
	// this process had.
	Memory uint64
}

// Check returns an error if the script cannot be compiled.
func Check(name, body string) error {
	_, err := compile(name, "", body)
	return err
}

// Run runs the script, with the standard files, working directory and environment
// of this process. What rpm.next_file returns is read from the standard input, one
// path a line.
func Run(ctx context.Context, s Script) error {
	prelude := "local opt, arg = ...;"
	for i := range s.Counts {
		prelude += fmt.Sprintf("arg[%d] = tonumber(arg[%d]);", i+2, i+2)
	}
	proto, err := compile(s.Name, prelude, s.Body)
	if err != nil {
		return err
	}
	limit, err := limitMemory(s.Memory)
	if err != nil {
		return err
	}
	defer limit.lift()
	l := lua.NewState(lua.Options{RegistryMaxSize: maxRegistry, CallStackSize: maxCallDepth, MinimizeStackMemory: true})
	defer l.Close()
	l.SetContext(ctx)
	in := &interpreter{Script: s, l: l, processes: map[int]*process{}, limit: limit, stdin: bufio.NewReader(os.Stdin)}
	in.open()
	arg := l.NewTable()
	arg.Append(lua.LString(s.Name))
	for _, n := range s.Counts {
		arg.Append(lua.LString(fmt.Sprint(n)))
	}
	err = l.CallByParam(lua.P{Fn: l.NewFunctionFromProto(proto), Protect: true}, l.NewTable(), arg)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("lua script failed: %s", message(err))
	}
	return nil
}

// compile compiles a body and a prelude on its first line.
func compile(name, prelude, body string) (*lua.FunctionProto, error) {
	if len(body) > maxBody {
		return nil, fmt.Errorf("lua script of %d bytes; at most %d are supported", len(body), maxBody)
	}
	chunk, err := parse.Parse(strings.NewReader(prelude+body), name)
	if err != nil {
		return nil, fmt.Errorf("invalid syntax in lua script: %w", err)
	}
	r := rewriter{vararg: true}
	if chunk, err = r.block(chunk); err != nil {
		return nil, fmt.Errorf("lua script: %w", err)
	}
	proto, err := lua.Compile(chunk, name)
	if err != nil {
		return nil, fmt.Errorf("lua script: %w", err)
	}
	return proto, nil
}

// message returns what the script has to say of an error, without the trace.
func message(err error) string {
	var api *lua.ApiError
	if errors.As(err, &api) && api.Object != nil && api.Object != lua.LNil {
		return api.Object.String()
	}
	return err.Error()
}

// An interpreter is one run of a script.
type interpreter struct {
	Script
	l         *lua.LState
	child     *process // that runs now in place of the script; nil if none
	processes map[int]*process
	stdin     *bufio.Reader
	limit     memoryLimit
	errno     error // of the last function that failed
}

// open puts rpm's tables, and what has changed since Lua 5.1, into the state.
func (in *interpreter) open() {
	in.openForks()
	in.openPosix()
	in.openRPM()
	in.openChanges()
}

// functions adds functions to a global table, which is made if it is not there.
func (in *interpreter) functions(table string, functions map[string]lua.LGFunction) *lua.LTable {
	t, ok := in.l.GetGlobal(table).(*lua.LTable)
	if !ok {
		t = in.l.NewTable()
		in.l.SetGlobal(table, t)
	}
	in.l.SetFuncs(t, functions)
	return t
}
