package bootloader

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxEntrySize is the largest boot entry that is read, in bytes.
const MaxEntrySize = 1 << 20

// keyOrder is the order in which libostree writes the keys it knows. The
// other keys follow in the order in which they were read or set.
var keyOrder = []string{"title", "version", "options", "devicetree", "linux", "initrd"}

// IsStandardKey reports whether key is one that is written anew for each
// deployment. Other keys belong to whoever added them.
func IsStandardKey(key string) bool { return slices.Contains(keyOrder, key) }

// Field is a line of an entry.
type Field struct{ Key, Value string }

// Entry is one boot entry: ordered keys, each once, with the exception of
// "initrd", whose repetitions are in Overlays. The zero value is empty.
type Entry struct {
	// Overlays are the paths of the "initrd" lines after the first.
	Overlays []string
	// Name is the file name without directory; empty for an entry that was
	// not read from a file.
	Name string
	// TriesLeft and TriesDone are the boot counters in the file name
	// ("+LEFT-DONE"); zero when there are none.
	TriesLeft, TriesDone uint64

	fields []Field
}

// ParseEntry reads the entry in text, that of the file called name. Lines that
// do not begin with a letter or that have no value are left out. A key that
// occurs twice has the last value. Lines may end as those of other systems do, in
// CR LF: boot loaders read them, so that a CR is no part of a value.
func ParseEntry(name string, text []byte) (*Entry, error) {
	if len(text) > MaxEntrySize {
		return nil, fmt.Errorf("boot entry %s is larger than %d bytes", name, MaxEntrySize)
	}
	if !utf8.Valid(text) || slices.Contains(text, 0) {
		return nil, fmt.Errorf("boot entry %s is not UTF-8 text", name)
	}
	e := &Entry{Name: name}
	e.TriesLeft, e.TriesDone = parseTries(name)
	for line := range strings.SplitSeq(string(text), "\n") {
		line = strings.TrimRight(line, "\r")
		sep := strings.IndexAny(line, " \t")
		if sep < 1 || !isLetter(line[0]) {
			continue
		}
		key, value := line[:sep], line[sep+1:]
		if _, ok := e.Get(key); ok && key == "initrd" {
			e.Overlays = append(e.Overlays, value)
			continue
		}
		e.Set(key, value)
	}
	return e, nil
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// Get returns the value of key.
func (e *Entry) Get(key string) (string, bool) {
	for _, f := range e.fields {
		if f.Key == key {
			return f.Value, true
		}
	}
	return "", false
}

// Set sets the value of key, in place if the entry has it.
func (e *Entry) Set(key, value string) {
	for i := range e.fields {
		if e.fields[i].Key == key {
			e.fields[i].Value = value
			return
		}
	}
	e.fields = append(e.fields, Field{key, value})
}

// Unset removes key.
func (e *Entry) Unset(key string) {
	e.fields = slices.DeleteFunc(e.fields, func(f Field) bool { return f.Key == key })
}

// Fields returns a copy of the keys and values, in order.
func (e *Entry) Fields() []Field { return slices.Clone(e.fields) }

// Options returns the kernel arguments.
func (e *Entry) Options() Kargs {
	v, _ := e.Get("options")
	return ParseKargs(v)
}

// Clone returns an independent copy.
func (e *Entry) Clone() *Entry {
	c := *e
	c.fields, c.Overlays = slices.Clone(e.fields), slices.Clone(e.Overlays)
	return &c
}

var errEntryText = errors.New("boot entry has a key or value that does not fit on a line")

// Marshal returns the text of the entry. It fails if a key or value cannot be
// read back as it is.
func (e *Entry) Marshal() ([]byte, error) {
	var b strings.Builder
	put := func(key, value string) error {
		if key == "" || !isLetter(key[0]) || strings.ContainsAny(key, " \t\n\x00") || strings.ContainsAny(value, "\n\x00") {
			return fmt.Errorf("%w: %q", errEntryText, key)
		}
		b.WriteString(key + " " + value + "\n")
		return nil
	}
	for _, f := range e.ordered() {
		if err := put(f.Key, f.Value); err != nil {
			return nil, err
		}
		if f.Key != "initrd" {
			continue
		}
		for _, o := range e.Overlays {
			if err := put(f.Key, o); err != nil {
				return nil, err
			}
		}
	}
	return []byte(b.String()), nil
}

// ordered returns the known keys first.
func (e *Entry) ordered() []Field {
	fields := make([]Field, 0, len(e.fields))
	for _, key := range keyOrder {
		if v, ok := e.Get(key); ok {
			fields = append(fields, Field{key, v})
		}
	}
	for _, f := range e.fields {
		if !IsStandardKey(f.Key) {
			fields = append(fields, f)
		}
	}
	return fields
}

// parseTries reads the counters of automatic boot assessment at the end of a
// file name: "+LEFT" or "+LEFT-DONE" (systemd's AUTOMATIC_BOOT_ASSESSMENT). What is
// neither counts as none.
func parseTries(name string) (left, done uint64) {
	at := strings.LastIndexByte(name, '+')
	if at < 0 {
		return 0, 0
	}
	number, rest := leadingDigits(name[at+1:])
	left, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return 0, 0
	}
	if rest, ok := strings.CutPrefix(rest, "-"); ok {
		number, _ = leadingDigits(rest)
		if done, err = strconv.ParseUint(number, 10, 64); err != nil {
			return 0, 0
		}
	}
	return left, done
}

func leadingDigits(s string) (digits, rest string) {
	rest = strings.TrimLeft(s, "0123456789")
	return s[:len(s)-len(rest)], rest
}
