package rpmostree

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rpmostree/internal/query"
)

// formatTag finds tags, "%{NAME}" or "%WIDTH{NAME}", and the two sequences that dnf knows. A negative width
// fills up at the right.
var formatTag = regexp.MustCompile(`%(-?[0-9]{1,4})?\{([^}]*)\}|\\[nt]`)

// formatValues are what tags mean; besides these there are the kinds of dependencies.
func formatValues() map[string]func(p query.Package) string {
	return map[string]func(p query.Package) string{
		"name":        func(p query.Package) string { return p.Name },
		"epoch":       func(p query.Package) string { return strconv.FormatUint(uint64(p.Epoch), 10) },
		"version":     func(p query.Package) string { return p.Version },
		"release":     func(p query.Package) string { return p.Release },
		"arch":        func(p query.Package) string { return p.Arch },
		"evr":         func(p query.Package) string { return p.EVR },
		"full_nevra":  fullNEVRA,
		"nevra":       func(p query.Package) string { return p.NEVRA },
		"repoid":      func(p query.Package) string { return p.Repo },
		"reponame":    func(p query.Package) string { return p.Repo },
		"summary":     func(p query.Package) string { return p.Summary },
		"description": func(p query.Package) string { return p.Description },
		"url":         func(p query.Package) string { return p.URL },
		"license":     func(p query.Package) string { return p.License },
		"sourcerpm":   func(p query.Package) string { return p.SourceRPM },
		"size":        func(p query.Package) string { return strconv.FormatUint(p.Size, 10) },
	}
}

// fullNEVRA names a package with its epoch, even if that is 0.
func fullNEVRA(p query.Package) string {
	return fmt.Sprintf("%s-%d:%s-%s.%s", p.Name, p.Epoch, p.Version, p.Release, p.Arch)
}

// formatTags returns the names of all tags, sorted.
func formatTags() []string {
	tags := slices.Collect(maps.Keys(formatValues()))
	for _, k := range depKinds {
		tags = append(tags, k.name)
	}
	slices.Sort(tags)
	return tags
}

// checkFormat verifies that all tags are known.
func checkFormat(format string) error {
	for _, m := range formatTag.FindAllStringSubmatch(format, -1) {
		if tag := strings.ToLower(m[2]); m[0][0] == '%' && !slices.Contains(formatTags(), tag) {
			return fmt.Errorf("--queryformat: unknown tag %q", m[2])
		}
	}
	return nil
}

// expandFormat puts what a package is in place of the tags of a format that was checked.
func expandFormat(format string, x query.Index, p query.Package) string {
	values := formatValues()
	return formatTag.ReplaceAllStringFunc(format, func(tag string) string {
		switch tag {
		case `\n`:
			return "\n"
		case `\t`:
			return "\t"
		}
		m := formatTag.FindStringSubmatch(tag)
		width, _ := strconv.Atoi(m[1])
		name := strings.ToLower(m[2])
		if value := values[name]; value != nil {
			return fmt.Sprintf("%*s", width, value(p))
		}
		i := slices.IndexFunc(depKinds, func(k depKind) bool { return k.name == name })
		return strings.Join(x.Deps([]query.Package{p}, depKinds[i].kind), "\n")
	})
}
