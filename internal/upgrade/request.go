package upgrade

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rpmostree/internal/core"
	"rpmostree/internal/core/sack"
	"rpmostree/internal/origin"
	"rpmostree/ostree"
	"rpmostree/rpm/evr"
)

// A Request says how the target of a machine is to change. The zero value
// changes nothing: it makes the tree of the present origin again.
type Request struct {
	// The base.
	Pull           bool   // take the newest commit of what is followed
	Refspec        string // follow this from now on; implies Pull
	Branch, Remote string // follow another branch, or the branch of another remote
	KeepRef        bool   // keep the ref that was followed before a rebase
	Revision       string // a version or checksum to pin the base to
	AnyBranch      bool   // the revision need not be of the branch
	AllowDowngrade bool   // the new base may be older
	CustomURL      string
	CustomText     string

	// Packages by request, NAME or capability; files by path.
	Install        []string
	InstallFiles   []string
	OverwriteFiles []string // files whose files may replace those of the base
	Uninstall      []string
	UninstallAll   bool
	Idempotent     bool // requests that hold already are no error
	AllowInactive  bool // requests that the base meets are no error

	// Base packages.
	OverrideRemove       []string
	OverrideReplaceFiles []string
	OverrideReplaceFrom  []core.FromRepo
	OverrideReset        []string
	OverrideResetAll     bool

	// ResetInitramfs and the others undo what the origin asks for.
	ResetLayers    bool
	ResetInitramfs bool
	Initramfs      *Initramfs // nil to leave it as it is

	CacheOnly    bool // use what was downloaded before
	DownloadOnly bool // stop when everything is in the repository
	DryRun       bool // stop when it is known what would change
	LockFinalize bool // do not let a staged deployment become the default at shutdown
}

// Initramfs says whether an initramfs is made on this machine.
type Initramfs struct {
	Enable bool
	Args   []string // for dracut
}

// apply returns the origin that the request makes of o. The files are opened
// and returned: the origin names them by checksum.
func (r *Request) apply(o *origin.Origin) (*origin.Origin, map[string]*sack.Local, error) {
	o = o.Clone()
	locals := map[string]*sack.Local{}
	if err := r.rebranch(o); err != nil {
		return nil, nil, err
	}
	if r.Refspec != "" {
		o.Refspec, o.ContainerImage, o.OverrideCommit = r.Refspec, "", ""
		o.CustomURL, o.CustomDescription = r.CustomURL, r.CustomText
	}
	if r.Pull {
		o.OverrideCommit = ""
	}
	for _, step := range []func(*origin.Origin, map[string]*sack.Local) error{
		r.resets, r.uninstalls, r.installs, r.overrides,
	} {
		if err := step(o, locals); err != nil {
			return nil, nil, err
		}
	}
	return o, locals, nil
}

// rebranch completes the refspec to follow: what it leaves out, of "BRANCH" and
// "REMOTE:", stays as it is. ":BRANCH" is a branch of this machine's repository.
func (r *Request) rebranch(o *origin.Origin) error {
	branch, remote := r.Branch, r.Remote
	switch {
	case ostree.IsChecksum(r.Refspec) || strings.HasPrefix(r.Refspec, ":"):
		r.Refspec = strings.TrimPrefix(r.Refspec, ":")
		return nil
	case r.Refspec != "":
		var ok bool
		if remote, branch, ok = strings.Cut(r.Refspec, ":"); !ok {
			remote, branch = "", r.Refspec
		}
	case branch == "" && remote == "":
		return nil
	}
	if branch == "" || remote == "" {
		oldRemote, oldBranch, err := ostree.ParseRefspec(o.Refspec)
		if err != nil && branch == "" {
			return errors.New("Could not determine default ref to pull.")
		}
		branch, remote = cmp.Or(branch, oldBranch), cmp.Or(remote, oldRemote)
	}
	r.Refspec = ostree.Refspec(remote, branch)
	_, _, err := ostree.ParseRefspec(r.Refspec)
	return err
}

func (r *Request) resets(o *origin.Origin, _ map[string]*sack.Local) error {
	if r.ResetLayers || r.UninstallAll {
		o.Packages, o.LocalPackages, o.LocalOverwrite = nil, nil, nil
	}
	if r.ResetInitramfs {
		o.RegenerateInitramfs, o.InitramfsArgs, o.InitramfsEtc = false, nil, nil
	}
	if i := r.Initramfs; i != nil {
		if i.Enable == o.RegenerateInitramfs && slices.Equal(i.Args, o.InitramfsArgs) {
			state := "disabled"
			if i.Enable {
				state = "enabled"
			}
			return fmt.Errorf("initramfs regeneration state is already %s", state)
		}
		o.RegenerateInitramfs, o.InitramfsArgs = i.Enable, i.Args
	}
	if r.OverrideResetAll {
		o.Remove, o.ReplaceLocal, o.ReplaceRemote = nil, nil, nil
	}
	for _, name := range r.OverrideReset {
		if !resetOverride(o, name) {
			return fmt.Errorf("No overrides for package '%s'", name)
		}
	}
	return nil
}

