package upgrade

// Status is what `rpm-ostree status --json` prints.
type Status struct {
	Deployments  []DeploymentStatus `json:"deployments"`
	Transaction  []string           `json:"transaction"`   // method, sender, path; null when idle
	CachedUpdate *struct{}          `json:"cached-update"` // always null without a daemon
	UpdateDriver map[string]string  `json:"update-driver"`
}

// DeploymentStatus describes one deployment. The names of the JSON keys are
// read by other programs (Cockpit, Zincati, Ansible): they are an interface.
type DeploymentStatus struct {
	ID        string `json:"id"` // OSNAME-CHECKSUM.SERIAL
	OSName    string `json:"osname"`
	Checksum  string `json:"checksum"`
	Serial    int    `json:"serial"`
	Booted    bool   `json:"booted"`
	Staged    bool   `json:"staged"`
	Pinned    bool   `json:"pinned"`
	Unlocked  string `json:"unlocked"`
	Version   string `json:"version,omitempty"`
	Timestamp uint64 `json:"timestamp"` // seconds since the epoch

	Origin       string   `json:"origin,omitempty"`
	CustomOrigin []string `json:"custom-origin,omitempty"` // url, description
	GPGEnabled   bool     `json:"gpg-enabled"`
	EndOfLife    string   `json:"endoflife,omitempty"`

	BaseChecksum      string         `json:"base-checksum,omitempty"`
	BaseVersion       string         `json:"base-version,omitempty"`
	BaseTimestamp     uint64         `json:"base-timestamp,omitempty"`
	BaseCommitMeta    map[string]any `json:"base-commit-meta"`
	LayeredCommitMeta map[string]any `json:"layered-commit-meta,omitempty"`

	RequestedPackages               []string            `json:"requested-packages"`
	RequestedLocalPackages          []string            `json:"requested-local-packages"`
	RequestedLocalFileOverrides     []string            `json:"requested-local-fileoverride-packages"`
	RequestedBaseRemovals           []string            `json:"requested-base-removals"`
	RequestedBaseLocalReplacements  []string            `json:"requested-base-local-replacements"`
	RequestedBaseRemoteReplacements map[string][]string `json:"requested-base-remote-replacements"`
	RequestedModules                []string            `json:"requested-modules"`
	RequestedModulesEnabled         []string            `json:"requested-modules-enabled"`

	Packages                []string       `json:"packages"`
	Modules                 []string       `json:"modules"`
	BaseRemovals            []any          `json:"base-removals"`
	BaseLocalReplacements   []any          `json:"base-local-replacements"`
	BaseRemoteReplacements  map[string]any `json:"base-remote-replacements"`
	RegenerateInitramfs     bool           `json:"regenerate-initramfs"`
	InitramfsArgs           []string       `json:"initramfs-args"`
	InitramfsEtc            []string       `json:"initramfs-etc"`
	removedNEVRAs, replaced []string
}
