package solv

import "slices"

// Action is what a job asks for.
type Action uint8

// Actions.
const (
	Noop            Action = iota
	Install                // one of the selected packages is to be installed
	Erase                  // none of the selected packages may be installed
	Update                 // installed packages among the selection are to be updated
	WeakenDeps             // the selected package's dependencies may be broken
	MultiVersion           // several versions may be installed side by side
	Lock                   // keep the state: installed ones stay, others stay out
	DistUpgrade            // bring in line with the repositories, downgrades included
	Verify                 // repair broken dependencies of installed packages
	DropOrphaned           // erase if in no repository any more
	UserInstalled          // not a mere dependency, so that clean-up keeps it
	AllowUninstall         // may be erased to make the rest possible
	Favor                  // choose before others
	Disfavor               // choose after others
	Blacklist              // only a direct request may install it
	ExcludeFromWeak        // no weak dependency may install it
)

// JobFlags modify a job.
type JobFlags uint32

// Job flags.
const (
	Weak      JobFlags = 1 << iota // drop the job rather than fail
	Essential                      // propose dropping this job only if nothing else helps
	CleanDeps                      // erase dependencies no longer needed
	OrUpdate                       // an install job may update what is installed
	ForceBest                      // the best candidate or a problem
	Targeted                       // the selection is what to update to
	NotByUser                      // installed, but not wanted for itself
	SetEV                          // the request itself chose epoch and version,
	SetEVR                         // epoch, version and release,
	SetArch                        // the architecture,
	SetVendor                      // the vendor,
	SetRepo                        // the repository,
	SetName                        // the name: policies against changing them do not apply
	NoAutoSet                      // do not derive the Set flags from the selection
)

const setMask = SetEV | SetEVR | SetArch | SetVendor | SetRepo | SetName | NoAutoSet

type selectKind uint8

const (
	selectNone selectKind = iota
	selectPackage
	selectName
	selectProvides
	selectOneOf
	selectRepo
	selectAll
)

// Selection is a set of packages to which a job applies.
type Selection struct {
	kind selectKind
	dep  Ref
	ids  []ID // selectPackage, selectOneOf
	repo *Repo
}

// SelectPackage selects one package.
func SelectPackage(id ID) Selection { return Selection{kind: selectPackage, ids: []ID{id}} }

// SelectOneOf selects exactly these packages.
func SelectOneOf(ids ...ID) Selection { return Selection{kind: selectOneOf, ids: ids} }

// SelectName selects the packages whose name (and version, and architecture) fits.
func SelectName(d Ref) Selection { return Selection{kind: selectName, dep: d} }

// SelectProvides selects the packages that provide d.
func SelectProvides(d Ref) Selection { return Selection{kind: selectProvides, dep: d} }

// SelectRepo selects a whole repository.
func SelectRepo(r *Repo) Selection { return Selection{kind: selectRepo, repo: r} }

// SelectAll selects every package.
func SelectAll() Selection { return Selection{kind: selectAll} }

// Job is one request to the solver.
type Job struct {
	Action Action
	Select Selection
	Flags  JobFlags
}

// Selected returns the packages of a selection.
func (p *Pool) Selected(sel Selection) []ID {
	switch sel.kind {
	case selectAll:
		var ids []ID
		for i := 2; i < len(p.sols); i++ {
			ids = append(ids, ID(i))
		}
		return ids
	case selectRepo:
		if sel.repo != nil {
			return sel.repo.IDs()
		}
		return nil
	}
	return p.listed(sel)
}

// listed is Selected for all kinds but whole repositories and everything, which it leaves out.
func (p *Pool) listed(sel Selection) []ID {
	switch sel.kind {
	case selectPackage, selectOneOf:
		if slices.ContainsFunc(sel.ids, p.unknown) {
			return filterIDs(sel.ids, func(id ID) bool { return !p.unknown(id) })
		}
		return sel.ids
	case selectName:
		return filterIDs(p.whatProvides(sel.dep), func(id ID) bool { return p.matchNEVR(&p.sols[id], sel.dep) })
	case selectProvides:
		return p.whatProvides(sel.dep)
	}
	return nil
}

func (p *Pool) unknown(id ID) bool { return id < System || int(id) >= len(p.sols) }

// jobString describes the job in libsolv's words, with the flags in mask.
func (p *Pool) jobString(j *Job, mask JobFlags) string {
	before, after := "unknown job ", ""
	sel := &j.Select
	switch j.Action {
	case Noop:
		return "do nothing"
	case Install:
		switch {
		case sel.kind == selectPackage && len(p.listed(*sel)) > 0 && p.isInstalled(sel.ids[0]):
			before, after = "keep ", " installed"
		case sel.kind == selectPackage || sel.kind == selectName:
			before = "install "
		case sel.kind == selectProvides:
			before = "install a package "
		default:
			before = "install one of "
		}
	case Erase:
		switch {
		case sel.kind == selectPackage && len(p.listed(*sel)) > 0 && !p.isInstalled(sel.ids[0]):
			before, after = "keep ", " uninstalled"
		case sel.kind == selectProvides:
			before = "deinstall all packages "
		default:
			before = "deinstall "
		}
	default:
		if w, ok := jobWords[j.Action]; ok {
			before, after = w[0], w[1]
		}
	}
	return before + p.selectString(sel) + after + flagString(j.Flags&mask)
}

var jobWords = map[Action][2]string{
	Update: {"update "}, WeakenDeps: {"weaken deps of "}, MultiVersion: {"multi version "}, Lock: {"lock "},
	DistUpgrade: {"dist upgrade "}, Verify: {"verify "}, DropOrphaned: {"deinstall ", " if orphaned"},
	UserInstalled: {"regard ", " as userinstalled"}, AllowUninstall: {"allow deinstallation of "},
	Favor: {"favor "}, Disfavor: {"disfavor "}, Blacklist: {"blacklist "},
}

func (p *Pool) selectString(sel *Selection) string {
	switch sel.kind {
	case selectPackage:
		return p.String(sel.ids[0])
	case selectName:
		return p.DepString(sel.dep)
	case selectProvides:
		return "providing " + p.DepString(sel.dep)
	case selectOneOf:
		if len(sel.ids) == 0 {
			return "nothing"
		}
		s := p.String(sel.ids[0])
		for _, id := range sel.ids[1:] {
			s += ", " + p.String(id)
		}
		return s
	case selectRepo:
		if sel.repo != nil {
			return "repo " + sel.repo.name
		}
	case selectAll:
		return "all packages"
	}
	return "unknown job select"
}

// flagNames are the names of the job flags, in the order of their bits.
var flagNames = [...]string{"weak", "essential", "cleandeps", "orupdate", "forcebest", "targeted", "notbyuser",
	"setev", "setevr", "setarch", "setvendor", "setrepo", "setname", "noautoset"}

func flagString(f JobFlags) string {
	if f == 0 {
		return ""
	}
	s := ""
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			s += "," + name
		}
	}
	return " [" + s[1:] + "]"
}

// Parts returns what a selection is made of. kind is "pkg", "name", "provides", "oneof", "repo",
// "all", or "" for an empty one.
func (sel Selection) Parts() (kind string, dep Ref, ids []ID, repo *Repo) {
	return [...]string{"", "pkg", "name", "provides", "oneof", "repo", "all"}[sel.kind], sel.dep, sel.ids, sel.repo
}
