package testcase

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// universe writes random cases. All of a case follows from the seed.
type universe struct {
	rng   *rand.Rand
	b     strings.Builder
	names []string
	caps  []string
	rich  bool // boolean dependencies
	weak  bool
	arch  bool // two architectures
	// What only wide cases have:
	vendors  bool
	parallel bool // several versions of a name are installed
}

func (u *universe) pick(list []string) string { return list[u.rng.Intn(len(list))] }
func (u *universe) chance(percent int) bool   { return u.rng.Intn(100) < percent }

// dep is a simple dependency.
func (u *universe) dep() string {
	if u.chance(25) {
		return u.pick(u.caps)
	}
	name := u.pick(u.names)
	if u.chance(35) {
		name += " " + u.pick([]string{"=", "<", ">", "<=", ">="}) + " " + strconv.Itoa(1+u.rng.Intn(3))
	}
	return name
}

// need is any dependency.
func (u *universe) need() string {
	if wide && u.chance(8) {
		return u.pick([]string{"namespace:language(de)", "namespace:modalias(pci)", "namespace:language(xx)", "/usr/bin/f", "/opt/g"})
	}
	if !u.rich || u.chance(75) {
		return u.dep()
	}
	if wide && u.chance(30) {
		return u.nested(2)
	}
	a, b := u.dep(), u.dep()
	switch u.rng.Intn(7) {
	case 0:
		return a + " & " + b
	case 1:
		return a + " | " + b
	case 2:
		return a + " <IF> " + b
	case 3:
		return a + " <UNLESS> " + b
	case 4:
		return a + " <IF> (" + b + " <ELSE> " + u.dep() + ")"
	case 5:
		return "(" + a + " & " + b + ") | " + u.dep()
	}
	return u.pick(u.names) + " + " + u.pick(u.caps)
}

// nested is a boolean dependency of boolean dependencies.
func (u *universe) nested(depth int) string {
	if depth == 0 || u.chance(20) {
		return u.dep()
	}
	part := func() string { return "(" + u.nested(depth-1) + ")" }
	switch u.rng.Intn(8) {
	case 0:
		return part() + " & " + part()
	case 1:
		return part() + " | " + part()
	case 2:
		return part() + " <IF> " + part()
	case 3:
		return part() + " <UNLESS> " + part()
	case 4:
		return part() + " <IF> (" + part() + " <ELSE> " + part() + ")"
	case 5:
		return part() + " <UNLESS> (" + part() + " <ELSE> " + part() + ")"
	case 6:
		return u.dep() + " + " + u.dep()
	}
	return u.dep() + " - " + u.dep()
}

func (u *universe) tag(name string, percent, max int, dep func() string) {
	for range max {
		if u.chance(percent) {
			fmt.Fprintf(&u.b, "#>=%s: %s\n", name, dep())
		}
	}
}

func (u *universe) repo(name, prio string, packages int) {
	fmt.Fprintf(&u.b, "repo %s %s testtags <inline>\n#>=Ver: 2.0\n", name, prio)
	have := map[string]bool{}
	for range packages {
		arch := "noarch"
		if u.arch {
			arch = u.pick([]string{"x86_64", "x86_64", "i686", "noarch"})
		}
		id := fmt.Sprintf("%s %d 1 %s", u.pick(u.names), 1+u.rng.Intn(3), arch)
		key := id
		if name == "system" && !u.parallel { // one version of a name may be installed
			key = strings.Fields(id)[0]
		}
		if have[key] {
			continue
		}
		have[key] = true
		u.b.WriteString("#>=Pkg: " + id + "\n")
		if u.vendors && u.chance(80) {
			u.b.WriteString("#>=Vnd: " + u.pick([]string{"red", "green", "blue"}) + "\n")
		}
		if wide {
			u.tag("Prv", 8, 1, func() string { return u.pick([]string{"/usr/bin/f", "/opt/g", "namespace:language(xx)"}) })
			u.tag("Prq", 8, 1, u.need)
		}
		u.tag("Prv", 20, 2, func() string {
			if u.chance(40) {
				return u.pick(u.caps) + " = " + strconv.Itoa(1+u.rng.Intn(3))
			}
			return u.pick(u.caps)
		})
		u.tag("Req", 30, 3, u.need)
		u.tag("Con", 7, 2, u.need)
		u.tag("Obs", 7, 1, u.dep)
		if wide {
			u.tag("Obs", 6, 2, u.need)
		}
		if u.weak {
			u.tag("Rec", 20, 2, u.need)
			u.tag("Sug", 15, 1, u.dep)
			u.tag("Sup", 12, 1, u.need)
			u.tag("Enh", 10, 1, u.dep)
		}
	}
}

