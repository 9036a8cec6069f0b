package lua

import (
	"errors"
	"fmt"
	"os"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// Scripts fork in order to execute a program:
//
//	local pid = posix.fork()
//	if pid == 0 then
//	  posix.exec("/sbin/ldconfig")
//	elseif pid > 0 then
//	  posix.wait(pid)
//	end
//
// A statement that begins with posix.fork and those after it in its block become
// a function of the process number. It is called twice: with 0, until the "child"
// executes a program, exits or fails, and then as the parent, with the number of
// the process that the child started. What the child does before is done in this
// process; descriptors that it redirects are redirected for the program, and its
// directory, environment and umask are the parent's again afterwards.

// Names that no script can write.
const (
	nameFork   = "(fork)"   // function: calls the rest of the block twice
	namePID    = "(pid)"    // parameter of the rest
	nameResult = "(result)" // what the rest returns
	nameEnd    = "(end)"    // value: the rest did not return
	nameUnpack = "(unpack)" // function: the values of a result
)

// A rewriter replaces posix.fork in a syntax tree.
type rewriter struct {
	vararg bool // the function around has a variable number of arguments
	depth  int  // how many blocks and expressions are around
}

var errTooDeep = errors.New("chunk has too many syntax levels")

// block rewrites a list of statements.
func (r rewriter) block(stmts []ast.Stmt) ([]ast.Stmt, error) {
	if r.depth++; r.depth > maxDepth {
		return nil, errTooDeep
	}
	for i, s := range stmts {
		if err := r.statement(s); err != nil {
			return nil, err
		}
		call := forkOf(s)
		if call == nil {
			continue
		}
		*call = &ast.IdentExpr{Value: namePID}
		rest, err := r.block(stmts[i+1:])
		if err != nil {
			return nil, err
		}
		rest = append([]ast.Stmt{s}, rest...)
		var leaves leaving
		leaves.block(rest, false)
		if leaves.jumps {
			return nil, fmt.Errorf("line %d: posix.fork in a block that break or goto leave is not supported", s.Line())
		}
		return append(stmts[:i:i], r.fork(rest, leaves.returns, s.Line())...), nil
	}
	return stmts, nil
}

// fork returns the statements that call rest once for the child and once for the
// parent.
func (r rewriter) fork(rest []ast.Stmt, returns bool, line int) []ast.Stmt {
	call := func(name string, args ...ast.Expr) *ast.FuncCallExpr {
		c := &ast.FuncCallExpr{Func: &ast.IdentExpr{Value: name}, Args: args}
		c.SetLine(line)
		c.SetLastLine(line)
		return c
	}
	if _, ok := rest[len(rest)-1].(*ast.ReturnStmt); !ok {
		rest = append(rest, &ast.ReturnStmt{Exprs: []ast.Expr{&ast.IdentExpr{Value: nameEnd}}})
	}
	body := &ast.FunctionExpr{ParList: &ast.ParList{Names: []string{namePID}, HasVargs: r.vararg}, Stmts: rest}
	body.SetLine(line)
	body.SetLastLine(rest[len(rest)-1].LastLine())
	args := []ast.Expr{body}
	if r.vararg {
		args = append(args, &ast.Comma3Expr{})
	}
	if !returns {
		return []ast.Stmt{&ast.FuncCallStmt{Expr: call(nameFork, args...)}}
	}
	result := &ast.IdentExpr{Value: nameResult}
	return []ast.Stmt{
		&ast.LocalAssignStmt{Names: []string{nameResult}, Exprs: []ast.Expr{call(nameFork, args...)}},
		&ast.IfStmt{Condition: result, Then: []ast.Stmt{&ast.ReturnStmt{Exprs: []ast.Expr{call(nameUnpack, result)}}}},
	}
}

// forkOf returns where the call of posix.fork is that the statement begins with:
// "x = posix.fork()", or "if posix.fork() == 0". Elsewhere it cannot be replaced,
// and fails when it is called.
func forkOf(s ast.Stmt) *ast.Expr {
	var e *ast.Expr
	switch s := s.(type) {
	case *ast.LocalAssignStmt:
		if len(s.Exprs) == 1 {
			e = &s.Exprs[0]
		}
	case *ast.AssignStmt:
		if len(s.Rhs) == 1 {
			e = &s.Rhs[0]
		}
	case *ast.FuncCallStmt:
		if c, ok := s.Expr.(*ast.FuncCallExpr); ok && isFork(c) {
			// A call whose result nobody wants: the statement becomes an empty one.
			c.Func, c.Args = &ast.IdentExpr{Value: "type"}, []ast.Expr{c}
			return &c.Args[0]
		}
	case *ast.IfStmt:
		e = &s.Condition
		if r, ok := s.Condition.(*ast.RelationalOpExpr); ok {
			e = &r.Lhs
		}
	}
	if e == nil || !isFork(*e) {
		return nil
	}
	return e
}

func isFork(e ast.Expr) bool {
	call, ok := e.(*ast.FuncCallExpr)
	if !ok || call.Receiver != nil || len(call.Args) > 0 {
		return false
	}
	get, ok := call.Func.(*ast.AttrGetExpr)
	if !ok {
		return false
	}
	object, ok := get.Object.(*ast.IdentExpr)
	key, ok2 := get.Key.(*ast.StringExpr)
	return ok && ok2 && object.Value == "posix" && key.Value == "fork"
}

// statement rewrites the blocks and functions inside a statement.
func (r rewriter) statement(s ast.Stmt) (err error) {
	blocks := func(lists ...*[]ast.Stmt) {
		for _, l := range lists {
			if err == nil {
				*l, err = r.block(*l)
			}
		}
	}
	exprs := func(list ...ast.Expr) {
		for _, e := range list {
			if err == nil && e != nil {
				err = r.expression(e)
			}
		}
	}
	switch s := s.(type) {
	case *ast.AssignStmt:
		exprs(s.Lhs...)
		exprs(s.Rhs...)
	case *ast.LocalAssignStmt:
		exprs(s.Exprs...)
	case *ast.FuncCallStmt:
		exprs(s.Expr)
	case *ast.DoBlockStmt:
		blocks(&s.Stmts)
	case *ast.WhileStmt:
		exprs(s.Condition)
		blocks(&s.Stmts)
	case *ast.RepeatStmt:
		exprs(s.Condition)
		blocks(&s.Stmts)
	case *ast.IfStmt:
		exprs(s.Condition)
		blocks(&s.Then, &s.Else)
	case *ast.NumberForStmt:
		exprs(s.Init, s.Limit, s.Step)
		blocks(&s.Stmts)
	case *ast.GenericForStmt:
		exprs(s.Exprs...)
		blocks(&s.Stmts)
	case *ast.FuncDefStmt:
		exprs(s.Func)
	case *ast.ReturnStmt:
		exprs(s.Exprs...)
	}
	return err
}

// expression rewrites the functions inside an expression, and its numbers.
func (r rewriter) expression(e ast.Expr) error {
	if r.depth++; r.depth > maxDepth {
		return errTooDeep
	}
	var parts []ast.Expr
	switch e := e.(type) {
	case *ast.NumberExpr:
		// Lua has no octal numbers, gopher-lua has: 0755 is 755.
		if t := strings.TrimLeft(e.Value, "0"); t != "" && len(t) < len(e.Value) && '1' <= t[0] && t[0] <= '9' {
			e.Value = t
		}
	case *ast.FunctionExpr:
		var err error
		e.Stmts, err = rewriter{e.ParList.HasVargs, r.depth}.block(e.Stmts)
		return err
	case *ast.AttrGetExpr:
		parts = []ast.Expr{e.Object, e.Key}
	case *ast.TableExpr:
		for _, f := range e.Fields {
			parts = append(parts, f.Key, f.Value)
		}
	case *ast.FuncCallExpr:
		parts = append([]ast.Expr{e.Func, e.Receiver}, e.Args...)
	case *ast.LogicalOpExpr:
		parts = []ast.Expr{e.Lhs, e.Rhs}
	case *ast.RelationalOpExpr:
		parts = []ast.Expr{e.Lhs, e.Rhs}
	case *ast.StringConcatOpExpr:
		parts = []ast.Expr{e.Lhs, e.Rhs}
	case *ast.ArithmeticOpExpr:
		parts = []ast.Expr{e.Lhs, e.Rhs}
	case *ast.UnaryMinusOpExpr:
		parts = []ast.Expr{e.Expr}
	case *ast.UnaryNotOpExpr:
		parts = []ast.Expr{e.Expr}
	case *ast.UnaryLenOpExpr:
		parts = []ast.Expr{e.Expr}
	}
	for _, p := range parts {
		if p == nil {
			continue
		}
		if err := r.expression(p); err != nil {
			return err
		}
	}
	return nil
}

// leaving tells how control leaves a list of statements, besides at its end.
type leaving struct{ returns, jumps bool }

func (l *leaving) block(stmts []ast.Stmt, loop bool) {
	for _, s := range stmts {
		switch s := s.(type) {
		case *ast.ReturnStmt:
			l.returns = true
		case *ast.BreakStmt:
			l.jumps = l.jumps || !loop
		case *ast.GotoStmt, *ast.LabelStmt:
			l.jumps = true
		case *ast.DoBlockStmt:
			l.block(s.Stmts, loop)
		case *ast.IfStmt:
			l.block(s.Then, loop)
			l.block(s.Else, loop)
		case *ast.WhileStmt:
			l.block(s.Stmts, true)
		case *ast.RepeatStmt:
			l.block(s.Stmts, true)
		case *ast.NumberForStmt:
			l.block(s.Stmts, true)
		case *ast.GenericForStmt:
			l.block(s.Stmts, true)
		}
	}
}

// errChild unwinds the script to where it forked: the child is gone.
var errChild = errors.New("the child has ended")

func (in *interpreter) openForks() {
	l := in.l
	end := l.NewUserData()
	l.SetGlobal(nameEnd, end)
	l.SetGlobal(nameUnpack, l.NewFunction(func(l *lua.LState) int {
		t := l.CheckTable(1)
		n := int(lua.LVAsNumber(t.RawGetString("n")))
		for i := 1; i <= n; i++ {
			l.Push(t.RawGetInt(i))
		}
		return n
	}))
	for _, name := range []string{"pcall", "xpcall"} {
		protected := l.GetGlobal(name)
		l.SetGlobal(name, l.NewFunction(func(l *lua.LState) int {
			n := l.GetTop()
			l.Insert(protected, 1)
			l.Call(n, lua.MultRet)
			in.leave(l) // which is no error of the script
			return l.GetTop()
		}))
	}
	l.SetGlobal(nameFork, l.NewFunction(func(l *lua.LState) int {
		pid := in.fork(l)
		top := l.GetTop()
		in.callRest(l, pid)
		results := l.GetTop() - top
		if results == 1 && l.Get(-1) == end {
			l.Push(lua.LNil)
			return 1
		}
		l.Push(packed(l, top+1, l.GetTop()))
		return 1
	}))
}

// callRest calls the function that is the first argument, for the process pid,
// and leaves its results on the stack.
func (in *interpreter) callRest(l *lua.LState, pid int) {
	n := l.GetTop()
	l.Push(l.Get(1))
	l.Push(lua.LNumber(pid))
	for i := 2; i <= n; i++ {
		l.Push(l.Get(i))
	}
	l.Call(n, lua.MultRet)
}

// fork runs the child and returns its process number.
func (in *interpreter) fork(l *lua.LState) int {
	if in.child != nil {
		l.RaiseError("a second posix.fork in a child is not supported")
	}
	own, err := surround()
	if err != nil {
		l.RaiseError("posix.fork: %v", err)
	}
	child := newProcess()
	in.child = child
	top := l.GetTop()
	args := []lua.LValue{lua.LNumber(0)}
	for i := 2; i <= top; i++ {
		args = append(args, l.Get(i))
	}
	err = l.CallByParam(lua.P{Fn: l.Get(1), NRet: 0, Protect: true}, args...)
	in.child = nil
	if err := own.restore(); err != nil {
		l.RaiseError("posix.fork: %v", err)
	}
	if !child.ended() {
		if err != nil {
			fmt.Fprintf(os.Stderr, "lua script failed: %s\n", message(err))
		} else {
			fmt.Fprintln(os.Stderr, "runaway fork() in Lua script")
		}
		child.exit(1)
	}
	child.closeFiles()
	in.processes[child.pid] = child
	return child.pid
}
