package world

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"rpmostree/rpm"
)

// overlay adds the files below lists/overlay/NAME to a package.
func (c *converter) overlay(b *rpm.Builder, name string) error {
	root := "lists/overlay/" + name
	err := fs.WalkDir(listFiles, root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := listFiles.ReadFile(p)
		if err != nil {
			return err
		}
		addFile(b, regular(strings.TrimPrefix(p, root), 0o644, string(text)))
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// override applies the lines of overrides.txt that are for a package.
func (c *converter) override(b *rpm.Builder, name string) error {
	for _, words := range c.lists.overrides[name] {
		verb, args := words[0], words[2:]
		apply, ok := verbs[verb]
		if !ok || len(args) < apply.args {
			return fmt.Errorf("override %q: bad verb or too few arguments", words)
		}
		if apply.f == nil {
			continue // read by someone else
		}
		if err := apply.f(b, args); err != nil {
			return fmt.Errorf("override %q: %w", words, err)
		}
	}
	return nil
}

// verb is one kind of change to a package, with the least number of its arguments.
type verb struct {
	args int
	f    func(b *rpm.Builder, args []string) error
}

// verbs are the words that may begin a line of overrides.txt, with their arguments
// after the package's name.
var verbs = map[string]verb{
	"attr":     {4, overrideAttr},     // PATH MODE USER GROUP
	"caps":     {2, overrideCaps},     // PATH CAPABILITIES
	"link":     {2, overrideLink},     // PATH TARGET
	"copy":     {2, overrideCopy},     // FROM TO
	"drop":     {1, overrideDrop},     // PATH, with all below it
	"user":     {2, overrideUser},     // NAME COMMENT...: a system user that owns files
	"post":     {1, overridePost},     // COMMAND...: one more line of %post
	"trigger":  {2, overrideTrigger},  // PREFIX,... COMMAND...: a %transfiletriggerin
	"compress": {1, overrideCompress}, // FORMAT
	"provide": {1, func(b *rpm.Builder, a []string) error {
		b.Provides = append(b.Provides, rpm.Dep{Name: a[0]})
		return nil
	}},
	"need": {1, func(b *rpm.Builder, a []string) error {
		b.Requires = append(b.Requires, rpm.Dep{Name: a[0]})
		return nil
	}},
	"pre":    {1, func(b *rpm.Builder, a []string) error { requirePre(b, a[0]); return nil }},
	"keep":   {0, nil}, // documentation is kept
	"update": {2, nil}, // CHANGED REMOVED: see synthesize
}

func findFile(b *rpm.Builder, path string) (*rpm.BuildFile, error) {
	for i := range b.Files {
		if b.Files[i].Path == path {
			return &b.Files[i], nil
		}
	}
	return nil, fmt.Errorf("no file %s", path)
}

// addFile adds a file with the package's own time, or replaces the one of its path. A
// regular file in /etc is configuration.
func addFile(b *rpm.Builder, f rpm.BuildFile) {
	f.Mtime = b.BuildTime
	if strings.HasPrefix(f.Path, "/etc/") && f.IsRegular() {
		f.Flags |= rpm.FileConfig | rpm.FileNoReplace
	}
	if old, err := findFile(b, f.Path); err == nil {
		*old = f
		return
	}
	b.Files = append(b.Files, f)
}

func regular(path string, mode uint32, text string) rpm.BuildFile {
	return rpm.BuildFile{File: rpm.File{Path: path, Mode: rpm.ModeRegular | mode}, Data: []byte(text)}
}

func symlink(path, target string) rpm.BuildFile {
	return rpm.BuildFile{File: rpm.File{Path: path, Mode: rpm.ModeSymlink | 0o777, LinkTo: target}}
}

func directory(path string, mode uint32) rpm.BuildFile {
	return rpm.BuildFile{File: rpm.File{Path: path, Mode: rpm.ModeDir | mode}}
}

func overrideAttr(b *rpm.Builder, args []string) error {
	f, err := findFile(b, args[0])
	if err != nil {
		return err
	}
	mode, err := strconv.ParseUint(args[1], 8, 12)
	if err != nil {
		return err
	}
	f.Mode, f.User, f.Group = f.Mode&rpm.ModeType|uint32(mode), args[2], args[3]
	return nil
}

func overrideCaps(b *rpm.Builder, args []string) error {
	f, err := findFile(b, args[0])
	if err != nil {
		return err
	}
	f.Caps = args[1]
	return nil
}

func overrideLink(b *rpm.Builder, args []string) error {
	addFile(b, symlink(args[0], args[1]))
	return nil
}

func overrideCopy(b *rpm.Builder, args []string) error {
	f, err := findFile(b, args[0])
	if err != nil {
		return err
	}
	addFile(b, regular(args[1], f.Mode&0o7777, string(f.Data)))
	return nil
}

func overrideDrop(b *rpm.Builder, args []string) error {
	before := len(b.Files)
	b.Files = slices.DeleteFunc(b.Files, func(f rpm.BuildFile) bool { return within(f.Path, args[0]) })
	if len(b.Files) == before {
		return fmt.Errorf("no file %s", args[0])
	}
	return nil
}

// overrideUser makes the user before the files come, as Fedora's packages do, and says so
// to systemd-sysusers as well, for a system whose /etc/passwd did not see the first.
func overrideUser(b *rpm.Builder, args []string) error {
	name, comment := args[0], strings.Join(args[1:], " ")
	script(b, rpm.PreIn).Body += fmt.Sprintf("getent group %[1]s >/dev/null || groupadd -r %[1]s\n"+
		"getent passwd %[1]s >/dev/null || useradd -r -g %[1]s -d / -s /usr/sbin/nologin -c '%[2]s' %[1]s\n", name, comment)
	requirePre(b, "passwd")
	requirePre(b, "login") // has nologin
	if slices.ContainsFunc(b.Files, func(f rpm.BuildFile) bool { return within(f.Path, "/usr/lib/sysusers.d") && !f.IsDir() }) {
		return nil
	}
	addFile(b, regular("/usr/lib/sysusers.d/"+b.Name+"-lab.conf", 0o644, fmt.Sprintf("u %s - %q / /usr/sbin/nologin\n", name, comment)))
	return nil
}

func overridePost(b *rpm.Builder, args []string) error {
	script(b, rpm.PostIn).Body += strings.Join(args, " ") + "\n"
	return nil
}

func overrideTrigger(b *rpm.Builder, args []string) error {
	t := rpm.Trigger{Interp: []string{rpm.Shell}, Body: strings.Join(args[1:], " ") + "\n", Priority: rpm.DefaultPriority}
	for prefix := range strings.SplitSeq(args[0], ",") {
		t.Conditions = append(t.Conditions, rpm.Dep{Name: prefix, Flags: rpm.DepTriggerIn})
	}
	b.TransFileTriggers = append(b.TransFileTriggers, t)
	return nil
}

func overrideCompress(b *rpm.Builder, args []string) error {
	b.Compressor = args[0]
	return nil
}

func requirePre(b *rpm.Builder, name string) {
	b.Requires = append(b.Requires, rpm.Dep{Name: name, Flags: rpm.DepPre})
}
