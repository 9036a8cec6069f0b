package testcase

import (
	"errors"
	"fmt"
	"strings"

	"rpmostree/solv"
)

var actions = map[string]solv.Action{
	"noop": solv.Noop, "install": solv.Install, "erase": solv.Erase, "update": solv.Update, "weakendeps": solv.WeakenDeps,
	"multiversion": solv.MultiVersion, "noobsoletes": solv.MultiVersion, "lock": solv.Lock, "distupgrade": solv.DistUpgrade,
	"verify": solv.Verify, "droporphaned": solv.DropOrphaned, "userinstalled": solv.UserInstalled,
	"allowuninstall": solv.AllowUninstall, "favor": solv.Favor, "disfavor": solv.Disfavor, "blacklist": solv.Blacklist,
	"excludefromweak": solv.ExcludeFromWeak,
}

func actionName(a solv.Action) string {
	for name, b := range actions {
		if a == b && name != "noobsoletes" {
			return name
		}
	}
	return "unknown"
}

var jobFlags = []struct {
	flag solv.JobFlags
	name string
}{
	{solv.Weak, "weak"}, {solv.Essential, "essential"}, {solv.CleanDeps, "cleandeps"}, {solv.OrUpdate, "orupdate"},
	{solv.ForceBest, "forcebest"}, {solv.Targeted, "targeted"}, {solv.NotByUser, "notbyuser"}, {solv.SetEV, "setev"},
	{solv.SetEVR, "setevr"}, {solv.SetArch, "setarch"}, {solv.SetVendor, "setvendor"}, {solv.SetRepo, "setrepo"},
	{solv.NoAutoSet, "noautoset"},
}

// parseJobFlags returns the flags that there are, and an error that names others.
func parseJobFlags(s string) (f solv.JobFlags, err error) {
	for _, name := range strings.Split(s, ",") {
		ok := false
		for _, j := range jobFlags {
			if j.name == name {
				f |= j.flag
				ok = true
			}
		}
		if !ok {
			err = errors.Join(err, fmt.Errorf("%w: job flag %s", errUsage, name))
		}
	}
	return f, err
}

// job executes "job ACTION SELECTOR ARGUMENTS [FLAGS]".
func (c *runner) job(f []string) error {
	action, ok := actions[f[0]]
	if !ok || len(f) < 3 {
		return fmt.Errorf("%w: job %s", errUsage, strings.Join(f, " "))
	}
	job := solv.Job{Action: action}
	if last := f[len(f)-1]; len(f) > 3 && strings.HasPrefix(last, "[") && strings.HasSuffix(last, "]") {
		flags, err := parseJobFlags(last[1 : len(last)-1])
		if err != nil { // the job counts nevertheless
			c.cur.Ignored = append(c.cur.Ignored, fmt.Errorf("line %d: %w", c.line, err))
		}
		job.Flags = flags
		f = f[:len(f)-1]
	}
	if strings.HasPrefix(f[1], "selection") {
		return c.selectionJob(job, f[1:])
	}
	sel, err := c.selection(f[1:])
	if err != nil {
		return err
	}
	job.Select = sel
	c.cur.Jobs = append(c.cur.Jobs, job)
	return nil
}

// selection parses a selector and its arguments.
func (c *runner) selection(f []string) (solv.Selection, error) {
	none := solv.Selection{}
	arg := strings.Join(f[1:], " ")
	switch {
	case f[0] == "pkg" && len(f) == 2:
		if id := c.solvable(arg); id != 0 {
			return solv.SelectPackage(id), nil
		}
		return none, fmt.Errorf("%w: unknown package %s", errUsage, arg)
	case f[0] == "name" && len(f) > 1:
		return solv.SelectName(ParseDep(c.pool, arg)), nil
	case f[0] == "provides" && len(f) > 1:
		return solv.SelectProvides(ParseDep(c.pool, arg)), nil
	case f[0] == "oneof":
		var ids []solv.ID
		for _, s := range f[1:] {
			if s == "nothing" && len(f) == 2 {
				break
			}
			id := c.solvable(s)
			if id == 0 {
				return none, fmt.Errorf("%w: unknown package %s", errUsage, s)
			}
			ids = append(ids, id)
		}
		return solv.SelectOneOf(ids...), nil
	case f[0] == "repo" && len(f) == 2:
		if r := c.repository(f[1]); r != nil {
			return solv.SelectRepo(r), nil
		}
		return none, fmt.Errorf("%w: unknown repo %s", errUsage, f[1])
	case f[0] == "all" && len(f) == 2 && f[1] == "packages":
		return solv.SelectAll(), nil
	}
	return none, fmt.Errorf("%w: selection %s", errUsage, strings.Join(f, " "))
}

// PackageString returns NAME-EVR.ARCH@REPO.
func PackageString(p *solv.Pool, id solv.ID) string {
	if id == solv.System {
		return "@SYSTEM"
	}
	i := p.Info(id)
	s := i.Name + "-" + i.EVR
	if i.Arch != "" {
		s += "." + i.Arch
	}
	s += "@"
	if i.Repo != nil {
		s += strings.Map(func(r rune) rune {
			if r == ' ' || r == '\t' {
				return '_'
			}
			return r
		}, i.Repo.Name())
	}
	return s
}

// JobString returns a job as the testcase language has it.
func JobString(p *solv.Pool, j *solv.Job) string {
	s := actionName(j.Action)
	kind, dep, ids, repo := j.Select.Parts()
	switch kind {
	case "pkg":
		s += " pkg " + PackageString(p, ids[0])
	case "name", "provides":
		s += " " + kind + " " + FormatDep(p, dep)
	case "oneof":
		s += " oneof"
		for _, id := range ids {
			s += " " + PackageString(p, id)
		}
		if len(ids) == 0 {
			s += " nothing"
		}
	case "repo":
		s += " repo " + repo.Name()
	case "all":
		s += " all packages"
	default:
		s += " unknown unknown"
	}
	flags := ""
	for _, f := range jobFlags {
		if j.Flags&f.flag != 0 {
			flags += "," + f.name
		}
	}
	if flags != "" {
		s += " [" + flags[1:] + "]"
	}
	return s
}
