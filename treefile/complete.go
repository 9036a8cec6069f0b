package treefile

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// complete checks and normalizes a manifest after it was read, before it is
// merged with others.
func (in *input) complete(arch string) error {
	if in.BaseArch != "" && arch != "" && in.BaseArch != arch {
		return fmt.Errorf("Invalid basearch %s on %s: cross-composes are not supported", in.BaseArch, arch)
	}
	in.BaseArch = arch
	if err := in.setVariables(); err != nil {
		return err
	}
	in.setDefaults()
	for _, check := range []func() error{in.splitPackages, in.checkRequired} {
		if err := check(); err != nil {
			return err
		}
	}
	for _, set := range []*[]string{&in.OverrideRemove, &in.IgnoreRemovedUsers, &in.IgnoreRemovedGroups} {
		*set = sorted(*set)
	}
	if in.Initramfs != nil {
		in.Initramfs.Etc = sorted(in.Initramfs.Etc)
	}
	return nil
}

// setVariables adds the variables that every manifest has.
func (in *input) setVariables() error {
	for _, reserved := range [...]string{"releasever", "basearch"} {
		if _, ok := in.Variables[reserved]; ok {
			return fmt.Errorf("cannot define reserved variable '%s'", reserved)
		}
	}
	if in.ReleaseVer.kind == varBool {
		return fmt.Errorf("releasever: expected text or a number, got %v", in.ReleaseVer)
	}
	for name, v := range map[string]Var{"basearch": Text(in.BaseArch), "releasever": in.ReleaseVer} {
		if v.String() == "" {
			continue
		}
		if in.Variables == nil {
			in.Variables = map[string]Var{}
		}
		in.Variables[name] = v
	}
	return nil
}

// setDefaults sets what other keys imply.
func (in *input) setDefaults() {
	if in.Container.Enabled() {
		// What does not boot has no kernel, no labels and no accounts to keep.
		in.BootLocation = BootModules
		in.SELinux = SetOn(false)
		in.TmpIsDir = SetOff(true)
		in.PreservePasswd = SetOn(false)
		in.CheckPasswd = &CheckPasswd{Type: CheckNone}
		in.CheckGroups = &CheckGroups{Type: CheckNone}
	}
	if in.Edition >= Edition2024 {
		if in.BootLocation == "" {
			in.BootLocation = BootModules
		}
		if in.TmpIsDir.IsZero() {
			in.TmpIsDir = SetOff(true)
		}
	}
}

// splitPackages splits all lists of packages at white space.
func (in *input) splitPackages() (err error) {
	in.Packages, err = splitPackages(slices.Concat(in.Packages, in.BootstrapPackages, in.archPackages))
	if err != nil {
		return err
	}
	for i := range in.RepoPackages {
		if in.RepoPackages[i].Packages, err = splitPackages(in.RepoPackages[i].Packages); err != nil {
			return err
		}
	}
	for i := range in.OverrideReplace {
		if in.OverrideReplace[i].Packages, err = splitPackages(in.OverrideReplace[i].Packages); err != nil {
			return err
		}
	}
	return nil
}

// splitPackages returns the set of packages in list. White space separates
// packages except inside of single quotes.
func splitPackages(list []string) ([]string, error) {
	out := []string{}
	for _, s := range list {
		for i, part := range strings.Split(s, "'") {
			if i%2 == 1 {
				out = append(out, part)
			} else {
				out = append(out, strings.FieldsFunc(part, unicode.IsSpace)...)
			}
		}
		if strings.Count(s, "'")%2 == 1 {
			return nil, fmt.Errorf("Missing terminating quote: %s", s)
		}
	}
	return sorted(out), nil
}

// sorted returns list as a set, nil only if it is nil.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// checkRequired checks that maps have the members they must have.
func (in *input) checkRequired() error {
	for _, r := range in.RepoPackages {
		if r.Repo == "" {
			return fmt.Errorf("repo-packages: missing field `repo`")
		}
	}
	for _, r := range in.OverrideReplace {
		if r.From.Repo == "" {
			return fmt.Errorf("ex-override-replace: missing field `from`")
		}
	}
	if in.Rojig != nil && in.Rojig.Name == "" {
		return fmt.Errorf("rojig: missing field `name`")
	}
	if in.CheckPasswd != nil {
		if err := checkFile(in.CheckPasswd.Type, in.CheckPasswd.Filename, len(in.CheckPasswd.Entries)); err != nil {
			return fmt.Errorf("check-passwd: %w", err)
		}
	}
	if in.CheckGroups != nil {
		if err := checkFile(in.CheckGroups.Type, in.CheckGroups.Filename, len(in.CheckGroups.Entries)); err != nil {
			return fmt.Errorf("check-groups: %w", err)
		}
	}
	for _, list := range in.RemoveFromPackages {
		if len(list) == 0 {
			return fmt.Errorf("remove-from-packages: empty list")
		}
	}
	return nil
}

// validate checks a manifest that is complete.
func (c *Config) validate() error {
	for _, f := range c.AddFiles {
		if !addable(f[1]) {
			return fmt.Errorf("Unsupported path in add-files: %s", f[1])
		}
	}
	if s := c.AutomaticVersionSuffix; s != "" && (len(s) != 1 || s[0] >= 0x80) {
		return fmt.Errorf("Invalid automatic-version-suffix, must be exactly one ASCII character: %s", s)
	}
	if _, ok := c.RepoVars["releasever"]; ok {
		return fmt.Errorf(`Treefile repo var "releasever" invalid; use "releasever" field instead`)
	}
	if _, ok := c.RepoVars["basearch"]; ok {
		return fmt.Errorf(`Treefile repo var "basearch" invalid; it is automatically filled in`)
	}
	if c.SELinuxLabelVersion > 1 {
		return fmt.Errorf("Invalid selinux-label-version: %d", c.SELinuxLabelVersion)
	}
	if !c.MachineIDCompat.Enabled() && len(c.Units) > 0 {
		return fmt.Errorf("'units' directive is incompatible with machineid-compat = false")
	}
	return nil
}

// addable reports whether a file may be added at path: below /usr, but not
// /usr/local, or below /etc.
func addable(path string) bool {
	path = strings.TrimLeft(path, "/")
	for part := range strings.SplitSeq(path, "/") {
		if part == ".." {
			return false
		}
	}
	if strings.HasPrefix(path, "usr/local/") {
		return false
	}
	for _, dir := range [...]string{"usr/", "etc/", "bin/", "sbin/", "lib/", "lib64/"} {
		if strings.HasPrefix(path, dir) {
			return true
		}
	}
	return false
}

// Warnings returns a message for each deprecated key that is used.
func (c *Config) Warnings() []string {
	var out []string
	if c.BootLocation != BootModules {
		location := c.BootLocation
		if location == "" {
			location = BootNew
		}
		out = append(out, fmt.Sprintf("boot-location: %q is deprecated, use boot-location: modules", location))
	}
	if len(c.InitramfsArgs) > 0 {
		out = append(out, "initramfs-args is deprecated, use /etc/dracut.conf.d")
	}
	if c.Cliwrap.Enabled() {
		out = append(out, "cliwrap is deprecated and slated for removal")
	}
	return out
}
