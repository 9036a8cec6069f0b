// Package origin reads, changes and writes the origin of a deployment: the
// keyfile ostree/deploy/OS/deploy/CHECKSUM.SERIAL.origin, which says what the
// deployment follows and what the administrator asked for on top of it.
//
// Keys and groups that this package does not know stay as they are, so that
// what another program keeps there survives our changes.
package origin

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"rpmostree/internal/keyfile"
)

// An Origin is the content of an origin file. It is changed by building a new
// one: see Clone.
type Origin struct {
	// Refspec is what is followed, "REMOTE:REF", "REF" or a commit checksum.
	Refspec string
	// ContainerImage is the image reference that is followed in place of Refspec.
	ContainerImage string
	// OverrideCommit pins the base to a commit, until the next upgrade.
	OverrideCommit string

	Packages       []string       // requested packages and capabilities
	LocalPackages  []LocalPackage // requested package files
	LocalOverwrite []LocalPackage // package files that may overwrite base files

	Remove        []string            // base packages to remove
	ReplaceLocal  []LocalPackage      // base packages replaced by package files
	ReplaceRemote map[string][]string // "repo=NAME" to base packages replaced from there

	RegenerateInitramfs bool
	InitramfsArgs       []string
	InitramfsEtc        []string // files of /etc in the overlay initrd

	CustomURL, CustomDescription string
	UnconfiguredState            string // why the refspec cannot be upgraded, if so

	file *keyfile.File
}

// A LocalPackage is a package file that was given by path. Its content is kept
// in the repository's package cache.
type LocalPackage struct {
	SHA256 string // of lead, signature header and header, hex
	NEVRA  string
}

func (p LocalPackage) String() string { return p.SHA256 + ":" + p.NEVRA }

// Parse reads an origin file.
func Parse(text []byte) (*Origin, error) {
	f, err := keyfile.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("parsing origin: %w", err)
	}
	o := &Origin{
		Refspec:           f.Get("origin", "refspec"),
		ContainerImage:    f.Get("origin", "container-image-reference"),
		OverrideCommit:    f.Get("origin", "override-commit"),
		CustomURL:         f.Get("origin", "custom-url"),
		CustomDescription: f.Get("origin", "custom-description"),
		UnconfiguredState: f.Get("origin", "unconfigured-state"),
		Packages:          f.List("packages", "requested"),
		Remove:            f.List("overrides", "remove"),
		InitramfsArgs:     f.List("rpmostree", "initramfs-args"),
		InitramfsEtc:      f.List("rpmostree", "initramfs-etc"),
		file:              f,
	}
	if base := f.Get("origin", "baserefspec"); base != "" {
		o.Refspec = base
	}
	if o.RegenerateInitramfs, err = f.Bool("rpmostree", "regenerate-initramfs", false); err != nil {
		return nil, fmt.Errorf("parsing origin: %w", err)
	}
	for _, l := range []struct {
		dest       *[]LocalPackage
		group, key string
	}{
		{&o.LocalPackages, "packages", "requested-local"},
		{&o.LocalOverwrite, "packages", "requested-local-fileoverride"},
		{&o.ReplaceLocal, "overrides", "replace-local"},
	} {
		if *l.dest, err = parseLocal(f.List(l.group, l.key)); err != nil {
			return nil, fmt.Errorf("parsing origin: %s.%s: %w", l.group, l.key, err)
		}
	}
	for _, source := range f.List("overrides", "replace") {
		from, pkgs, ok := strings.Cut(source, ",")
		if !ok || from == "" || pkgs == "" {
			return nil, fmt.Errorf("parsing origin: overrides.replace: invalid source %q", source)
		}
		if o.ReplaceRemote == nil {
			o.ReplaceRemote = map[string][]string{}
		}
		o.ReplaceRemote[from] = append(o.ReplaceRemote[from], strings.Split(pkgs, ",")...)
	}
	return o, nil
}

