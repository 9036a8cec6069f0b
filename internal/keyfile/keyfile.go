// Package keyfile reads and writes the configuration format of GLib's
// GKeyFile, which OSTree uses for repository configurations, remotes and
// origins. Comments, blank lines and the order of groups and keys survive a
// change.
//
//	# comment
//	[group]
//	key=value
//	list=a;b;
//
// The format is that of the Desktop Entry Specification: values escape \s \n
// \t \r \\ and, in lists, \;.
package keyfile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxBytes bounds the size of a file that Parse accepts.
const MaxBytes = 4 << 20

// ErrNotFound is wrapped by the errors of lookups of absent groups and keys.
var ErrNotFound = errors.New("not found")

// A lookupError has GLib's text and unwraps to ErrNotFound.
type lookupError string

func (e lookupError) Error() string { return string(e) }
func (e lookupError) Unwrap() error { return ErrNotFound }

// A File is a parsed key file. The zero value is an empty one. It must not be
// changed while other goroutines read it.
type File struct {
	groups []*group // groups[0].name is "" for comments before the first group
}

type group struct {
	name  string
	lines []line
}

// A line is a comment or blank line (raw) when key is empty.
type line struct {
	key, value string // the value as in the file, escaped
	raw        string
}

// Parse reads a key file.
func Parse(data []byte) (*File, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("key file is larger than %d bytes", MaxBytes)
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, errors.New("key file contains a NUL byte")
	}
	f := &File{groups: []*group{{}}}
	byName := map[string]*group{"": f.groups[0]}
	cur := f.groups[0]
	text := strings.TrimPrefix(string(data), "\ufeff")
	for raw := range strings.Lines(text) {
		raw = strings.TrimRight(raw, "\r\n")
		trimmed := strings.TrimLeft(raw, " \t\f\v")
		switch {
		case trimmed == "" || trimmed[0] == '#':
			cur.lines = append(cur.lines, line{raw: raw})
		case trimmed[0] == '[':
			name, ok := parseGroup(trimmed)
			if !ok {
				return nil, fmt.Errorf("invalid group name: %s", trimmed)
			}
			if byName[name] == nil {
				byName[name] = &group{name: name}
				f.groups = append(f.groups, byName[name])
			}
			cur = byName[name]
		default:
			if err := cur.parseKey(trimmed); err != nil {
				return nil, err
			}
		}
	}
	return f, nil
}

func parseGroup(s string) (string, bool) {
	s = strings.TrimRight(s, " \t\f\v")
	if !strings.HasSuffix(s, "]") {
		return "", false
	}
	name := s[1 : len(s)-1]
	return name, validGroup(name)
}

func validGroup(name string) bool {
	return name != "" && utf8.ValidString(name) &&
		strings.IndexFunc(name, func(r rune) bool { return r == '[' || r == ']' || r < 0x20 || r == 0x7f }) < 0
}

func (g *group) parseKey(s string) error {
	key, value, ok := strings.Cut(s, "=")
	key = strings.TrimRight(key, " \t\f\v")
	if !ok || key == "" {
		return fmt.Errorf("Key file contains line “%s” which is not a key-value pair, group, or comment", s)
	}
	if g.name == "" {
		return errors.New("Key file does not start with a group")
	}
	if !validKey(key) {
		return fmt.Errorf("Invalid key name: %s", key)
	}
	value = strings.TrimLeft(value, " \t\f\v")
	if i := g.find(key); i >= 0 {
		g.lines[i].value = value
	} else {
		g.lines = append(g.lines, line{key: key, value: value})
	}
	return nil
}

func validKey(key string) bool {
	return key != "" && utf8.ValidString(key) && strings.TrimSpace(key) == key && key[0] != '#' && key[0] != '[' &&
		strings.IndexFunc(key, func(r rune) bool { return r == '=' || r < 0x20 || r == 0x7f }) < 0
}

func (g *group) find(key string) int {
	return slices.IndexFunc(g.lines, func(l line) bool { return l.key == key && key != "" })
}

// set replaces the value of key, or adds it after the other keys.
func (g *group) set(key, value string) {
	if i := g.find(key); i >= 0 {
		g.lines[i].value = value
		return
	}
	// Blank lines and comments that end the group stay at its end: GLib, if asked to keep
	// them, has them before the new key; libostree does not ask, and has none.
	at := len(g.lines)
	for at > 0 && g.lines[at-1].key == "" {
		at--
	}
	if at == 0 {
		at = len(g.lines)
	}
	g.lines = slices.Insert(g.lines, at, line{key: key, value: value})
}

func (f *File) group(name string) *group {
	for _, g := range f.groups {
		if g.name == name && name != "" {
			return g
		}
	}
	return nil
}

// Groups returns the names of the groups in the order of the file.
func (f *File) Groups() []string {
	var names []string
	for _, g := range f.groups {
		if g.name != "" {
			names = append(names, g.name)
		}
	}
	return names
}

// HasGroup tells whether the group exists.
func (f *File) HasGroup(group string) bool { return f.group(group) != nil }

// Keys returns the names of the keys of a group in the order of the file.
func (f *File) Keys(group string) []string {
	g := f.group(group)
	if g == nil {
		return nil
	}
	var keys []string
	for _, l := range g.lines {
		if l.key != "" {
			keys = append(keys, l.key)
		}
	}
	return keys
}

// Has tells whether the key exists in the group.
func (f *File) Has(group, key string) bool {
	_, err := f.Raw(group, key)
	return err == nil
}