// randomCase returns a case with some packages, a few of them installed, and some jobs.
func randomCase(seed int64) string {
	u := universe{rng: rand.New(rand.NewSource(seed))}
	for i := range 3 + u.rng.Intn(9) {
		u.names = append(u.names, string(rune('A'+i)))
	}
	u.caps = []string{"x", "y", "z"}
	u.rich, u.weak, u.arch = u.chance(30), u.chance(60), u.chance(25)
	installed := u.chance(60)
	if wide {
		u.vendors, u.parallel = u.chance(30), u.chance(15)
	}
	if installed {
		u.repo("system", "0", 2+u.rng.Intn(6))
	}
	u.repo("avail", "0", 4+u.rng.Intn(20))
	if u.chance(40) {
		u.repo("other", u.priority(), 2+u.rng.Intn(10))
	}
	if wide && u.chance(25) {
		u.repo("third", u.priority(), 2+u.rng.Intn(10))
	}
	u.b.WriteString("system " + u.machine() + " rpm")
	if installed {
		u.b.WriteString(" system")
	}
	u.b.WriteString("\n")
	if u.chance(70) {
		u.b.WriteString("poolflags implicitobsoleteusescolors\n")
	}
	if wide {
		u.setting(installed)
	}
	for _, f := range []string{"keeporphans", "bestobeypolicy", "yumobsoletes", "allowvendorchange", "allowdowngrade", "ignorerecommended",
		"allowuninstall", "allownamechange", "focusbest", "focusinstalled", "addalreadyrecommended", "noinfarchcheck", "keepexplicitobsoletes"} {
		percent := 12
		if strings.Contains("keeporphans bestobeypolicy yumobsoletes allowdowngrade", f) {
			percent = 50
		}
		if u.chance(percent) {
			u.b.WriteString("solverflags " + f + "\n")
		}
	}
	if wide {
		for _, f := range []string{"strongrecommends", "focusnew", "strictrepopriority", "breakorphans", "installalsoupdates", "needupdateprovide",
			"noupdateprovide", "noautotarget", "allowarchchange", "!dupallowdowngrade", "!dupallownamechange", "!dupallowarchchange",
			"onlynamespacerecommended", "splitprovides", "urpmreorder"} {
			if u.chance(10) {
				u.b.WriteString("solverflags " + f + "\n")
			}
		}
		u.wideJobs(installed)
	}
	u.jobs(installed)
	kinds := "transaction,problems"
	if wide {
		kinds += ",jobs,proof,alternatives,recommended,cleandeps,rules,orphaned,unneeded,userinstalled,reason"
	}
	u.b.WriteString("result " + kinds + " /dev/null\n")
	return u.b.String()
}

