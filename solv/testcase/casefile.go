package testcase

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rpmostree/solv"
)

// A Case is a request with all that decides the answer, to be written as a test.
type Case struct {
	Pool    *solv.Pool
	Arch    string
	Flags   solv.PoolFlags
	Jobs    []solv.Job
	Options solv.Options
	// Disabled are packages that were not to be considered.
	Disabled []solv.ID
	// Kinds are the kinds of results to write; none means transaction and problems.
	Kinds []string
}

// Write writes the case into a directory, which it makes: testcase.t, and a file for each
// repository. The results are those of this solver. testsolv and Run read it.
func (c *Case) Write(dir string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, r := range c.Pool.Repos() {
		if err := writeFile(filepath.Join(dir, fileName(r)), func(w *bufio.Writer) error { return WriteTestTags(w, c.Pool, r) }); err != nil {
			return err
		}
	}
	return writeFile(filepath.Join(dir, "testcase.t"), func(w *bufio.Writer) error {
		_, err := w.WriteString(c.text())
		return err
	})
}

func writeFile(name string, write func(*bufio.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// repoName is a repository's name as one word.
func repoName(r *solv.Repo) string {
	return strings.Map(func(c rune) rune {
		if c <= ' ' || c == '/' {
			return '_'
		}
		return c
	}, r.Name())
}

func fileName(r *solv.Repo) string { return repoName(r) + ".repo" }

func (c *Case) text() string {
	var b strings.Builder
	for _, r := range c.Pool.Repos() {
		priority, cost := r.Priority()
		prio := fmt.Sprint(-priority)
		if cost != 0 {
			prio += fmt.Sprintf(".%d", -cost)
		}
		fmt.Fprintf(&b, "repo %s %s testtags %s\n", repoName(r), prio, fileName(r))
	}
	arch := c.Arch
	if arch == "" {
		arch = "-"
	}
	fmt.Fprintf(&b, "system %s rpm", arch)
	if in := c.Pool.Installed(); in != nil {
		b.WriteString(" " + repoName(in))
	}
	b.WriteString("\n")
	flags := c.Flags
	writeFlags(&b, "poolflags", poolFields(&flags), map[string]bool{"whatprovideswithdisabled": !flags.HideExcluded})
	for _, id := range c.Disabled {
		b.WriteString("disable pkg " + PackageString(c.Pool, id) + "\n")
	}
	opts := c.Options
	positive, negative := solverFields(&opts)
	other := map[string]bool{"keepexplicitobsoletes": opts.KeepExplicitObsoletes}
	for name, v := range negative {
		if *v {
			other["!"+name] = true
		}
	}
	writeFlags(&b, "solverflags", positive, other)
	for i := range c.Jobs {
		b.WriteString("job " + JobString(c.Pool, &c.Jobs[i]) + "\n")
	}
	kinds := c.Kinds
	if len(kinds) == 0 {
		kinds = []string{"transaction", "problems"}
	}
	b.WriteString("result " + strings.Join(kinds, ",") + " <inline>\n")
	st := Step{Pool: c.Pool, Jobs: c.Jobs, Options: c.Options, Kinds: kinds}
	for _, line := range st.Solve() {
		b.WriteString("#>" + line + "\n")
	}
	return b.String()
}

// writeFlags writes the names of those that are set.
func writeFlags(b *strings.Builder, command string, fields map[string]*bool, other map[string]bool) {
	var names []string
	for name, v := range fields {
		if *v {
			names = append(names, name)
		}
	}
	for name, v := range other {
		if v {
			names = append(names, name)
		}
	}
	if slices.Sort(names); len(names) > 0 {
		b.WriteString(command + " " + strings.Join(names, " ") + "\n")
	}
}
