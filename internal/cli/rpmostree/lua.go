package rpmostree

import (
	"os"

	"github.com/spf13/cobra"

	"rpmostree/internal/core/scripts"
)

// luaCommand is how this program runs <lua> scripts of packages inside their tree.
func luaCommand() *cobra.Command {
	return &cobra.Command{
		Use: scripts.LuaCommand + " SCRIPT", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return scripts.InterpretLua(cmd.Context(), args[0])
		},
	}
}

// self returns the path of this program, "" if it has none any more: scripts in Lua
// are refused then.
func self() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return path
}