func (u *universe) jobs(installed bool) {
	for range 1 + u.rng.Intn(3) {
		flags := ""
		if u.chance(10) {
			flags = " [" + u.pick([]string{"weak", "forcebest", "cleandeps", "orupdate"}) + "]"
		}
		name := u.pick(u.names)
		switch n := u.rng.Intn(20); {
		case n < 9:
			u.b.WriteString("job install name " + name + flags + "\n")
		case n < 11:
			u.b.WriteString("job install provides " + u.dep() + flags + "\n")
		case n < 13:
			u.b.WriteString("job erase name " + name + flags + "\n")
		case n < 15:
			u.b.WriteString("job update all packages" + flags + "\n")
		case n == 15:
			u.b.WriteString("job lock name " + name + "\n")
		case n == 16:
			u.b.WriteString("job allowuninstall name " + name + "\n")
		case n == 17:
			u.b.WriteString("job " + u.pick([]string{"favor", "disfavor"}) + " name " + name + "\n")
		case n == 18:
			u.b.WriteString("job update name " + name + flags + "\n")
		case installed && u.chance(60):
			u.b.WriteString("job distupgrade all packages" + flags + "\n")
		default:
			u.b.WriteString("job multiversion name " + name + "\n")
		}
	}
}

// wide adds features that differ between versions of libsolv; it is meant for comparing with the
// newest one.
var wide = os.Getenv("SOLV_WIDE") != ""

// priority is a repository's priority and cost.
func (u *universe) priority() string {
	if wide && u.chance(30) {
		return u.pick([]string{"0.5", "1.2", "-1.7", "2", "-3"})
	}
	return u.pick([]string{"0", "0", "1", "-1", "0.1"})
}

// machine is the architecture of the system.
func (u *universe) machine() string {
	if wide && u.arch && u.chance(20) {
		return u.pick([]string{"i686", "noarch", "x86_64:i686,x86_64", "unset"})
	}
	return "x86_64"
}

// setting is what is around the packages.
func (u *universe) setting(installed bool) {
	for _, f := range []string{"forbidselfconflicts", "obsoleteusesprovides", "implicitobsoleteusesprovides", "obsoleteusescolors",
		"noinstalledobsoletes", "noobsoletesmultiversion", "whatprovideswithdisabled", "promoteepoch"} {
		if u.chance(6) {
			u.b.WriteString("poolflags " + f + "\n")
		}
	}
	if u.chance(20) {
		u.b.WriteString("disable " + u.pick([]string{"name " + u.dep(), "provides " + u.dep()}) + "\n")
	}
	if u.vendors && u.chance(40) {
		u.b.WriteString("vendorclass red green\n")
	}
	if u.chance(40) {
		u.b.WriteString("namespace namespace:language(de) @SYSTEM\n")
	}
	if u.chance(20) {
		u.b.WriteString("namespace namespace:modalias(pci) @SYSTEM\n")
	}
	for installed && u.chance(25) {
		u.b.WriteString("autoinst name " + u.pick(u.names) + "\n")
	}
}

var selectionFlags = []string{"name", "name", "provides", "canon", "dotarch", "rel", "installedonly", "glob", "flat", "nocase", "withdisabled",
	"withbadarch", "filelist", "skipkind", "depstr"}

// pattern is a pattern of the selection language with its flags.
func (u *universe) pattern() string {
	pattern := u.pick([]string{u.dep(), u.pick(u.names) + "*", "[A-C]", "?", u.pick(u.names) + "-1", u.pick(u.names) + "-2-1", strings.ToLower(u.pick(u.names)),
		u.pick(u.names) + ".x86_64", u.pick(u.names) + "-1-1.noarch", u.pick(u.names) + ".i686 > 1", u.pick(u.names) + "=2-1", "/usr/bin/*", "/opt/g", "x", "[xy]"})
	flags := "name"
	for range u.rng.Intn(6) {
		flags += "," + u.pick(selectionFlags)
	}
	return pattern + " " + flags
}

