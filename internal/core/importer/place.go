package importer

import (
	"path"
	"slices"
	"strings"

	"rpmostree/internal/core/tmpfiles"
	"rpmostree/rpm"
)

// A Place says what becomes of a package's path in an image.
type Place struct {
	// Path is where it goes, relative to the root of the tree; "" if the tree
	// does not carry it.
	Path string
	// Lines are made at boot in its place, or in addition.
	Lines []tmpfiles.Line
}

// An UnsupportedPathError tells that a package ships a path that an image
// cannot carry.
type UnsupportedPathError struct{ Path string }

func (e *UnsupportedPathError) Error() string {
	return "Unsupported path; see https://github.com/coreos/rpm-ostree/issues/233: " + e.Path
}

// usrMerged are the top-level directories that are links into /usr.
var usrMerged = [...]string{"/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"}

// UsrMerge returns p with the top-level compatibility links resolved.
func UsrMerge(p string) string {
	for _, d := range usrMerged {
		if p == d || strings.HasPrefix(p, d+"/") {
			return "/usr" + p
		}
	}
	return p
}

// moved are subtrees of /var that an image carries under another name.
var moved = [...]struct {
	from, to string
	link     bool // whether a tmpfiles.d line makes from a link to the new place
}{
	{"/var/lib/selinux/targeted", "/usr/etc/selinux/targeted", false},
	{"/var/lib/alternatives", "/usr/lib/alternatives", true},
	{"/var/lib/vagrant", "/usr/lib/vagrant", true},
}

// PlaceOf returns the place of a file of the package pkg. The rules are
// rpm-ostree's: /etc is kept below /usr/etc, what was /boot below
// /usr/lib/ostree-boot, /opt below /usr/lib/opt, and /var and /run as
// tmpfiles.d lines. f.Path must be absolute and clean.
func PlaceOf(pkg string, f *rpm.File) (Place, error) {
	p := UsrMerge(f.Path)
	if f.IsSymlink() && slices.Contains(usrMerged[:], f.Path) {
		return Place{}, nil // the link into /usr itself: every image has it
	}
	for _, m := range moved {
		if rest, ok := below(p, m.from); ok {
			place := Place{Path: strings.TrimPrefix(m.to+rest, "/")}
			if m.link && rest == "" {
				target := strings.Repeat("../", strings.Count(m.from, "/")-1) + strings.TrimPrefix(m.to, "/")
				place.Lines = []tmpfiles.Line{{Type: 'L', Path: m.from, Target: target}}
			}
			return place, nil
		}
	}
	switch {
	case tmpfiles.Covers(p):
		return volatile(p, f), nil
	case p == "/usr" || strings.HasPrefix(p, "/usr/"):
		return Place{Path: p[1:]}, nil
	}
	if rest, ok := below(p, "/etc"); ok {
		return Place{Path: "usr/etc" + rest}, nil
	}
	if rest, ok := below(p, "/boot"); ok {
		return Place{Path: "usr/lib/ostree-boot" + rest}, nil
	}
	if rest, ok := below(p, "/opt"); ok {
		place := Place{Path: "usr/lib/opt" + rest}
		if strings.Count(rest, "/") == 1 {
			place.Lines = []tmpfiles.Line{{Type: 'L', Path: "/opt" + rest, Target: "../../usr/lib/opt" + rest}}
		}
		return place, nil
	}
	if p == "/" || pkg == "filesystem" || pkg == "rootfiles" {
		return Place{}, nil
	}
	return Place{}, &UnsupportedPathError{f.Path}
}

// volatile returns the place of a path below /var or /run: directories and
// links become lines, other files are dropped.
func volatile(p string, f *rpm.File) Place {
	p = tmpfiles.Canonical(p)
	if tmpfiles.Skipped(p) {
		return Place{}
	}
	switch {
	case f.IsDir():
		return Place{Lines: []tmpfiles.Line{{Type: 'd', Path: p, Mode: f.Mode & 0o7777, User: f.User, Group: f.Group}}}
	case f.IsSymlink():
		return Place{Lines: []tmpfiles.Line{{Type: 'L', Path: p, Target: f.LinkTo}}}
	}
	return Place{}
}

// below returns what p has behind dir, "" for dir itself.
func below(p, dir string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(p, dir)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// TmpfilesPath is where the lines of a package are kept in its tree; assembly
// gathers them in one file for the whole tree.
func TmpfilesPath(pkg string) string {
	return path.Join("usr/lib/rpm-ostree/tmpfiles.d", pkg+".conf")
}
