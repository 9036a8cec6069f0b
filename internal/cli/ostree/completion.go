package ostree

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"rpmostree/internal/goption"
)

// shells are those that Completion knows.
var shells = map[string]func(io.Writer, []*command){"bash": bash, "fish": fish, "zsh": zsh}

// Completion writes the completion of a shell: "bash", "fish" or "zsh".
func Completion(w io.Writer, shell string) error {
	write, ok := shells[shell]
	if !ok {
		return fmt.Errorf("no completion for the shell %s", shell)
	}
	var all []*command
	commands().walk(func(c *command) { all = append(all, c) })
	fmt.Fprintf(w, "# %s completion of the ostree command, made from its table of options.\n", shell)
	write(w, all)
	return nil
}

// completed returns the options of a command as a shell proposes them.
func (c *command) completed() goption.Set {
	s := (&env{cmd: c}).shown()
	s.Func(nil, "help", 'h', "", "Show help options")
	if c.parent == nil {
		s.Func(nil, "repo", 0, "PATH", "Path of the repository") // options may stand before the command
	}
	return slices.DeleteFunc(s, func(o goption.Option) bool { return o.Hidden })
}

// shownSub returns the subcommands that the help shows.
func (c *command) shownSub() []*command {
	return slices.DeleteFunc(slices.Clone(c.sub), func(s *command) bool { return s.hidden })
}

// kind says what a value or an argument is: "ref", "remote", "file", "dir", or "" for
// something that a shell cannot know.
func kind(placeholder string) string {
	switch strings.Trim(placeholder, "[].") {
	case "PATH", "FILE", "FILENAME", "TARFILE", "STATIC-DELTA-FILE":
		return "file"
	case "DESTINATION", "TARGETDIR", "SRC_REPO", "HOMEDIR", "REPO", "MOUNT-PATH", "MOUNTPATH", "DIR", "SUBPATH":
		return "dir"
	case "REV", "REF", "COMMIT", "BRANCH", "REFSPEC", "OBJECT", "TO", "PREFIX", "REFS":
		return "ref"
	case "REMOTE":
		return "remote"
	}
	return ""
}

// arguments returns the kinds of a command's arguments; the last one goes on.
func (c *command) arguments() []string {
	if c.sub != nil {
		return nil
	}
	var kinds []string
	for _, word := range strings.Fields(c.args) {
		if word == "NAME" && c.scope == remoteScope {
			word = "REMOTE"
		}
		kinds = append(kinds, kind(word))
	}
	return kinds
}

// bash writes tables and the function that reads them.
func bash(w io.Writer, all []*command) {
	fmt.Fprint(w, "declare -gA _ostree_commands _ostree_options _ostree_values _ostree_arguments\n")
	for _, c := range all {
		key := c.words()
		if c.parent == nil {
			key = "ostree"
		}
		var subs, options, values []string
		for _, s := range c.shownSub() {
			subs = append(subs, s.name)
		}
		for _, o := range c.completed() {
			text := "--" + o.Name
			if o.Value != "" {
				values = append(values, text+":"+kind(o.Value))
				text += "="
			}
			options = append(options, text)
			if o.Letter != 0 {
				options = append(options, "-"+string(rune(o.Letter)))
				if o.Value != "" {
					values = append(values, "-"+string(rune(o.Letter))+":"+kind(o.Value))
				}
			}
		}
		fmt.Fprintf(w, "_ostree_commands[%q]=%q\n", key, strings.Join(subs, " "))
		fmt.Fprintf(w, "_ostree_options[%q]=%q\n", key, strings.Join(options, " "))
		fmt.Fprintf(w, "_ostree_values[%q]=%q\n", key, strings.Join(values, " "))
		var args []string
		for _, k := range c.arguments() {
			args = append(args, ":"+k)
		}
		fmt.Fprintf(w, "_ostree_arguments[%q]=%q\n", key, strings.Join(args, " "))
	}
	fmt.Fprint(w, bashFunction)
}

// Words of the command line are read up to the cursor; "--opt=VALUE" is three of them.
const bashFunction = `
_ostree_propose() { # KIND CURRENT
	local -a repo=()
	[ -z "$_ostree_repo" ] || repo=(--repo "$_ostree_repo")
	case $1 in
	file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
	dir) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
	ref) mapfile -t COMPREPLY < <(compgen -W "$(ostree refs "${repo[@]}" 2>/dev/null)" -- "$2") ;;
	remote) mapfile -t COMPREPLY < <(compgen -W "$(ostree remote list "${repo[@]}" 2>/dev/null)" -- "$2") ;;
	esac
}

_ostree() {
	local cur=${COMP_WORDS[COMP_CWORD]} path=ostree option= word kind
	local -i i count=0
	local -a kinds
	local _ostree_repo=
	COMPREPLY=()
	[ "$cur" != = ] || cur=
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [ "$word" = = ]; then continue; fi
		if [ -n "$option" ]; then
			[ "$option" != --repo ] || _ostree_repo=$word
			option=
		elif [[ $word == -* ]]; then
			[[ " ${_ostree_values[$path]} " != *" $word:"* ]] || option=$word
		elif [[ " ${_ostree_commands[$path]} " == *" $word "* ]]; then
			if [ "$path" = ostree ]; then path=$word; else path="$path $word"; fi
		else
			count+=1
		fi
	done
	if [ -n "$option" ]; then
		for kind in ${_ostree_values[$path]}; do
			[ "${kind%%:*}" != "$option" ] || _ostree_propose "${kind#*:}" "$cur"
		done
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "${_ostree_options[$path]}" -- "$cur")
		[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
	elif [ -n "${_ostree_commands[$path]}" ]; then
		mapfile -t COMPREPLY < <(compgen -W "${_ostree_commands[$path]}" -- "$cur")
	else
		read -ra kinds <<<"${_ostree_arguments[$path]}"
		[ "${#kinds[@]}" = 0 ] || {
			[ "$count" -lt "${#kinds[@]}" ] || count=${#kinds[@]}-1
			kind=${kinds[count]}
			_ostree_propose "${kind#:}" "$cur"
		}
	fi
}
complete -F _ostree ostree
`

