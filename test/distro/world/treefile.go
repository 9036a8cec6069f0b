package world

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Ref is the branch that the treefiles compose.
const Ref = "lab/x86_64/host"

// writeTreefiles writes the .repo file and the treefiles beside the repositories.
func (w *World) writeTreefiles(l *lists) error {
	repo := ""
	for _, r := range []struct {
		id, name, dir string
		enabled       int
	}{
		{"lab", "Lab Linux " + version, w.Base, 1},
		// a host that wants updates enables them; the treefiles name what they use
		{"lab-updates", "Lab Linux " + version + " - Updates", w.Updates, 0},
	} {
		repo += fmt.Sprintf("[%s]\nname=%s\nbaseurl=file://%s\nenabled=%d\ngpgcheck=0\nmetadata_expire=0\n\n", r.id, r.name, r.dir, r.enabled)
	}
	if err := os.WriteFile(w.RepoFile, []byte(repo), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(w.Treefile, []byte(manifest(l, "lab")), 0o644); err != nil {
		return err
	}
	return os.WriteFile(w.UpdateTreefile, []byte(manifest(l, "lab", "lab-updates")), 0o644)
}

// systemPackages returns the packages that the composed system is asked to have.
func systemPackages(l *lists) []string {
	packages := []string{"setup", "filesystem", "lab-release", "lab-dracut-config"}
	for _, s := range l.seeds {
		if s == "linux-image-cloud-amd64" {
			s = "kernel"
		}
		packages = append(packages, s)
	}
	return packages
}

func manifest(l *lists, repos ...string) string {
	return `# Lab Linux: a small system that boots, composed from the packages beside this file.
ref: ` + Ref + `
repos: [` + strings.Join(repos, ", ") + `]
releasever: "` + version + `"
automatic-version-prefix: "` + version + `"
selinux: false
documentation: false
recommends: false
boot-location: modules
rpmdb: sqlite
tmp-is-dir: true
default-target: multi-user.target
units: [ssh.service, systemd-networkd.service]
add-files:
  - ["lab.repo", "/etc/yum.repos.d/lab.repo"]
packages:
  - ` + strings.Join(systemPackages(l), "\n  - ") + "\n"
}

func newWorld(dir string, l *lists) *World {
	return &World{
		Dir: dir, Base: filepath.Join(dir, "base"), Updates: filepath.Join(dir, "updates"),
		Treefile: filepath.Join(dir, "host.yaml"), UpdateTreefile: filepath.Join(dir, "host-updates.yaml"),
		RepoFile: filepath.Join(dir, "lab.repo"), Ref: Ref, Packages: systemPackages(l),
	}
}
