package ostree

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rpmostree/internal/goption"
)

// newerCommands are those that the C program has got since 2022: TestOptionsOfUpstream has them.
var newerCommands = []string{
	"admin set-default", "admin lock-finalization", "admin boot-complete", "admin state-overlay", "admin stateroot-init", "admin post-copy",
	"admin prepare-soft-reboot", "admin impl-prepare-soft-reboot", "admin kargs edit-in-place",
}

// withoutHelp are commands that the C program has, but no help of theirs that lists options.
var withoutHelp = []string{"static-delta", "admin finalize-staged"}

// undescribed are options with a value that the help of the C program does not mention.
var undescribed = []string{"cache-dir", "group", "min-fallback-size", "max-bsdiff-size", "max-chunk-size", "subpath", "timestamp-check-from-rev", "mode"}

// TestHelpLikeC compares the commands and options in the help of the C program with ours.
func TestHelpLikeC(t *testing.T) {
	program := needC(t)
	root := commands()
	root.walk(func(c *command) {
		if slices.Contains(newerCommands, c.words()) {
			return // an older program may answer with the help of what it knows
		}
		t.Run(c.path(), func(t *testing.T) {
			t.Parallel()
			words := strings.Fields(c.path())[1:]
			out, err := exec.CommandContext(t.Context(), program, append(words, "--help")...).Output()
			if err != nil {
				t.Errorf("the C program does not know the command: %v", err)
				return
			}
			commands, options := parseHelp(string(out))
			for _, name := range commands {
				if c.lookup(name) == nil {
					t.Errorf("no command %q", name)
				}
			}
			if !slices.Contains(withoutHelp, c.words()) && !slices.Contains(options, helpOption{"help", "h", false}) {
				t.Errorf("not a help:\n%s", out)
			}
			for _, o := range options {
				o.value = o.value || slices.Contains(undescribed, o.name)
				if got := c.option(o.name); got != o {
					t.Errorf("the C program has %+v, we have %+v", o, got)
				}
			}
		})
	})
}

// TestOptionsOfUpstream compares commands and options with those of the release whose behaviour
// ours has.
func TestOptionsOfUpstream(t *testing.T) {
	data, err := os.ReadFile("testdata/options.list")
	if err != nil {
		t.Fatal(err)
	}
	theirs := map[string]string{}
	hidden := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		if name, options, ok := strings.Cut(line, ":"); ok && line[0] != '#' {
			name, inParens := strings.CutPrefix(name, "(")
			name = strings.TrimSuffix(name, ")")
			theirs[name], hidden[name] = options, inParens
		}
	}
	if len(theirs) < 60 {
		t.Fatalf("the list has %d commands", len(theirs))
	}
	commands().walk(func(c *command) {
		if c.sub != nil {
			return
		}
		list, ok := theirs[c.words()]
		isHidden := c.hidden
		for p := c.parent; p != nil; p = p.parent {
			isHidden = isHidden || p.hidden
		}
		if !ok || isHidden != hidden[c.words()] {
			t.Errorf("%s: upstream has it: %v, hidden: %v", c.path(), ok, hidden[c.words()])
		}
		delete(theirs, c.words())
		want := strings.Fields(list)
		var own []string
		for _, o := range c.options {
			own = append(own, spelled(o))
		}
		for _, o := range own {
			if !slices.Contains(want, o) {
				t.Errorf("%s: upstream has no %s", c.path(), o)
			}
		}
		for _, o := range (&env{cmd: c}).common() {
			own = append(own, spelled(o))
		}
		for _, o := range want {
			if !slices.Contains(own, o) {
				t.Errorf("%s: no %s", c.path(), o)
			}
		}
	})
	for name := range theirs {
		t.Errorf("no command %q", name)
	}
}

// spelled is an option as the list has it.
func spelled(o goption.Option) string {
	s := "--" + o.Name
	if o.Letter != 0 {
		s = "-" + string(o.Letter) + "/" + s
	}
	if o.Value != "" {
		s += "="
	}
	if o.Hidden {
		s = "(" + s + ")"
	}
	return s
}

// A helpOption is what the help says of an option.
type helpOption struct {
	name   string
	letter string
	value  bool // it has one
}

// option returns the option of that name; the zero value if there is none.
func (c *command) option(name string) helpOption {
	for _, o := range c.completed() {
		if o.Name == name {
			h := helpOption{name: name, value: o.Value != ""}
			if o.Letter != 0 {
				h.letter = string(o.Letter)
			}
			return h
		}
	}
	return helpOption{}
}

var (
	helpLine   = regexp.MustCompile(`^  (?:-(\w), )?--([\w-]+)(=\S+)?`)
	helpOfWord = regexp.MustCompile(`^  ([\w-]+)  `)
)

// parseHelp reads the words of subcommands and the options from a help.
func parseHelp(text string) (commands []string, options []helpOption) {
	section := ""
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, " ") {
			section = line
		}
		if m := helpOfWord.FindStringSubmatch(line); m != nil && strings.HasPrefix(section, "Builtin") {
			commands = append(commands, m[1])
		}
		if m := helpLine.FindStringSubmatch(line); m != nil && strings.HasSuffix(strings.TrimSpace(section), "Options:") {
			options = append(options, helpOption{m[2], m[1], m[3] != ""})
		}
	}
	return commands, options
}