// zsh writes one function for each command.
func zsh(w io.Writer, all []*command) {
	fmt.Fprint(w, "#compdef ostree\n")
	quote := func(s string) string { return strings.ReplaceAll(s, "'", `'\''`) }
	about := strings.NewReplacer("[", "(", "]", ")", ":", `\:`, "'", `'\''`)
	actions := map[string]string{"file": "_files", "dir": "_files -/", "ref": "_ostree_refs", "remote": "_ostree_remotes"}
	fmt.Fprint(w, `
_ostree_refs() { local -a l; l=(${(f)"$(ostree refs ${opt_args[--repo]:+--repo=${opt_args[--repo]}} 2>/dev/null)"}); compadd -a l }
_ostree_remotes() { local -a l; l=(${(f)"$(ostree remote list ${opt_args[--repo]:+--repo=${opt_args[--repo]}} 2>/dev/null)"}); compadd -a l }
`)
	for _, c := range all {
		fmt.Fprintf(w, "\n_%s() {\n", strings.ReplaceAll(c.path(), " ", "_"))
		if c.sub != nil {
			fmt.Fprint(w, "\tlocal context state state_descr line; typeset -A opt_args; local -a commands\n\tcommands=(\n")
			for _, s := range c.shownSub() {
				fmt.Fprintf(w, "\t\t'%s:%s'\n", s.name, about.Replace(s.about))
			}
			fmt.Fprint(w, "\t)\n")
		}
		fmt.Fprint(w, "\t_arguments -s -S")
		for _, o := range c.completed() {
			value := ""
			name := "--" + o.Name
			if o.Value != "" {
				name += "="
				value = ":" + about.Replace(o.Value) + ":" + actions[kind(o.Value)]
			}
			fmt.Fprintf(w, " \\\n\t\t'*%s[%s]%s'", quote(name), about.Replace(o.About), value)
			if o.Letter != 0 {
				fmt.Fprintf(w, " '*-%c[%s]%s'", o.Letter, about.Replace(o.About), value)
			}
		}
		if c.sub != nil {
			prefix := "_" + strings.ReplaceAll(c.path(), " ", "_") + "_"
			fmt.Fprintf(w, " \\\n\t\t'1: :->command' '*:: :->rest'\n")
			fmt.Fprintf(w, "\tcase $state in\n\tcommand) _describe command commands ;;\n\trest) (( $+functions[%s$words[1]] )) && %s$words[1] ;;\n\tesac\n}\n", prefix, prefix)
			continue
		}
		kinds := c.arguments()
		for i, k := range kinds {
			number := fmt.Sprint(i + 1)
			if i == len(kinds)-1 {
				number = "*"
			}
			fmt.Fprintf(w, " \\\n\t\t'%s: :%s'", number, actions[k])
		}
		fmt.Fprint(w, "\n}\n")
	}
	fmt.Fprint(w, "\n_ostree \"$@\"\n")
}

// fish writes one line for each option, with the words that have to stand before it.
func fish(w io.Writer, all []*command) {
	quote := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
	}
	fmt.Fprint(w, fishFunctions)
	for _, c := range all {
		at := "__ostree_at"
		if c.sub != nil {
			at = "__ostree_exactly_at"
		}
		when := quote(at + strings.TrimPrefix(c.path(), "ostree"))
		for _, s := range c.shownSub() {
			fmt.Fprintf(w, "complete -c ostree -n %s -f -a %s -d %s\n", when, quote(s.name), quote(s.about))
		}
		for _, o := range c.completed() {
			fmt.Fprintf(w, "complete -c ostree -n %s -l %s", when, o.Name)
			if o.Letter != 0 {
				fmt.Fprintf(w, " -s %c", o.Letter)
			}
			if o.Value != "" {
				fmt.Fprint(w, " -r"+fishSource(kind(o.Value)))
			}
			fmt.Fprintf(w, " -d %s\n", quote(o.About))
		}
		if kinds := c.arguments(); len(kinds) > 0 {
			seen := map[string]bool{}
			for _, k := range kinds {
				if !seen[k] && k != "" && k != "file" {
					fmt.Fprintf(w, "complete -c ostree -n %s%s\n", when, fishSource(k))
				}
				seen[k] = true
			}
		}
	}
}

func fishSource(kind string) string {
	switch kind {
	case "ref":
		return " -f -a '(ostree refs 2>/dev/null)'"
	case "remote":
		return " -f -a '(ostree remote list 2>/dev/null)'"
	case "dir":
		return " -f -a '(__fish_complete_directories (commandline -ct))'"
	}
	return ""
}

// fishFunctions compare words with those of the command line that are no options: with the
// first ones, or with all.
const fishFunctions = `
function __ostree_words
	for word in (commandline -opc)[2..-1]
		string match -q -- '-*' $word; or echo $word
	end
end

function __ostree_at
	set -l words (__ostree_words)
	set -l n (count $argv)
	test (count $words) -ge $n; and test "$words[1..$n]" = "$argv"
end

function __ostree_exactly_at
	set -l words (__ostree_words)
	test "$words" = "$argv"
end

`
