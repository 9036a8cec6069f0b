package testcase

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"rpmostree/internal/compress"
	"rpmostree/rpm/evr"
	"rpmostree/solv"
)

// ErrSkip is returned for cases that need what is not here: a packaging system other than rpm's,
// repositories in the formats of libsolv's own cache or of Helix, SUSE's rewriting of dependencies,
// or the graph from which libsolv derives its order.
var ErrSkip = errors.New("case is out of scope")

// MaxFile bounds the size of a case or of a repository file, in bytes.
const MaxFile = 256 << 20

// Step is one solver run of a case.
type Step struct {
	Pool    *solv.Pool
	Jobs    []solv.Job
	Flags   solv.PoolFlags
	Options solv.Options
	Kinds   []string // kinds of result lines: "transaction", "problems", ...
	Want    []string // expected lines; nil if the case names none
	// Ignored are commands that make no sense here, such as those about unknown packages. As in
	// libsolv they are left out.
	Ignored []error

	before *solv.Result // what to go on from, after "nextjob reusesolver"
}

// Run reads a case from a file and calls step for each of its solver runs. Repository and result
// files are looked up beside it.
func Run(fsys fs.FS, name string, step func(*Step) error) error {
	text, err := readFile(fsys, name)
	if err != nil {
		return err
	}
	c := newRunner(fsys, path.Dir(name), text)
	for {
		more, err := c.step()
		if err != nil {
			return fmt.Errorf("%s:%d: %w", name, c.line, err)
		}
		if err := step(&c.cur); err != nil {
			return err
		}
		c.endStep(more)
		if !more {
			return nil
		}
	}
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if format, err := compress.Parse(path.Ext(name)); err == nil {
		z, err := compress.NewReader(f, format, 0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		defer z.Close()
		r = z
	}
	b, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err == nil && len(b) > MaxFile {
		err = fmt.Errorf("%s: larger than %d bytes", name, MaxFile)
	}
	return b, err
}

// runner executes the commands of a case one after the other.
type runner struct {
	fsys      fs.FS
	dir       string
	in        *bufio.Scanner
	peeked    *string
	line      int
	pool      *solv.Pool
	flags     solv.PoolFlags
	disabled  map[solv.ID]bool
	genids    []solv.Ref
	flagsRead bool // pool flags of this step
	begun     bool // this step has a solver, so that no repository can be added
	cur       Step
	reuse     bool // the step that is being read
	reuseNext bool
	index     map[string]solv.ID // packages below indexed, by their names with and without repository
	indexed   int
	spaces    []solv.Ref // namespaces that have packages
	autoinst  []string   // names of packages that the user did not ask for
}

func newRunner(fsys fs.FS, dir string, text []byte) *runner {
	c := &runner{fsys: fsys, dir: dir, pool: solv.NewPool(""), index: map[string]solv.ID{}, indexed: 2}
	c.in = bufio.NewScanner(bytes.NewReader(text))
	c.in.Buffer(nil, 1<<20)
	c.resetFlags()
	c.flagsRead = false
	c.cur = Step{Pool: c.pool}
	c.resetOptions()
	return c
}

// resetFlags sets the pool's flags to what they are in each step that does not name them, unless it
// uses the packages as they are.
func (c *runner) resetFlags() {
	if !c.flagsRead {
		c.flagsRead = true
		c.flags = solv.PoolFlags{HideExcluded: true}
		c.pool.SetFlags(c.flags)
	}
}

func (c *runner) resetOptions() { c.cur.Options = solv.Options{DropExplicitObsoletes: true} }

func (c *runner) endStep(more bool) {
	c.forgetNamespaces()
	done := c.cur
	c.cur = Step{Pool: c.pool}
	c.resetOptions()
	c.reuse = more && c.reuseNext
	if c.reuse {
		c.cur.Options, c.cur.before = done.Options, done.before
	}
	c.genids, c.autoinst, c.flagsRead, c.begun = nil, nil, false, false
}

func (c *runner) next() (string, bool) {
	if c.peeked != nil {
		s := *c.peeked
		c.peeked = nil
		return s, true
	}
	if !c.in.Scan() {
		return "", false
	}
	c.line++
	return c.in.Text(), true
}

// inline reads the "#>" lines that follow.
func (c *runner) inline() string {
	var b strings.Builder
	for {
		line, ok := c.next()
		if !ok {
			return b.String()
		}
		data, is := strings.CutPrefix(line, "#>")
		if !is {
			c.peeked = &line
			return b.String()
		}
		b.WriteString(data)
		b.WriteByte('\n')
	}
}

// data returns inline data, or that of a file.
func (c *runner) data(name string) (string, error) {
	if name == "<inline>" {
		return c.inline(), nil
	}
	if name == "/dev/null" {
		return "", nil
	}
	b, err := readFile(c.fsys, path.Join(c.dir, name))
	return string(b), err
}

// step runs commands up to the next solver run. more says that a "nextjob" follows.
func (c *runner) step() (more bool, err error) {
	for {
		line, ok := c.next()
		if !ok {
			break
		}
		f := strings.Fields(line)
		if len(f) == 0 || f[0][0] == '#' {
			continue
		}
		if f[0] == "nextjob" {
			c.reuseNext = len(f) == 2 && f[1] == "reusesolver"
			more = true
			break
		}
		err := c.command(f)
		if errors.Is(err, errUsage) {
			c.cur.Ignored = append(c.cur.Ignored, fmt.Errorf("line %d: %w", c.line, err))
		} else if err != nil {
			return false, err
		}
	}
	if c.in.Err() != nil {
		return false, c.in.Err()
	}
	c.finish()
	c.cur.Flags = c.flags
	return more, nil
}

var errUsage = errors.New("bad command")

func (c *runner) command(f []string) error {
	switch {
	case f[0] == "repo" && len(f) >= 4:
		return c.repo(f)
	case f[0] == "system" && len(f) >= 3:
		return c.system(f)
	case f[0] == "job" && len(f) > 1:
		return c.job(f[1:])
	case f[0] == "vendorclass" && len(f) > 1:
		var v []string
		for _, s := range f[1:] {
			v = append(v, unescape(s))
		}
		c.pool.AddVendorClass(v...)
	case f[0] == "namespace" && len(f) > 1:
		return c.namespace(f)
	case f[0] == "poolflags":
		c.resetFlags()
		return setFlags(f[1:], c.poolFlag)
	case f[0] == "solverflags" && c.reuse: // a solver keeps its flags
	case f[0] == "solverflags":
		c.begun = true
		return setFlags(f[1:], c.solverFlag)
	case f[0] == "result" && len(f) > 1:
		c.cur.Kinds = strings.Split(f[1], ",")
		if len(f) > 2 {
			text, err := c.data(f[2])
			c.cur.Want = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			if err != nil {
				return err
			}
		}
		return c.resultKinds()
	case f[0] == "disable" && len(f) == 3:
		return c.disable(f[1:])
	case f[0] == "feature":
		for _, s := range f[1:] {
			if s != "complex_deps" {
				return fmt.Errorf("%w: feature %s", ErrSkip, s)
			}
		}
	case f[0] == "genid" && len(f) > 1:
		return c.genid(f)
	case f[0] == "autoinst" && len(f) > 2:
		c.autoinst = append(c.autoinst, f[2])
	case f[0] == "evrcmp" && len(f) == 3:
		op := solv.RelOp(2)
		switch evr.CompareStrings(f[1], f[2]) {
		case -1:
			op = 4
		case 1:
			op = 1
		}
		c.noop(c.pool.Relate(c.pool.Intern(f[1]), op, c.pool.Intern(f[2])))
	default:
		return fmt.Errorf("%w: %s", errUsage, f[0])
	}
	return nil
}

// resultKinds drops kinds of results that there are not, and what is named twice.
func (c *runner) resultKinds() error {
	var kinds, unknown []string
	for _, k := range c.cur.Kinds {
		switch {
		case k == "orderedges":
			return fmt.Errorf("%w: result orderedges: packages are put in rpm's order, so that there are no edges of libsolv's graph", ErrSkip)
		case !slices.Contains(resultKinds, k):
			unknown = append(unknown, k)
		case !slices.Contains(kinds, k):
			kinds = append(kinds, k)
		}
	}
	c.cur.Kinds = kinds
	if len(unknown) > 0 {
		return fmt.Errorf("%w: result: unknown kind %s", errUsage, strings.Join(unknown, ","))
	}
	return nil
}

func (c *runner) repo(f []string) error {
	if c.disabled != nil || c.begun || len(c.cur.Jobs) > 0 {
		return fmt.Errorf("%w: repo %s after packages were disabled, flags of the solver or jobs", errUsage, f[1])
	}
	c.resetFlags()
	prio, sub, _ := strings.Cut(f[2], ".")
	n, _ := strconv.Atoi(prio)
	m, _ := strconv.Atoi(sub)
	r := c.pool.AddRepo(f[1], -n, -m)
	if f[3] == "empty" || len(f) < 5 {
		return nil
	}
	if f[3] == "solv" || f[3] == "helix" {
		return fmt.Errorf("%w: repository type %s", ErrSkip, f[3])
	}
	text, err := c.data(f[4])
	if err != nil {
		return err
	}
	if f[3] != "testtags" {
		return fmt.Errorf("%w: repository type %s", errUsage, f[3])
	}
	AddTestTags(c.pool, r, text)
	return nil
}

func (c *runner) system(f []string) error {
	if len(c.cur.Jobs) > 0 {
		return fmt.Errorf("%w: system after jobs", errUsage)
	}
	rpm := f[2] == "*"
	for _, s := range strings.Split(f[2], ",") {
		rpm = rpm || s == "rpm"
	}
	if !rpm {
		return fmt.Errorf("%w: %s", ErrSkip, f[2])
	}
	arch := f[1]
	if arch == "unset" || arch == "-" {
		arch = ""
	}
	c.pool.SetArch(strings.TrimPrefix(arch, ":"))
	if len(f) > 3 {
		r := c.repository(f[3])
		if r == nil {
			return fmt.Errorf("%w: unknown repo %s", errUsage, f[3])
		}
		c.pool.SetInstalled(r)
	}
	return nil
}

func (c *runner) namespace(f []string) error {
	name, arg, ok := strings.Cut(strings.TrimSuffix(f[1], ")"), "(")
	if !ok {
		return fmt.Errorf("%w: namespace %s", errUsage, f[1])
	}
	var ids []solv.ID
	for _, s := range f[2:] {
		if id := c.solvable(s); id != 0 {
			ids = append(ids, id)
		}
	}
	space := c.pool.Relate(c.pool.Intern(name), solv.OpNamespace, c.pool.Intern(arg))
	c.spaces = append(c.spaces, space)
	c.pool.SetNamespace(space, ids)
	return nil
}

// forgetNamespaces empties all namespaces. As in libsolv they last until the next step, or until
// packages are disabled.
func (c *runner) forgetNamespaces() {
	for _, r := range c.spaces {
		c.pool.SetNamespace(r, nil)
	}
	c.spaces = nil
}

// solvable finds a package by NAME-EVR.ARCH[@REPO].
func (c *runner) solvable(s string) solv.ID {
	if s == "@SYSTEM" {
		return solv.System
	}
	for ; c.indexed < c.pool.Len(); c.indexed++ {
		id := solv.ID(c.indexed)
		full := PackageString(c.pool, id)
		for _, key := range []string{full, full[:strings.LastIndexByte(full, '@')]} {
			if c.index[key] == 0 {
				c.index[key] = id
			}
		}
	}
	if id := c.index[s]; id != 0 {
		return id
	}
	return c.partly(s)
}

// partly finds a package whose architecture or repository is not named.
func (c *runner) partly(s string) solv.ID {
	var repo *solv.Repo
	for i := len(s) - 1; i >= 0 && repo == nil; i-- {
		if s[i] == '@' {
			if repo = c.repository(s[i+1:]); repo != nil {
				s = s[:i]
			}
		}
	}
	for id := solv.ID(2); int(id) < c.pool.Len(); id++ {
		i := c.pool.Info(id)
		if plain := i.Name + "-" + i.EVR; (repo == nil || repo == i.Repo) && (s == plain || s == plain+"."+i.Arch) {
			return id
		}
	}
	return 0
}

// repository finds a repository by its name, or by its number in the form "#1".
func (c *runner) repository(s string) *solv.Repo {
	repos := c.pool.Repos()
	if n, err := strconv.Atoi(strings.TrimPrefix(s, "#")); err == nil && s[0] == '#' && n > 0 && n <= len(repos) {
		return repos[n-1]
	}
	return c.pool.Repo(s)
}

func (c *runner) disable(f []string) error {
	sel, err := c.selection(f)
	if err != nil {
		return err
	}
	c.forgetNamespaces()
	if c.disabled == nil {
		c.disabled = map[solv.ID]bool{}
	}
	for _, id := range c.pool.Selected(sel) {
		c.disabled[id] = true
	}
	disabled := c.disabled
	c.pool.SetConsidered(func(id solv.ID) bool { return !disabled[id] })
	return nil
}

func (c *runner) genid(f []string) error {
	arg := strings.Join(f[2:], " ")
	n := len(c.genids)
	switch f[1] {
	case "op":
		if n < 2 {
			return fmt.Errorf("%w: genid: empty stack", errUsage)
		}
		for _, o := range operators {
			if strings.HasPrefix(arg, o.name) {
				c.genids = append(c.genids[:n-2], c.pool.Relate(c.genids[n-2], o.op, c.genids[n-1]))
				return nil
			}
		}
		return fmt.Errorf("%w: genid: operator %s", errUsage, arg)
	case "lit":
		c.genids = append(c.genids, c.pool.Intern(arg))
	case "null":
		c.genids = append(c.genids, 0)
	case "dep":
		c.genids = append(c.genids, ParseDep(c.pool, arg))
	default:
		return fmt.Errorf("%w: genid %s", ErrSkip, f[1])
	}
	return nil
}

// noop adds a job that only names a dependency.
func (c *runner) noop(d solv.Ref) {
	c.cur.Jobs = append(c.cur.Jobs, solv.Job{Action: solv.Noop, Select: solv.SelectProvides(d)})
}

// finish adds what follows from the commands of a step as a whole.
func (c *runner) finish() {
	for _, id := range slices.Backward(c.genids) {
		c.noop(id)
	}
	if in := c.pool.Installed(); in != nil && len(c.autoinst) > 0 {
		var names []string // all others
		for _, id := range in.IDs() {
			if name := c.pool.Info(id).Name; !slices.Contains(c.autoinst, name) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			c.cur.Jobs = append(c.cur.Jobs, solv.Job{Action: solv.UserInstalled, Select: solv.SelectName(c.pool.Intern(name))})
		}
	}
}

// setFlags sets flags. What follows an unknown one in the same word is not looked at.
func setFlags(words []string, set func(name string, v bool) bool) (err error) {
	for _, w := range words {
		for _, name := range strings.Split(w, ",") {
			if name == "" {
				continue
			}
			n, not := strings.CutPrefix(name, "!")
			if !set(n, !not) {
				err = errors.Join(err, fmt.Errorf("%w: unknown flag %s", errUsage, n))
				break
			}
		}
	}
	return err
}

func (c *runner) poolFlag(name string, v bool) bool {
	switch field := poolFields(&c.flags)[name]; {
	case field != nil:
		*field = v
	case name == "whatprovideswithdisabled":
		c.flags.HideExcluded = !v
	case name == "nowhatprovidesaux" || name == "addfileprovidesfiltered": // how libsolv finds the same
	default:
		return false
	}
	c.pool.SetFlags(c.flags)
	return true
}

func poolFields(p *solv.PoolFlags) map[string]*bool {
	return map[string]*bool{
		"forbidselfconflicts": &p.ForbidSelfConflicts, "obsoleteusesprovides": &p.ObsoletesUseProvides,
		"implicitobsoleteusesprovides": &p.ImplicitObsoletesUseProvides, "obsoleteusescolors": &p.ObsoletesUseColors,
		"implicitobsoleteusescolors": &p.ImplicitObsoletesUseColors, "noinstalledobsoletes": &p.NoInstalledObsoletes,
		"noobsoletesmultiversion": &p.NoObsoletesMultiversion, "promoteepoch": &p.PromoteEpoch, "havedistepoch": &p.DistEpochs,
	}
}

func (c *runner) solverFlag(name string, v bool) bool {
	o := &c.cur.Options
	positive, negative := solverFields(o)
	switch {
	case positive[name] != nil:
		*positive[name] = v
	case negative[name] != nil:
		*negative[name] = !v
	case name == "keepexplicitobsoletes":
		o.KeepExplicitObsoletes, o.DropExplicitObsoletes = v, !v
	default:
		return false
	}
	return true
}

// solverFields returns the options by name; negative are those that forbid what the flag allows.
func solverFields(o *solv.Options) (positive, negative map[string]*bool) {
	positive = map[string]*bool{
		"allowdowngrade": &o.AllowDowngrade, "allowarchchange": &o.AllowArchChange, "allowvendorchange": &o.AllowVendorChange,
		"allowuninstall": &o.AllowUninstall, "noupdateprovide": &o.NoUpdateProvide, "needupdateprovide": &o.NeedUpdateProvide,
		"ignorerecommended": &o.IgnoreRecommended, "addalreadyrecommended": &o.AddAlreadyRecommended,
		"noinfarchcheck": &o.IgnoreInferiorArch, "bestobeypolicy": &o.BestObeyPolicy, "noautotarget": &o.NoAutoTarget,
		"keeporphans": &o.KeepOrphans, "breakorphans": &o.BreakOrphans, "focusinstalled": &o.FocusInstalled,
		"focusbest": &o.FocusBest, "focusnew": &o.FocusNew, "yumobsoletes": &o.YumObsoletes,
		"strongrecommends": &o.StrongRecommends, "installalsoupdates": &o.InstallAlsoUpdates,
		"onlynamespacerecommended": &o.OnlyNamespaceRecommended, "strictrepopriority": &o.StrictRepoPriority,
		"splitprovides": &o.SplitProvides, "urpmreorder": &o.LocaleOrder,
	}
	negative = map[string]*bool{
		"allownamechange": &o.ForbidNameChange, "dupallowdowngrade": &o.DupForbidDowngrade,
		"dupallowarchchange": &o.DupForbidArchChange, "dupallowvendorchange": &o.DupForbidVendorChange,
		"dupallownamechange": &o.DupForbidNameChange,
	}
	return positive, negative
}
