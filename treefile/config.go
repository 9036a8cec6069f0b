// Package treefile reads the manifests that describe an operating system tree:
// what "rpm-ostree compose" builds, and what is layered on top of a booted one.
//
// Load reads a manifest, everything that it includes and every file that it
// refers to. After that no more input is read: a Treefile is a value.
package treefile

import "encoding/json"

// Config is a manifest. The zero value of a field stands for a key that is not
// set. Lists that are sets are sorted. The order of the fields is that of the
// serialization, which Hash depends on.
type Config struct {
	// Packages to install: names, provides, or files. Entries with white space
	// in the source are split; names for other architectures are dropped.
	Packages        []string      `json:"packages"`
	RepoPackages    []RepoPackage `json:"repo-packages,omitempty"` // to be taken from a certain repository
	Cliwrap         Off           `json:"cliwrap,omitzero"`        // deprecated
	CliwrapBinaries []string      `json:"cliwrap-binaries,omitempty"`

	Derive
	Base
}

// RepoPackage names packages that must come from a repository.
type RepoPackage struct {
	Repo     string   `json:"repo"`
	Packages []string `json:"packages"` // a set
}

// Derive are the keys that change an existing tree. A compose refuses them.
type Derive struct {
	BaseRefspec               string            `json:"base-refspec,omitempty"`
	ContainerImageReference   string            `json:"container-image-reference,omitempty"`
	PackagesLocal             map[string]string `json:"packages-local,omitempty"` // NEVRA: SHA-256 of the header
	PackagesLocalFileoverride map[string]string `json:"packages-local-fileoverride,omitempty"`
	OverrideRemove            []string          `json:"override-remove,omitempty"` // a set of names
	OverrideReplace           []OverrideReplace `json:"ex-override-replace,omitempty"`
	OverrideReplaceLocal      map[string]string `json:"override-replace-local,omitempty"`
	Initramfs                 *Initramfs        `json:"initramfs,omitempty"`
	Custom                    *Custom           `json:"custom,omitempty"`
	OverrideCommit            string            `json:"override-commit,omitempty"`
	UnconfiguredState         string            `json:"unconfigured-state,omitempty"`
}

// OverrideReplace replaces packages of the base by those of a repository.
type OverrideReplace struct {
	From     OverrideFrom `json:"from"`
	Packages []string     `json:"packages"` // a set
}

// OverrideFrom says where replacements come from.
type OverrideFrom struct {
	Repo string `json:"repo"`
}

// Initramfs configures the initramfs that is made on the client.
type Initramfs struct {
	Regenerate bool     `json:"regenerate"`
	Etc        []string `json:"etc,omitempty"` // a set of paths
	Args       []string `json:"args,omitempty"`
}

// Custom describes where a tree that was not pulled comes from.
type Custom struct {
	URL         string `json:"url"`
	Description string `json:"description,omitempty"`
}