func parseLocal(list []string) ([]LocalPackage, error) {
	var out []LocalPackage
	for _, s := range list {
		sum, nevra, ok := strings.Cut(s, ":")
		if !ok || len(sum) != 64 || nevra == "" {
			return nil, fmt.Errorf("invalid local package %q", s)
		}
		out = append(out, LocalPackage{sum, nevra})
	}
	return out, nil
}

// Clone returns a copy that can be changed.
func (o *Origin) Clone() *Origin {
	c := *o
	c.Packages = slices.Clone(o.Packages)
	c.LocalPackages = slices.Clone(o.LocalPackages)
	c.LocalOverwrite = slices.Clone(o.LocalOverwrite)
	c.Remove = slices.Clone(o.Remove)
	c.ReplaceLocal = slices.Clone(o.ReplaceLocal)
	c.ReplaceRemote = maps.Clone(o.ReplaceRemote)
	c.InitramfsArgs = slices.Clone(o.InitramfsArgs)
	c.InitramfsEtc = slices.Clone(o.InitramfsEtc)
	return &c
}

// Layered reports whether the origin asks for a tree of its own on top of the
// base commit.
func (o *Origin) Layered() bool {
	return len(o.Packages)+len(o.LocalPackages)+len(o.LocalOverwrite)+len(o.Remove)+
		len(o.ReplaceLocal)+len(o.ReplaceRemote) > 0 || o.RegenerateInitramfs
}

// File returns the origin as a keyfile. A layered origin names its refspec
// "baserefspec", so that plain ostree does not mistake the base for what is
// deployed. Keys that belong to one deployment only are left out.
func (o *Origin) File() (*keyfile.File, error) {
	f := &keyfile.File{}
	if o.file != nil {
		f = o.file.Clone()
	}
	f.RemoveGroup("libostree-transient")
	refspec, baserefspec := o.Refspec, ""
	if o.Layered() {
		refspec, baserefspec = "", o.Refspec
	}
	var replace []string
	for _, from := range slices.Sorted(maps.Keys(o.ReplaceRemote)) {
		replace = append(replace, from+","+strings.Join(o.ReplaceRemote[from], ","))
	}
	regenerate := ""
	if o.RegenerateInitramfs {
		regenerate = "true"
	}
	for _, v := range []struct{ group, key, value string }{
		{"origin", "refspec", refspec},
		{"origin", "baserefspec", baserefspec},
		{"origin", "container-image-reference", o.ContainerImage},
		{"origin", "override-commit", o.OverrideCommit},
		{"origin", "custom-url", o.CustomURL},
		{"origin", "custom-description", o.CustomDescription},
		{"origin", "unconfigured-state", ""},
		{"rpmostree", "regenerate-initramfs", regenerate},
	} {
		if v.value == "" {
			f.Remove(v.group, v.key)
		} else if err := f.Set(v.group, v.key, v.value); err != nil {
			return nil, err
		}
	}
	for _, v := range []struct {
		group, key string
		list       []string
	}{
		{"packages", "requested", o.Packages},
		{"packages", "requested-local", localList(o.LocalPackages)},
		{"packages", "requested-local-fileoverride", localList(o.LocalOverwrite)},
		{"overrides", "remove", o.Remove},
		{"overrides", "replace-local", localList(o.ReplaceLocal)},
		{"overrides", "replace", replace},
		{"rpmostree", "initramfs-args", o.InitramfsArgs},
		{"rpmostree", "initramfs-etc", o.InitramfsEtc},
	} {
		if len(v.list) == 0 {
			f.Remove(v.group, v.key)
		} else if err := f.SetList(v.group, v.key, v.list); err != nil {
			return nil, err
		}
	}
	for _, g := range []string{"packages", "overrides", "rpmostree"} {
		if len(f.Keys(g)) == 0 {
			f.RemoveGroup(g)
		}
	}
	return f, nil
}

func localList(pkgs []LocalPackage) []string {
	var out []string
	for _, p := range pkgs {
		out = append(out, p.String())
	}
	return out
}