// resetOverride drops the overrides of a package and tells whether there were
// any.
func resetOverride(o *origin.Origin, name string) bool {
	found := false
	drop := func(match bool) bool {
		found = found || match
		return match
	}
	o.Remove = slices.DeleteFunc(o.Remove, func(n string) bool { return drop(n == name) })
	o.ReplaceLocal = slices.DeleteFunc(o.ReplaceLocal, func(p origin.LocalPackage) bool { return drop(names(p, name)) })
	for from, pkgs := range o.ReplaceRemote {
		pkgs = slices.DeleteFunc(slices.Clone(pkgs), func(n string) bool { return drop(n == name) })
		if o.ReplaceRemote[from] = pkgs; len(pkgs) == 0 {
			delete(o.ReplaceRemote, from)
		}
	}
	return found
}

// names reports whether a local package is called name: by its NEVRA or its
// name alone.
func names(p origin.LocalPackage, name string) bool {
	return p.NEVRA == name || nameOf(p.NEVRA) == name
}

func (r *Request) uninstalls(o *origin.Origin, _ map[string]*sack.Local) error {
	for _, name := range r.Uninstall {
		found := false
		drop := func(match bool) bool {
			found = found || match
			return match
		}
		o.Packages = slices.DeleteFunc(o.Packages, func(p string) bool { return drop(p == name) })
		byName := func(p origin.LocalPackage) bool { return drop(names(p, name)) }
		o.LocalPackages = slices.DeleteFunc(o.LocalPackages, byName)
		o.LocalOverwrite = slices.DeleteFunc(o.LocalOverwrite, byName)
		if !found && !r.Idempotent {
			return fmt.Errorf("Package/capability '%s' is not currently requested", name)
		}
	}
	return nil
}

func (r *Request) installs(o *origin.Origin, locals map[string]*sack.Local) error {
	for _, name := range r.Install {
		if slices.Contains(o.Packages, name) {
			if r.Idempotent {
				continue
			}
			return fmt.Errorf("Package/capability '%s' is already requested", name)
		}
		o.Packages = append(o.Packages, name)
	}
	for _, group := range []struct {
		files []string
		dest  *[]origin.LocalPackage
	}{{r.InstallFiles, &o.LocalPackages}, {r.OverwriteFiles, &o.LocalOverwrite}} {
		for _, path := range group.files {
			p, err := openLocal(path, locals)
			if err != nil {
				return err
			}
			if slices.Contains(*group.dest, p) {
				if r.Idempotent {
					continue
				}
				return fmt.Errorf("Package '%s' is already layered", p.NEVRA)
			}
			// Another build of the same package takes its place.
			*group.dest = slices.DeleteFunc(*group.dest, func(old origin.LocalPackage) bool {
				return nameOf(old.NEVRA) == nameOf(p.NEVRA)
			})
			*group.dest = append(*group.dest, p)
		}
	}
	return nil
}

func openLocal(path string, locals map[string]*sack.Local) (origin.LocalPackage, error) {
	l, err := core.OpenLocal(strings.TrimPrefix(path, "file://"))
	if err != nil {
		return origin.LocalPackage{}, err
	}
	locals[l.SHA256] = l
	return origin.LocalPackage{SHA256: l.SHA256, NEVRA: sack.NEVRA(l.Header).String()}, nil
}

func (r *Request) overrides(o *origin.Origin, locals map[string]*sack.Local) error {
	for _, name := range r.OverrideRemove {
		if slices.Contains(overridden(o, true), name) {
			return fmt.Errorf("Override already exists for package '%s'", name)
		}
		o.Remove = append(o.Remove, name)
	}
	for _, path := range r.OverrideReplaceFiles {
		p, err := openLocal(path, locals)
		if err != nil {
			return err
		}
		name := nameOf(p.NEVRA)
		if slices.Contains(o.ReplaceLocal, p) {
			return fmt.Errorf("Override already exists for package '%s'", p.NEVRA)
		}
		resetOverride(o, name)
		o.ReplaceLocal = append(o.ReplaceLocal, p)
	}
	for _, f := range r.OverrideReplaceFrom {
		for _, name := range f.Packages {
			resetOverride(o, name)
			if o.ReplaceRemote == nil {
				o.ReplaceRemote = map[string][]string{}
			}
			from := "repo=" + f.Repo
			o.ReplaceRemote[from] = append(o.ReplaceRemote[from], name)
		}
	}
	return nil
}

// overridden returns the base packages that an origin changes: by name, or
// replacements by local packages by what identifies those.
func overridden(o *origin.Origin, byName bool) []string {
	names := slices.Clone(o.Remove)
	for _, l := range o.ReplaceLocal {
		name := l.NEVRA
		if byName {
			name = nameOf(name)
		}
		names = append(names, name)
	}
	for _, pkgs := range o.ReplaceRemote {
		names = append(names, pkgs...)
	}
	return names
}

// nameOf returns the name in a NEVRA, or the whole if it is none.
func nameOf(nevra string) string {
	n, err := evr.ParseNEVRA(nevra)
	if err != nil {
		return nevra
	}
	return n.Name
}
