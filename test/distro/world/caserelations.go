package world

import "rpmostree/rpm"

// clashes returns packages that own the same path: lab-clash-a and lab-clash-b with
// different content, lab-same-a and lab-same-b with equal content, which is allowed,
// and lab-clash-dir with a directory in the place of a file.
func clashes() []*rpm.Builder {
	var all []*rpm.Builder
	for _, p := range []struct{ name, path, text string }{
		{"lab-clash-a", "/usr/share/lab-clash/file", "of a\n"},
		{"lab-clash-b", "/usr/share/lab-clash/file", "of b\n"},
		{"lab-same-a", "/usr/share/lab-same/file", "of both\n"},
		{"lab-same-b", "/usr/share/lab-same/file", "of both\n"},
	} {
		b := made(p.name, "1.0", "1", "A path that another package has too")
		addFile(b, regular(p.path, 0o644, p.text))
		all = append(all, b)
	}
	dir := made("lab-clash-dir", "1.0", "1", "A directory where another package has a file")
	addFile(dir, directory("/usr/share/lab-clash/file", 0o755))
	return append(all, dir)
}

// dependencyCases returns packages that are there for their dependencies.
func dependencyCases() []*rpm.Builder {
	dep := func(name string, flags rpm.DepFlags, evr string) []rpm.Dep {
		return []rpm.Dep{{Name: name, Flags: flags, EVR: evr}}
	}
	unsatisfiable := made("lab-unsatisfiable", "1.0", "1", "Needs what nobody has")
	unsatisfiable.Requires = dep("lab-no-such-package", rpm.DepGreater|rpm.DepEqual, "1")

	enemy := made("lab-enemy", "1.0", "1", "Cannot be with lab-plain")
	enemy.Conflicts = dep("lab-plain", 0, "")

	weak := made("lab-weak", "1.0", "1", "Likes others")
	weak.Recommends = dep("lab-plain", 0, "")
	weak.Suggests = dep("lab-fifty", 0, "")
	supplement := made("lab-supplement", "1.0", "1", "Comes with lab-weak")
	supplement.Supplements = dep("lab-weak", 0, "")

	rich := made("lab-rich", "1.0", "1", "Rich dependencies")
	rich.Requires = append(dep("(lab-no-such-package or lab-plain >= 1.0)", 0, ""), rpm.Dep{Name: "(lab-fifty if bash)"})

	byFile := made("lab-byfile", "1.0", "1", "Needs a file, not a package")
	byFile.Requires = dep("/usr/share/lab-plain/data", 0, "")

	chain := made("lab-chain", "1.0", "1", "Needs a virtual package")
	chain.Requires = dep("lab-virtual", rpm.DepEqual, "3")
	virtual := made("lab-provider", "1.0", "1", "Provides a virtual package")
	virtual.Provides = append(dep("lab-virtual", rpm.DepEqual, "3"), rpm.Dep{Name: "lab-hyphens", Flags: rpm.DepEqual, EVR: "1-2-3"})

	oldName := made("lab-old-name", "1.0", "1", "Becomes lab-new-name")
	addFile(oldName, program("lab-name", "echo old name"))

	older := made("lab-versions", "1.0", "1", "Several versions in one repository")
	newer := made("lab-versions", "1.0", "2", "Several versions in one repository")
	tilde := made("lab-versions", "1.1~rc1", "1", "Several versions in one repository")
	for _, b := range []*rpm.Builder{older, newer, tilde} {
		addFile(b, regular("/usr/share/lab-versions/version", 0o644, b.Version+"-"+b.Release+"\n"))
	}
	return []*rpm.Builder{unsatisfiable, enemy, weak, supplement, rich, byFile, chain, virtual, oldName, older, newer, tilde}
}
