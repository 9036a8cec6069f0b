package world

import (
	"archive/tar"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"rpmostree/rpm"
	"rpmostree/test/distro/deb"
)

// Patterns of names that get special treatment.
var (
	kernelFile = regexp.MustCompile(`^/boot/(vmlinuz|config|System\.map)-(.+)$`)
	kernelName = regexp.MustCompile(`^linux-image-([0-9].*-cloud-amd64)$`)
	langPath   = regexp.MustCompile(`^/usr/share/(?:locale|man)/([a-z]{2,3}(?:[_@][^/]+)?)/`)
)

// converter turns Debian packages into RPM packages.
type converter struct {
	lists *lists
	base  map[string]uint32 // directories that the filesystem package owns
}

// convert maps a Debian package. Maintainer scripts are dropped: what they did that
// matters is in the overrides and the overlay, or follows from the files.
func (c *converter) convert(p *deb.Package) (*rpm.Builder, error) {
	name := p.Control["Package"]
	b := &rpm.Builder{
		Name: name, Arch: "x86_64", URL: p.Control["Homepage"], Vendor: "Lab Linux (from Debian)",
		License: "see /usr/share/doc/" + name + "/copyright", Packager: p.Control["Maintainer"],
		Group: p.Control["Section"],
	}
	if p.Control["Architecture"] == "all" {
		b.Arch = "noarch"
	}
	var err error
	if b.Epoch, b.Version, b.Release, err = splitVersion(p.Control["Version"]); err != nil {
		return nil, err
	}
	b.Summary, b.Description, _ = strings.Cut(p.Control["Description"], "\n")
	source := strings.Fields(p.Control["Source"] + " " + name)[0]
	b.SourceRPM = fmt.Sprintf("%s-%s-%s.src.rpm", source, b.Version, b.Release)
	if m := kernelName.FindStringSubmatch(name); m != nil {
		b.Name = "kernel"
		b.Provides = append(b.Provides, rpm.Dep{Name: name, EVR: builderEVR(b), Flags: rpm.DepEqual},
			rpm.Dep{Name: "kernel-uname-r", EVR: m[1], Flags: rpm.DepEqual})
	}
	if b.Arch == "x86_64" {
		b.Provides = append(b.Provides, rpm.Dep{Name: b.Name + "(x86-64)", EVR: builderEVR(b), Flags: rpm.DepEqual})
	}
	if err := c.relations(b, p.Control); err != nil {
		return nil, err
	}
	if err := c.files(b, p, name); err != nil {
		return nil, err
	}
	for _, f := range b.Files {
		b.BuildTime = max(b.BuildTime, f.Mtime)
	}
	return b, c.finish(b, name)
}

// finish applies the overlay and the overrides, then adds what follows from the files.
// Name is the package's in Debian.
func (c *converter) finish(b *rpm.Builder, name string) error {
	if err := c.overlay(b, name); err != nil {
		return err
	}
	if err := c.override(b, name); err != nil {
		return err
	}
	addScriptlets(b)
	addScriptRequires(b)
	return nil
}

// files maps the data archive.
func (c *converter) files(b *rpm.Builder, p *deb.Package, name string) error {
	at := map[string]int{} // path -> index in b.Files
	for _, from := range p.Files {
		f := rpm.BuildFile{File: rpm.File{
			Path: usrMove(from.Path), User: from.Header.Uname, Group: from.Header.Gname,
			Mode: uint32(from.Header.Mode & 0o7777), Mtime: uint32(from.Header.ModTime.Unix()),
		}}
		if c.dropped(name, f.Path) || from.Header.Typeflag == tar.TypeDir && c.baseDir(from.Path) {
			continue
		}
		switch from.Header.Typeflag {
		case tar.TypeDir:
			f.Mode |= rpm.ModeDir
		case tar.TypeSymlink:
			f.Mode |= rpm.ModeSymlink
			f.LinkTo = moveLink(from.Path, f.Path, from.Header.Linkname)
			if path.Join(path.Dir(f.Path), f.LinkTo) == f.Path {
				continue // a compatibility link of the merged /usr onto itself
			}
		case tar.TypeLink:
			first := usrMove(path.Clean("/" + from.Header.Linkname))
			i, ok := at[first]
			if !ok {
				return fmt.Errorf("%s: hard link to unknown %s", from.Path, first)
			}
			b.Files[i].LinkGroup = first
			target := f.Path
			f = b.Files[i]
			f.Path = target
		case tar.TypeReg:
			f.Mode |= rpm.ModeRegular
			f.Data = from.Data
		default:
			return fmt.Errorf("%s: unsupported tar type %q", from.Path, from.Header.Typeflag)
		}
		classify(&f, p.Conffiles[from.Path])
		if i, twice := at[f.Path]; twice { // /bin/x and /usr/bin/x in one package: keep the real file
			if b.Files[i].IsSymlink() {
				b.Files[i] = f
			}
			continue
		}
		at[f.Path] = len(b.Files)
		b.Files = append(b.Files, f)
	}
	return nil
}

// classify sets the flags that rpmbuild's %config, %doc, %license and %lang give.
func classify(f *rpm.BuildFile, conffile bool) {
	doc := strings.HasPrefix(f.Path, "/usr/share/doc/")
	switch {
	case f.IsDir():
		return
	case conffile:
		f.Flags |= rpm.FileConfig | rpm.FileNoReplace
	case doc && path.Base(f.Path) == "copyright":
		f.Flags |= rpm.FileLicense
	case doc, strings.HasPrefix(f.Path, "/usr/share/man/"), strings.HasPrefix(f.Path, "/usr/share/info/"):
		f.Flags |= rpm.FileDoc
	}
	if m := langPath.FindStringSubmatch(f.Path); m != nil {
		f.Lang = m[1]
	}
}

// dropped says whether a path is documentation or a translation that makes the
// distribution larger and proves nothing. A few packages keep theirs.
func (c *converter) dropped(name, p string) bool {
	for _, d := range []string{"lintian", "bug", "doc-base", "gitweb", "reportbug"} {
		if within(p, "/usr/share/"+d) {
			return true
		}
	}
	if c.lists.keep[name] {
		return false
	}
	for _, d := range []string{"man", "info", "locale"} {
		if within(p, "/usr/share/"+d) && p != "/usr/share/"+d {
			return true
		}
	}
	inDoc := within(p, "/usr/share/doc") && strings.Count(p, "/") > 4
	return inDoc && path.Base(p) != "copyright"
}

// baseDir says whether a directory is not a package's own.
func (c *converter) baseDir(debianPath string) bool {
	p := usrMove(debianPath)
	_, base := c.base[p]
	return base || debianPath == "/boot" || within(p, "/run")
}

// within says whether p is dir or lies below it.
func within(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// usrMove gives the place of an absolute path with /usr merged, and moves the kernel's
// files in /boot beside its modules.
func usrMove(p string) string {
	for _, d := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"} {
		if within(p, d) {
			return "/usr" + p
		}
	}
	if m := kernelFile.FindStringSubmatch(p); m != nil {
		return "/usr/lib/modules/" + m[2] + "/" + m[1]
	}
	return p
}

// moveLink rewrites the target of a symbolic link so that it still means the same.
func moveLink(oldPath, newPath, target string) string {
	if path.IsAbs(target) {
		return usrMove(target)
	}
	before := path.Join(path.Dir(oldPath), target)
	after := usrMove(before)
	if path.Dir(oldPath) == path.Dir(newPath) && before == after {
		return target
	}
	rel, err := filepath.Rel(path.Dir(newPath), after)
	if err != nil { // one of the two is not absolute, which cannot be
		return target
	}
	return rel
}
