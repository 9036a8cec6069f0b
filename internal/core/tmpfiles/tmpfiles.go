// Package tmpfiles turns what packages ship below /var and /run into
// tmpfiles.d(5) lines. An image cannot carry content there: /var belongs to
// the machine, /run to the boot. So their directories and symbolic links are
// made at boot.
package tmpfiles

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Line is one tmpfiles.d entry.
type Line struct {
	Type   byte   // 'd' or 'L'
	Path   string // absolute, cleaned
	Mode   uint32 // permission bits, of a directory
	User   string // of a directory
	Group  string
	Target string // of a link
}

// String returns the line as tmpfiles.d(5) has it, without a newline. The
// columns are those of rpm-ostree.
func (l Line) String() string {
	if l.Type == 'L' {
		return fmt.Sprintf("L %s - - - - %s", escape(l.Path), escapeArgument(l.Target))
	}
	return fmt.Sprintf("d %s %04o %s %s - -", escape(l.Path), l.Mode, l.User, l.Group)
}

// Covers reports whether a file of an image at p (absolute) cannot be carried
// by the image, so that a tmpfiles.d line or nothing has to take its place.
func Covers(p string) bool {
	return under(p, "/var") || under(p, "/run")
}

func under(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, dir+"/")
}

// Skipped reports whether p below /var is dropped without a line: the package
// database and the SELinux store have other homes in an image.
func Skipped(p string) bool {
	p = Canonical(p)
	return strings.HasPrefix(p, "/var/lib/rpm") || under(p, "/var/lib/selinux") ||
		slices.Contains([]string{"/var", "/run", "/run/lock", "/var/lock", "/var/tmp", "/var/lib", "/var/cache", "/var/log"}, p)
}

// Canonical returns p cleaned, with the compatibility link /var/run resolved.
func Canonical(p string) string {
	p = path.Clean("/" + p)
	if under(p, "/var/run") {
		return strings.TrimPrefix(p, "/var")
	}
	return p
}

// Text returns the lines as a file: sorted by path, one line a path.
func Text(lines []Line) []byte {
	lines = slices.Clone(lines)
	slices.SortStableFunc(lines, func(a, b Line) int { return strings.Compare(a.Path, b.Path) })
	lines = slices.CompactFunc(lines, func(a, b Line) bool { return a.Path == b.Path })
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.String())
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

// Paths returns the paths that a tmpfiles.d file names. Lines with specifiers
// in the path are left out, as they say nothing about a fixed path.
func Paths(text []byte) []string {
	var paths []string
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 2 || strings.HasPrefix(f[0], "#") || strings.Contains(f[1], "%") {
			continue
		}
		paths = append(paths, path.Clean(strings.Trim(f[1], `"`)))
	}
	return paths
}

// escape protects white space, quotes, backslashes and specifiers in a path.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '%':
			b.WriteString("%%")
		case c <= ' ' || c == '"' || c == '\'' || c == '\\' || c == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// escapeArgument protects the last column, which runs to the end of the line.
func escapeArgument(s string) string {
	return strings.NewReplacer("%", "%%", "\\", `\\`, "\n", `\n`).Replace(s)
}
