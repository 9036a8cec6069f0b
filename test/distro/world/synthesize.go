package world

import (
	"fmt"
	"slices"

	"rpmostree/rpm"
)

// update returns the two paths of a package's "update" line.
func (l *lists) update(name string) (changed, removed string, ok bool) {
	for _, words := range l.overrides[name] {
		if words[0] == "update" && len(words) == 4 {
			return words[2], words[3], true
		}
	}
	return "", "", false
}

// synthesize turns a package that has an "update" line into a newer build of the same
// content: one file changed, one added, one removed, a new configuration file and a new
// requirement.
//
// Real updates depend on the day; these make that an upgrade always has something to do.
func (c *converter) synthesize(b *rpm.Builder, name string) error {
	changed, removed, _ := c.lists.update(name)
	before := builderEVR(b)
	b.Release += "+lab1" // newer than the release without it, older than the next
	for _, deps := range [][]rpm.Dep{b.Provides, b.Requires} {
		for i, d := range deps {
			own := d.Name == b.Name+"(x86-64)" || d.Name == "config("+b.Name+")"
			if own && d.EVR == before {
				deps[i].EVR = builderEVR(b)
			}
		}
	}
	b.BuildTime += 3600
	f, err := findFile(b, changed)
	if err != nil || !f.IsRegular() {
		return fmt.Errorf("update %s: %s is no file of it", name, changed)
	}
	f.Data = append(slices.Clone(f.Data), "# changed by the update\n"...)
	f.Mtime = b.BuildTime
	if err := overrideDrop(b, []string{removed}); err != nil {
		return fmt.Errorf("update %s: %w", name, err)
	}
	addFile(b, regular("/usr/share/lab-update/"+name, 0o644, "added by the update\n"))
	addFile(b, regular("/etc/lab-update.d/"+name+".conf", 0o644, "# a new default of "+name+"\n"))
	b.Requires = append(b.Requires, rpm.Dep{Name: "lab-update-dep", Flags: rpm.DepGreater | rpm.DepEqual, EVR: "1.0"})
	return nil
}