// Raw returns the value as it stands in the file, with its escapes. The error
// wraps ErrNotFound.
func (f *File) Raw(group, key string) (string, error) {
	g := f.group(group)
	if g == nil {
		return "", lookupError(fmt.Sprintf("Key file does not have group “%s”", group))
	}
	i := g.find(key)
	if i < 0 {
		return "", lookupError(fmt.Sprintf("Key file does not have key “%s” in group “%s”", key, group))
	}
	return g.lines[i].value, nil
}

// String returns the unescaped value. The error wraps ErrNotFound when there is
// none.
func (f *File) String(group, key string) (string, error) {
	raw, err := f.Raw(group, key)
	if err != nil {
		return "", err
	}
	s, err := unescape(raw)
	if err != nil {
		return "", fmt.Errorf("Key file contains key “%s” in group “%s” which has a value that cannot be interpreted: %w", key, group, err)
	}
	return s, nil
}

// Get returns the unescaped value, or "" when there is none.
func (f *File) Get(group, key string) string {
	s, _ := f.String(group, key)
	return s
}

// Bool returns a boolean value: "true", "1", "false" or "0", or def when there
// is none.
func (f *File) Bool(group, key string, def bool) (bool, error) {
	raw, err := f.Raw(group, key)
	if err != nil {
		return def, nil
	}
	switch strings.TrimRight(raw, " \t\f\v") {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return def, fmt.Errorf("Key file contains key “%s” which has a value that cannot be interpreted.", key)
}

// Int returns a decimal value, or def when there is none.
func (f *File) Int(group, key string, def int64) (int64, error) {
	raw, err := f.Raw(group, key)
	if err != nil {
		return def, nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(raw), 10, 64)
	if err != nil {
		return def, fmt.Errorf("Key file contains key “%s” in group “%s” which has a value that cannot be interpreted.", key, group)
	}
	return n, nil
}

// List returns the elements of a list whose separator is ";", unescaped. A
// missing key is an empty list.
func (f *File) List(group, key string) []string { return f.ListSep(group, key, ';') }

// ListSep is List with another separator.
func (f *File) ListSep(group, key string, sep byte) []string {
	raw, err := f.Raw(group, key)
	if err != nil {
		return nil
	}
	var list []string
	start := 0
	for i := 0; i <= len(raw); i++ {
		switch {
		case i == len(raw) && start == i: // a separator ends the last element
		case i == len(raw) || raw[i] == sep:
			if s, err := unescapeList(raw[start:i], sep); err == nil {
				list = append(list, s)
			}
			start = i + 1
		case raw[i] == '\\' && i+1 < len(raw):
			i++
		}
	}
	return list
}

// Set gives a key a value, which is escaped as needed. The group is made if it
// is missing. The error reports a group or key name that cannot be written.
func (f *File) Set(group, key, value string) error { return f.SetRaw(group, key, escape(value, 0)) }

// SetRaw is Set for a value that is escaped already.
func (f *File) SetRaw(name, key, raw string) error {
	if !validGroup(name) {
		return fmt.Errorf("Invalid group name: %s", name)
	}
	if !validKey(key) {
		return fmt.Errorf("Invalid key name: %s", key)
	}
	if strings.ContainsAny(raw, "\n\r\x00") {
		return fmt.Errorf("Invalid value of key %s: line break", key)
	}
	g := f.group(name)
	if g == nil {
		g = &group{name: name}
		f.groups = append(f.groups, g)
	}
	g.set(key, raw)
	return nil
}

// SetBool sets a key to "true" or "false".
func (f *File) SetBool(group, key string, value bool) error {
	return f.SetRaw(group, key, strconv.FormatBool(value))
}

// SetList sets a key to a list with ";" after each element.
func (f *File) SetList(group, key string, list []string) error {
	var b strings.Builder
	for _, s := range list {
		b.WriteString(escape(s, ';') + ";")
	}
	return f.SetRaw(group, key, b.String())
}

// Remove removes a key and tells whether it was there.
func (f *File) Remove(group, key string) bool {
	g := f.group(group)
	if g == nil {
		return false
	}
	i := g.find(key)
	if i >= 0 {
		g.lines = slices.Delete(g.lines, i, i+1)
	}
	return i >= 0
}

// RemoveGroup removes a group with its keys and comments, and tells whether it
// was there. Blank lines before a last group go with it.
func (f *File) RemoveGroup(name string) bool {
	n := len(f.groups)
	last := n > 0 && f.groups[n-1].name == name
	f.groups = slices.DeleteFunc(f.groups, func(g *group) bool { return g.name == name && name != "" })
	if last && len(f.groups) > 0 && len(f.groups) < n {
		g := f.groups[len(f.groups)-1]
		for i := len(g.lines); i > 0 && g.lines[i-1].key == "" && strings.TrimSpace(g.lines[i-1].raw) == ""; i-- {
			g.lines = g.lines[:i-1]
		}
	}
	return len(f.groups) < n
}

// Clone returns an independent copy.
func (f *File) Clone() *File {
	c := &File{}
	for _, g := range f.groups {
		c.groups = append(c.groups, &group{g.name, slices.Clone(g.lines)})
	}
	return c
}

// Bytes returns the text of the file. Groups are separated by a blank line, as
// GLib writes them.
func (f *File) Bytes() []byte {
	var b bytes.Buffer
	for _, g := range f.groups {
		if g.name != "" {
			if b.Len() > 0 && !bytes.HasSuffix(b.Bytes(), []byte("\n\n")) {
				b.WriteByte('\n')
			}
			b.WriteString("[" + g.name + "]\n")
		}
		for _, l := range g.lines {
			if l.key != "" {
				b.WriteString(l.key + "=" + l.value + "\n")
			} else {
				b.WriteString(l.raw + "\n")
			}
		}
	}
	return b.Bytes()
}
