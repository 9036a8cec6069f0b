package sysroot

import (
	"errors"
	"io"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
)

// maxOSRelease bounds the size of os-release that is read.
const maxOSRelease = 1 << 20

// readOSName returns the name for boot menus: PRETTY_NAME, else ID, of the
// deployment's os-release(5).
func readOSName(root *dirfd.Dir) (string, error) {
	f, err := root.OpenBeneath("usr/lib/os-release", unix.O_RDONLY, 0, dirfd.InRoot)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = root.OpenBeneath("etc/os-release", unix.O_RDONLY, 0, dirfd.InRoot)
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxOSRelease))
	if err != nil {
		return "", err
	}
	values := parseOSRelease(string(b))
	for _, key := range []string{"PRETTY_NAME", "ID"} {
		if v, ok := values[key]; ok {
			return v, nil
		}
	}
	return "", errors.New("No PRETTY_NAME or ID in /etc/os-release")
}

// parseOSRelease reads assignments; those that a shell could not read are left
// out.
func parseOSRelease(text string) map[string]string {
	values := make(map[string]string)
	for line := range strings.SplitSeq(text, "\n") {
		key, quoted, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if v, ok := unquote(quoted); ok {
			values[key] = v
		}
	}
	return values
}

// unquote removes shell quotes as g_shell_unquote does. It fails for quotes
// that do not end.
func unquote(s string) (string, bool) {
	var b strings.Builder
	for s != "" {
		c := s[0]
		s = s[1:]
		switch c {
		case '\'':
			part, rest, ok := strings.Cut(s, "'")
			if !ok {
				return "", false
			}
			b.WriteString(part)
			s = rest
		case '"':
			rest, ok := unquoteDouble(&b, s)
			if !ok {
				return "", false
			}
			s = rest
		case '\\':
			if s == "" {
				return "", false
			}
			if s[0] != '\n' {
				b.WriteByte(s[0])
			}
			s = s[1:]
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

// unquoteDouble reads up to the closing quote and returns what follows it.
func unquoteDouble(b *strings.Builder, s string) (rest string, ok bool) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[i+1:], true
		case c == '\\' && i+1 < len(s) && strings.IndexByte("\"\\`$\n", s[i+1]) >= 0:
			i++
			if s[i] != '\n' {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}
