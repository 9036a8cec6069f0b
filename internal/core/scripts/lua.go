package scripts

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"rpmostree/internal/lua"
	"rpmostree/internal/sandbox"
	"rpmostree/rpm"
)

// Limits of a <lua> script.
const (
	maxLuaTime   = 10 * time.Minute
	maxLuaMemory = 256 << 20 // of the interpreter, not of programs that the script runs
)

// luaProgram is where a sandbox has the program that interprets Lua.
const luaProgram = "/run/rpm-ostree/rpm-ostree"

// LuaCommand is the word after which that program expects the path of a script.
const LuaCommand = "scriptlet-lua"

// luaCommand returns what runs a <lua> script in the sandbox: this program, by
// another way in, so that the script sees the tree and nothing else.
func (r Runner) luaCommand(s script, body string, args []string) (sandbox.Bind, sandbox.Command, error) {
	text := lua.Script{
		Name: s.header.Name() + "." + s.kind, Body: body, Macros: r.Macros,
		Prefixes: s.header.Strings(rpm.TagPrefixes), Memory: maxLuaMemory,
	}
	for _, a := range args {
		n, err := strconv.Atoi(a)
		if err != nil {
			return sandbox.Bind{}, sandbox.Command{}, err
		}
		text.Counts = append(text.Counts, n)
	}
	b, err := json.Marshal(text)
	return sandbox.Bind{Source: r.Lua, Target: luaProgram},
		sandbox.Command{Args: []string{luaProgram, LuaCommand, sandbox.ScriptPath}, Script: b}, err
}

// InterpretLua runs the script that a Runner left in the file path. It is called
// inside the sandbox, by the program that Runner.Lua names.
func InterpretLua(ctx context.Context, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var s lua.Script
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if s.Macros == nil {
		s.Macros = map[string]string{}
	}
	s.Expand = Expand
	ctx, cancel := context.WithTimeout(ctx, maxLuaTime)
	defer cancel()
	return lua.Run(ctx, s)
}
