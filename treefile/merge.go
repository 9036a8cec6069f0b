package treefile

import (
	"cmp"
	"maps"
	"slices"
)

// Merge completes c by what it includes: scalar values of c win, lists of c
// follow those of the included manifest, maps are united and members of c win,
// and sets are united. Included manifests are merged in order, so that with two
// of them the list of the second one comes first.
func (c *Config) Merge(included *Config) {
	c.Packages = union(c.Packages, included.Packages)
	c.RepoPackages = latest(slices.Concat(included.RepoPackages, c.RepoPackages), func(r *RepoPackage) *[]string { return &r.Packages })
	set(&c.Cliwrap, included.Cliwrap)
	prepend(&c.CliwrapBinaries, included.CliwrapBinaries)
	c.Derive.merge(&included.Derive)
	c.mergeScalars(&included.Base)
	c.mergeLists(&included.Base)
}

func (d *Derive) merge(from *Derive) {
	d.BaseRefspec = cmp.Or(d.BaseRefspec, from.BaseRefspec)
	d.ContainerImageReference = cmp.Or(d.ContainerImageReference, from.ContainerImageReference)
	unite(&d.PackagesLocal, from.PackagesLocal)
	unite(&d.PackagesLocalFileoverride, from.PackagesLocalFileoverride)
	d.OverrideRemove = union(d.OverrideRemove, from.OverrideRemove)
	d.OverrideReplace = latest(slices.Concat(from.OverrideReplace, d.OverrideReplace), func(o *OverrideReplace) *[]string { return &o.Packages })
	unite(&d.OverrideReplaceLocal, from.OverrideReplaceLocal)
	d.Initramfs = cmp.Or(d.Initramfs, from.Initramfs)
	d.Custom = cmp.Or(d.Custom, from.Custom)
	d.OverrideCommit = cmp.Or(d.OverrideCommit, from.OverrideCommit)
	d.UnconfiguredState = cmp.Or(d.UnconfiguredState, from.UnconfiguredState)
}

func (b *Base) mergeScalars(from *Base) {
	set(&b.Edition, from.Edition)
	set(&b.Ref, from.Ref)
	set(&b.BaseArch, from.BaseArch)
	set(&b.Rojig, from.Rojig)
	set(&b.SELinux, from.SELinux)
	set(&b.IgnoreDevices, from.IgnoreDevices)
	set(&b.SELinuxLabelVersion, from.SELinuxLabelVersion)
	set(&b.SysUsers, from.SysUsers)
	set(&b.IMA, from.IMA)
	set(&b.GPGKey, from.GPGKey)
	set(&b.PlatformModule, from.PlatformModule)
	set(&b.Container, from.Container)
	set(&b.Recommends, from.Recommends)
	set(&b.Documentation, from.Documentation)
	set(&b.NoInitramfs, from.NoInitramfs)
	set(&b.ReadonlyExecutables, from.ReadonlyExecutables)
	set(&b.BootLocation, from.BootLocation)
	set(&b.TmpIsDir, from.TmpIsDir)
	set(&b.OptUsrLocal, from.OptUsrLocal)
	set(&b.DefaultTarget, from.DefaultTarget)
	set(&b.MachineIDCompat, from.MachineIDCompat)
	set(&b.ReleaseVer, from.ReleaseVer)
	set(&b.AutomaticVersionPrefix, from.AutomaticVersionPrefix)
	set(&b.AutomaticVersionSuffix, from.AutomaticVersionSuffix)
	set(&b.MutateOSRelease, from.MutateOSRelease)
	set(&b.PreservePasswd, from.PreservePasswd)
	set(&b.CheckPasswd, from.CheckPasswd)
	set(&b.CheckGroups, from.CheckGroups)
	set(&b.PostprocessScript, from.PostprocessScript)
	set(&b.RepoMetadata, from.RepoMetadata)
	set(&b.AdvisoriesMetadata, from.AdvisoriesMetadata)
	set(&b.RPMDB, from.RPMDB)
	set(&b.RPMDBNormalize, from.RPMDBNormalize)
	if b.ContainerCmd == nil {
		b.ContainerCmd = from.ContainerCmd
	}
}

func (b *Base) mergeLists(from *Base) {
	unite(&b.Metadata, from.Metadata)
	unite(&b.Variables, from.Variables)
	unite(&b.RepoVars, from.RepoVars)
	unite(&b.AddCommitMetadata, from.AddCommitMetadata)
	prepend(&b.Repos, from.Repos)
	prepend(&b.LockfileRepos, from.LockfileRepos)
	prepend(&b.OSTreeLayers, from.OSTreeLayers)
	prepend(&b.OSTreeOverrideLayers, from.OSTreeOverrideLayers)
	prepend(&b.ExcludePackages, from.ExcludePackages)
	prepend(&b.InstallLangs, from.InstallLangs)
	prepend(&b.InitramfsArgs, from.InitramfsArgs)
	prepend(&b.Units, from.Units)
	prepend(&b.EtcGroupMembers, from.EtcGroupMembers)
	b.IgnoreRemovedUsers = union(b.IgnoreRemovedUsers, from.IgnoreRemovedUsers)
	b.IgnoreRemovedGroups = union(b.IgnoreRemovedGroups, from.IgnoreRemovedGroups)
	prepend(&b.Postprocess, from.Postprocess)
	prepend(&b.AddFiles, from.AddFiles)
	prepend(&b.RemoveFiles, from.RemoveFiles)
	prepend(&b.RemoveFromPackages, from.RemoveFromPackages)
}

// set sets dst to src if it is not set.
func set[T comparable](dst *T, src T) { *dst = cmp.Or(*dst, src) }

func prepend[T any](dst *[]T, src []T) { *dst = slices.Concat(src, *dst) }

func unite[V any](dst *map[string]V, src map[string]V) {
	if len(src) > 0 {
		all := maps.Clone(src)
		maps.Copy(all, *dst)
		*dst = all
	}
}

func union(a, b []string) []string {
	if a == nil && b == nil {
		return nil
	}
	out := make([]string, 0, len(a)+len(b))
	return sorted(append(append(out, a...), b...))
}

// latest keeps each package only in the last element that names it, and drops
// elements that are left without any.
func latest[T any](list []T, packages func(*T) *[]string) []T {
	seen := map[string]bool{}
	for i := len(list) - 1; i >= 0; i-- {
		p := packages(&list[i])
		var left []string
		for _, name := range *p {
			if !seen[name] {
				seen[name] = true
				left = append(left, name)
			}
		}
		*p = left
	}
	return slices.DeleteFunc(list, func(t T) bool { return len(*packages(&t)) == 0 })
}