// Base are the keys that make a tree from nothing.
type Base struct {
	Edition             Edition           `json:"edition,omitempty"`
	Ref                 string            `json:"ref,omitempty"`
	Metadata            map[string]any    `json:"metadata,omitempty"` // not interpreted
	BaseArch            string            `json:"basearch,omitempty"`
	Variables           map[string]Var    `json:"-"`
	RepoVars            map[string]string `json:"-"`
	Rojig               *Rojig            `json:"rojig,omitempty"`
	Repos               []string          `json:"repos,omitempty"`          // none: all that are enabled
	LockfileRepos       []string          `json:"lockfile-repos,omitempty"` // only for packages in a lockfile
	SELinux             On                `json:"selinux,omitzero"`
	IgnoreDevices       On                `json:"ignore-devices,omitzero"`
	SELinuxLabelVersion uint32            `json:"selinux-label-version,omitempty"` // 0 or 1
	SysUsers            SysUsers          `json:"sysusers,omitempty"`
	IMA                 Off               `json:"ima,omitzero"`
	GPGKey              string            `json:"gpg-key,omitempty"` // signs the commit

	OSTreeLayers         []string `json:"ostree-layers,omitempty"`          // refs below the packages
	OSTreeOverrideLayers []string `json:"ostree-override-layers,omitempty"` // refs above them
	ExcludePackages      []string `json:"exclude-packages,omitempty"`
	PlatformModule       string   `json:"platform-module,omitempty"` // deprecated

	Container           Off      `json:"container,omitzero"` // no kernel, boot files or labels
	Recommends          On       `json:"recommends,omitzero"`
	Documentation       On       `json:"documentation,omitzero"`
	InstallLangs        []string `json:"install-langs,omitempty"`
	InitramfsArgs       []string `json:"initramfs-args,omitempty"` // deprecated
	NoInitramfs         Off      `json:"no-initramfs,omitzero"`
	ReadonlyExecutables Off      `json:"readonly-executables,omitzero"`

	BootLocation BootLocation `json:"boot-location,omitempty"`
	TmpIsDir     Off          `json:"tmp-is-dir,omitzero"`
	OptUsrLocal  OptUsrLocal  `json:"opt-usrlocal,omitempty"`

	Units           []string `json:"units,omitempty"`
	DefaultTarget   string   `json:"default-target,omitempty"`
	MachineIDCompat On       `json:"machineid-compat,omitzero"`

	ReleaseVer             Var    `json:"releasever,omitzero"` // text or a number
	AutomaticVersionPrefix string `json:"automatic-version-prefix,omitempty"`
	AutomaticVersionSuffix string `json:"automatic-version-suffix,omitempty"` // one ASCII character
	MutateOSRelease        string `json:"mutate-os-release,omitempty"`

	EtcGroupMembers     []string     `json:"etc-group-members,omitempty"`
	PreservePasswd      On           `json:"preserve-passwd,omitzero"`
	CheckPasswd         *CheckPasswd `json:"check-passwd,omitempty"`          // nil: CheckPrevious
	CheckGroups         *CheckGroups `json:"check-groups,omitempty"`          // nil: CheckPrevious
	IgnoreRemovedUsers  []string     `json:"ignore-removed-users,omitempty"`  // a set, "*" is all
	IgnoreRemovedGroups []string     `json:"ignore-removed-groups,omitempty"` // a set, "*" is all

	PostprocessScript  string         `json:"postprocess-script,omitempty"` // path; see Treefile.Script
	Postprocess        []string       `json:"postprocess,omitempty"`        // scripts
	AddFiles           [][2]string    `json:"add-files,omitempty"`          // source and destination; see Treefile.Files
	RemoveFiles        []string       `json:"remove-files,omitempty"`
	RemoveFromPackages [][]string     `json:"remove-from-packages,omitempty"` // a name, then regular expressions
	AddCommitMetadata  map[string]any `json:"add-commit-metadata,omitempty"`
	RepoMetadata       MetadataTarget `json:"repo-metadata,omitempty"`
	AdvisoriesMetadata MetadataTarget `json:"advisories-metadata,omitempty"`
	RPMDB              RPMDBBackend   `json:"rpmdb,omitempty"`
	RPMDBNormalize     Off            `json:"rpmdb-normalize,omitzero"`
	ContainerCmd       []string       `json:"container-cmd,omitempty"`
}

// Rojig has the name of the tree, which tools look at; the rest is not used.
type Rojig struct {
	Name        string  `json:"name"`
	Summary     string  `json:"summary"`
	License     string  `json:"license"`
	Description *string `json:"description"`
}

// input is the form in which a manifest is written: Config and the keys that
// are gone once it is read.
type input struct {
	Config
	Variables          map[string]Var          `json:"variables"`
	RepoVars           map[string]string       `json:"repovars"`
	Include            stringOrList            `json:"include"`
	ArchInclude        map[string]stringOrList `json:"arch-include"`
	ConditionalInclude []conditionalInclude    `json:"conditional-include"`
	BootstrapPackages  []string                `json:"bootstrap-packages"`
	archPackages       []string                // of packages-ARCH
}

// stringOrList is a list of strings, for which one string may be written.
type stringOrList []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *stringOrList) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = stringOrList{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// FilesToRemove returns the regular expressions for files of a package.
func (c *Config) FilesToRemove(pkg string) []string {
	var out []string
	for _, list := range c.RemoveFromPackages {
		if len(list) > 0 && list[0] == pkg {
			out = append(out, list[1:]...)
		}
	}
	return out
}

// HasPackages reports whether anything is to be installed, replaced or removed.
func (c *Config) HasPackages() bool {
	return len(c.Packages)+len(c.PackagesLocal)+len(c.PackagesLocalFileoverride)+len(c.OverrideRemove)+
		len(c.OverrideReplace)+len(c.OverrideReplaceLocal) > 0
}
