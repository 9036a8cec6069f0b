package rpmmd

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Limits of variables.
const (
	// MaxVarDepth is how deep ${a:-${b:-...}} may be nested.
	MaxVarDepth = 32
	// MaxVarLength is the size of a value and of the result of Expand, in bytes.
	MaxVarLength = 64 << 10
)

// Vars are the variables of .repo files: "releasever", "basearch", "arch" and
// those that a system defines.
type Vars map[string]string

// NewVars returns the variables that follow from a release and an architecture
// as the kernel names it, such as "x86_64". An empty one defines nothing.
func NewVars(releasever, arch string) Vars {
	v := Vars{}
	if arch != "" {
		v["arch"] = arch
		v["basearch"] = BaseArch(arch)
	}
	if releasever != "" {
		v.SetReleasever(releasever)
	}
	return v
}

// SetReleasever sets releasever and its parts, releasever_major and
// releasever_minor.
func (v Vars) SetReleasever(s string) {
	v["releasever"] = s
	v["releasever_major"], v["releasever_minor"], _ = strings.Cut(s, ".")
}

// Load adds the variables of directories such as etc/dnf/vars: a file defines the
// variable of its name by its first line. Directories that are not there are
// skipped; later ones win.
func (v Vars) Load(fsys fs.FS, dirs ...string) error {
	for _, dir := range dirs {
		entries, err := fs.ReadDir(fsys, dir)
		if err != nil && !isNotExist(err) {
			return fmt.Errorf("reading variables: %w", err)
		}
		for _, e := range entries {
			if e.IsDir() || !isVarName(e.Name()) {
				continue
			}
			b, err := readFile(fsys, path.Join(dir, e.Name()), MaxVarLength)
			if err != nil {
				return fmt.Errorf("reading variables: %w", err)
			}
			line, _, _ := strings.Cut(string(b), "\n")
			v[e.Name()] = strings.TrimRight(line, "\r")
		}
	}
	return nil
}

// Environ adds the variables of an environment (os.Environ): DNF0 to DNF9 by these
// names, DNF_VAR_x as x.
func (v Vars) Environ(env []string) {
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if len(name) == 4 && strings.HasPrefix(name, "DNF") && '0' <= name[3] && name[3] <= '9' {
			v[name] = value
		} else if name, ok := strings.CutPrefix(name, "DNF_VAR_"); ok && isVarName(name) {
			v[name] = value
		}
	}
}

// Expand replaces $name, ${name}, ${name:-word} (word if the variable is unset or
// empty) and ${name:+word} (word if it is neither). Variables that are not
// defined, and what is malformed, stay as they are.
func (v Vars) Expand(s string) string { return v.expand(s, 0) }

func (v Vars) expand(s string, depth int) string {
	if !strings.Contains(s, "$") || depth > MaxVarDepth {
		return s
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 || b.Len() > MaxVarLength {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		value, n := v.reference(s[i:], depth)
		b.WriteString(value)
		s = s[i+n:]
	}
}

// reference expands the variable at the start of s and returns how long its
// reference is.
func (v Vars) reference(s string, depth int) (value string, n int) {
	braces := strings.HasPrefix(s, "${")
	start := 1
	if braces {
		start = 2
	}
	end := start
	for end < len(s) && isVarByte(s[end]) {
		end++
	}
	name := s[start:end]
	value, defined := v[name]
	switch {
	case name == "":
		return "$", 1
	case !braces && defined:
		return value, end
	case !braces:
		return s[:end], end
	case strings.HasPrefix(s[end:], "}"):
		if !defined {
			value = s[:end+1]
		}
		return value, end + 1
	case strings.HasPrefix(s[end:], ":-"), strings.HasPrefix(s[end:], ":+"):
		length := wordLength(s[end+2:])
		if length < 0 {
			return "$", 1
		}
		word := s[end+2 : end+2+length]
		switch alternate := s[end+1] == '+'; {
		case alternate && value == "":
			value = ""
		case alternate || value == "":
			value = v.expand(word, depth+1)
		}
		return value, end + 2 + length + 1
	}
	return "$", 1
}

// wordLength returns the length of s up to the brace that closes it, -1 if there
// is none.
func wordLength(s string) int {
	open := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			open++
		case '}':
			if open == 0 {
				return i
			}
			open--
		}
	}
	return -1
}

func isVarName(s string) bool {
	for i := range len(s) {
		if !isVarByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isVarByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// BaseArch returns the architecture that names repositories for a machine, such
// as "x86_64" for "x86_64_v2" and "i386" for "i686". Unknown ones are their own.
func BaseArch(arch string) string {
	if base, ok := baseArches[arch]; ok {
		return base
	}
	switch {
	case strings.HasPrefix(arch, "x86_64"):
		return "x86_64"
	case strings.HasPrefix(arch, "armv6hl"), strings.HasPrefix(arch, "armv7h"):
		return "armhfp"
	case strings.HasPrefix(arch, "armv"):
		return "arm"
	}
	return arch
}

// baseArches is the table of libdnf (dnf_context and hawkey's arch map).
var baseArches = map[string]string{
	"i386": "i386", "i486": "i386", "i586": "i386", "i686": "i386", "athlon": "i386", "geode": "i386", "pentium3": "i386", "pentium4": "i386",
	"amd64": "x86_64", "ia32e": "x86_64",
	"alphaev4": "alpha", "alphaev45": "alpha", "alphaev5": "alpha", "alphaev56": "alpha", "alphaev6": "alpha", "alphaev67": "alpha", "alphaev68": "alpha", "alphaev7": "alpha", "alphapca56": "alpha",
	"ppc64pseries": "ppc64", "ppc64iseries": "ppc64", "ppc64p7": "ppc64",
	"sparcv8": "sparc", "sparcv9": "sparc", "sparcv9v": "sparc", "sparc64v": "sparc64",
	"sh4a":    "sh4",
	"armv5tl": "arm", "armv5tel": "arm", "armv5tejl": "arm", "armv6l": "arm", "armv7l": "arm", "armv8l": "arm",
}
