package machine

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Entry is a boot entry as the Boot Loader Specification has it. The reader is the
// tests' own, so that the project's writer is not judged by the project's reader.
type Entry struct {
	File    string // name in /boot/loader/entries
	Title   string
	Version int    // the entry with the highest one boots
	Options string // kernel arguments
	Linux   string // path below /boot
	Initrd  string // path below /boot
}

// Arg returns the value of the last kernel argument key=value.
func (e Entry) Arg(key string) (string, bool) {
	args := strings.Fields(e.Options)
	for _, a := range slices.Backward(args) {
		if v, ok := strings.CutPrefix(a, key+"="); ok {
			return v, true
		}
	}
	return "", false
}

// Entries reads all boot entries of a /boot/loader/entries folder, the default first.
func Entries(boot fs.FS) ([]Entry, error) {
	files, err := fs.Glob(boot, "*.conf")
	if err != nil {
		return nil, err
	}
	var all []Entry
	for _, name := range files {
		text, err := fs.ReadFile(boot, name)
		if err != nil {
			return nil, err
		}
		e, err := parseEntry(path.Base(name), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		return nil, errors.New("no boot entries")
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return cmp.Compare(b.Version, a.Version) })
	return all, nil
}

func parseEntry(name, text string) (Entry, error) {
	e := Entry{File: name}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		value = strings.TrimSpace(value)
		switch key {
		case "title":
			e.Title = value
		case "options":
			e.Options = value
		case "linux":
			e.Linux = value
		case "initrd":
			e.Initrd = value
		case "version":
			v, err := strconv.Atoi(value)
			if err != nil {
				return e, fmt.Errorf("%s: version %q is no number", name, value)
			}
			e.Version = v
		}
	}
	return e, nil
}
