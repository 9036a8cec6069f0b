package line

import (
	"fmt"
	"strings"
)

// Suggestion is a command to try on what a Line has left.
type Suggestion struct {
	Text    string   // what it does
	Program string   // a program under test
	Args    []string // its arguments
}

// Next returns what can be tried after the last step, in any order.
func (l *Line) Next() []Suggestion {
	s := "--sysroot=" + l.Sysroot()
	return []Suggestion{
		{"all that is known of the deployments", "rpm-ostree", []string{"status", "-v", s}},
		{"forward again, to the newer system", "rpm-ostree", []string{"upgrade", s}},
		{"layer another package of " + l.short(l.world.Base), "rpm-ostree", []string{"install", s, "lab-sysusers"}},
		{"take a package out of the base", "rpm-ostree", []string{"override", "remove", s, "vim-tiny"}},
		{"change the kernel's arguments", "rpm-ostree", []string{"kargs", s, "--append=debug"}},
		{"what was composed", "ostree", []string{"log", "--repo=" + l.Repo(), l.world.Ref}},
		{"what a commit has", "ostree", []string{"ls", "--repo=" + l.Repo(), l.world.Ref, "/usr/bin"}},
	}
}

// Command is the command line of a suggestion.
func (l *Line) Command(s Suggestion) string { return l.shown(s.Program, s.Args) }

// Summary tells what there is and what to try.
func (l *Line) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "The repository is %s, the sysroot %s. Try next:\n\n", l.short(l.Repo()), l.short(l.Sysroot()))
	row := func(text, command string) { fmt.Fprintf(&b, "  # %s\n  %s\n", text, command) }
	for _, s := range l.Next() {
		row(s.Text, l.Command(s))
	}
	boot := "go run ./test/e2e/boot -sysroot " + l.short(l.Sysroot())
	row("boot it and run commands inside", boot+" lab-hello 'systemctl list-units --type=service'")
	row("boot it in QEMU, with its own kernel and initramfs (needs qemu-system-x86)", boot+" -qemu 'uname -r'")
	return b.String()
}