func (u *universe) wideJobs(installed bool) {
	for range u.rng.Intn(4) {
		action := u.pick([]string{"install", "erase", "update", "distupgrade", "verify", "userinstalled", "droporphaned", "blacklist", "weakendeps",
			"excludefromweak", "lock", "favor", "disfavor", "multiversion", "allowuninstall"})
		sel := u.pick([]string{"name " + u.pick(u.names), "provides " + u.dep(), "name " + u.dep(), "repo avail", "all packages",
			"oneof " + u.id() + " " + u.id(), "pkg " + u.id(), "selection " + u.pattern(), "selection " + u.pattern()})
		if installed && u.chance(10) {
			sel = "repo system"
		}
		if strings.HasPrefix(sel, "repo") && (action == "install" || action == "blacklist") {
			continue
		}
		flags := ""
		if u.chance(60) {
			flags = " [" + u.pick([]string{"weak", "forcebest", "cleandeps", "orupdate", "targeted", "essential", "setevr", "setarch", "forcebest,cleandeps",
				"forcebest,targeted", "setvendor", "setrepo", "setev", "notbyuser", "noautoset", "targeted,cleandeps"}) + "]"
		}
		u.b.WriteString("job " + action + " " + sel + flags + "\n")
	}
	if u.chance(15) {
		u.b.WriteString("job noop selection_matchdeps solvable:" + u.pick([]string{"requires", "provides", "obsoletes", "recommends", "name"}) + " " + u.pattern() + "\n")
	}
}

// id names a package of a repository, which there may be.
func (u *universe) id() string {
	arch := "noarch"
	if u.arch {
		arch = u.pick([]string{"x86_64", "i686", "noarch"})
	}
	return fmt.Sprintf("%s-%d-1.%s@%s", u.pick(u.names), 1+u.rng.Intn(3), arch, u.pick([]string{"avail", "avail", "system", "other"}))
}

// solveText runs a case that is in memory.
func solveText(text string) (lines []string, err error) {
	fsys := fstest.MapFS{"case.t": {Data: []byte(text)}}
	err = Run(fsys, "case.t", func(st *Step) error {
		lines = st.Solve()
		return nil
	})
	return lines, err
}

// only returns the lines about the transaction and those that say that there are problems.
func only(lines []string) (out []string) {
	for _, l := range lines {
		if !strings.HasPrefix(l, "problem ") {
			out = append(out, l)
		}
	}
	return out
}

// TestAsTestsolv compares answers with libsolv's. The installed version may differ in what it says
// about problems, so only whether there are any has to agree, and the transaction, which is then
// that of the solver's best effort.
func TestAsTestsolv(t *testing.T) {
	tool, err := exec.LookPath("testsolv")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	n, first := 80, int64(1)
	if s := os.Getenv("SOLV_CASES"); s != "" { // COUNT or COUNT@FIRST
		count, at, _ := strings.Cut(s, "@")
		n, _ = strconv.Atoi(count)
		if at != "" {
			first, _ = strconv.ParseInt(at, 10, 64)
		}
	}
	dir := t.TempDir()
	exact, bad, crashed := 0, 0, 0
	for seed := first; seed < first+int64(n); seed++ {
		text := randomCase(seed)
		file := filepath.Join(dir, "case.t")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(tool, "-r", file).Output()
		if exit := (*exec.ExitError)(nil); wide && errors.As(err, &exit) && !exit.Exited() {
			t.Logf("seed %d: libsolv: %v", seed, err) // some cases of no use make it crash
			crashed++
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		got, err := solveText(text)
		if err != nil {
			t.Fatal(err)
		}
		if Diff(want, got) == "" {
			exact++
			continue
		}
		d := Diff(only(want), only(got))
		if strings.Contains(string(out), "problem ") != strings.Contains(strings.Join(got, "\n"), "problem ") {
			d += "one has problems\n" + Diff(want, got)
		}
		if d != "" {
			if bad++; bad < 4 {
				t.Errorf("seed %d:\n%s\n%s", seed, text, d)
			}
		} else if wide {
			t.Logf("seed %d, other words:\n%s", seed, Diff(want, got))
		}
	}
	t.Logf("%d cases: %d exact, %d with other words for the problems, %d different, %d that libsolv did not answer", n, exact, n-exact-bad-crashed, bad, crashed)
}
