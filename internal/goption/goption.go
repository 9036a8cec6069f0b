// Package goption parses command lines as GLib's GOptionContext does, which the programs of
// the C ostree are made with: options and arguments mix, "--opt=V" and "--opt V" are the same,
// one-letter flags may be bundled, "--" ends the options, names are not abbreviated.
// A value given to an option without one is passed over: "--flag=false" turns it on.
package goption

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An Option is one option of a program.
type Option struct {
	Name   string
	Letter byte   // the short form, or 0
	Value  string // placeholder of the value, "" for a flag
	About  string
	Hidden bool // not in the help
	File   bool // the value is the name of a file, which may have any bytes; else it is text
	Set    func(value string) error
}

// A Set is the options of a program. The zero value has none.
type Set []Option

// Flag adds an option without a value.
func (s *Set) Flag(p *bool, name string, letter byte, about string) {
	s.Func(func(string) error { *p = true; return nil }, name, letter, "", about)
}

// String adds an option with a value, of which the last one counts.
func (s *Set) String(p *string, name string, letter byte, value, about string) {
	s.Func(func(v string) error { *p = v; return nil }, name, letter, value, about)
}

// Optional is String for an option whose empty value is not the same as none.
func (s *Set) Optional(p **string, name string, letter byte, value, about string) {
	s.Func(func(v string) error { *p = &v; return nil }, name, letter, value, about)
}

// File is String for the name of a file.
func (s *Set) File(p *string, name string, letter byte, value, about string) {
	s.String(p, name, letter, value, about)
	(*s)[len(*s)-1].File = true
}

// Files is List for names of files.
func (s *Set) Files(p *[]string, name string, letter byte, value, about string) {
	s.List(p, name, letter, value, about)
	(*s)[len(*s)-1].File = true
}

// List adds an option that may be given more than once.
func (s *Set) List(p *[]string, name string, letter byte, value, about string) {
	s.Func(func(v string) error { *p = append(*p, v); return nil }, name, letter, value, about)
}

// Int adds an option whose value is an integer of 32 bits, as C writes it.
func (s *Set) Int(p *int, name string, letter byte, value, about string) {
	s.Func(func(v string) error {
		n, err := strconv.ParseInt(v, 0, 32)
		if errors.Is(err, strconv.ErrRange) {
			return fmt.Errorf("Integer value “%s” for --%s out of range", v, name)
		}
		if err != nil {
			return fmt.Errorf("Cannot parse integer value “%s” for --%s", v, name)
		}
		*p = int(n)
		return nil
	}, name, letter, value, about)
}

// Func adds an option that set handles.
func (s *Set) Func(set func(string) error, name string, letter byte, value, about string) {
	*s = append(*s, Option{Name: name, Letter: letter, Value: value, About: about, Set: set})
}

// Parse sets the options among args and returns the other arguments.
func (s Set) Parse(args []string) (rest []string, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			return append(rest, args...), nil
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			rest = append(rest, arg)
		case strings.HasPrefix(arg, "--"):
			args, err = s.parseLong(arg, args)
		default:
			args, err = s.parseShort(arg, args)
		}
		if err != nil {
			return nil, err
		}
	}
	return rest, nil
}

func (s Set) parseLong(arg string, rest []string) ([]string, error) {
	name, value, hasValue := strings.Cut(arg[2:], "=")
	for _, o := range s {
		if o.Name != name {
			continue
		}
		if o.Value != "" && !hasValue {
			if len(rest) == 0 {
				return nil, fmt.Errorf("Missing argument for --%s", name)
			}
			value, rest = rest[0], rest[1:]
		}
		return rest, o.set(value)
	}
	return nil, fmt.Errorf("Unknown option %s", arg)
}

// parseShort reads a bundle of letters. Only one of them may take a value, which is
// the next argument.
func (s Set) parseShort(arg string, rest []string) ([]string, error) {
	taken := false
	for i := 1; i < len(arg); i++ {
		o, ok := s.letter(arg[i])
		if !ok {
			return nil, fmt.Errorf("Unknown option %s", arg)
		}
		value := ""
		if o.Value != "" {
			switch {
			case taken:
				return nil, fmt.Errorf("Error parsing option -%c", arg[i])
			case len(rest) == 0:
				return nil, fmt.Errorf("Missing argument for -%c", arg[i])
			}
			value, rest, taken = rest[0], rest[1:], true
		}
		if err := o.set(value); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

func (s Set) letter(letter byte) (Option, bool) {
	for _, o := range s {
		if o.Letter == letter {
			return o, true
		}
	}
	return Option{}, false
}

// set sets the option, whose value must be what it can be.
func (o Option) set(value string) error {
	if o.Value != "" && !o.File && !utf8.ValidString(value) {
		return errors.New("Invalid byte sequence in conversion input")
	}
	return o.Set(value)
}

// Synopsis is the option as the help shows it: "-b, --branch=BRANCH".
func (o Option) Synopsis() string {
	s := "--" + o.Name
	if o.Letter != 0 {
		s = fmt.Sprintf("-%c, %s", o.Letter, s)
	}
	if o.Value != "" {
		s += "=" + o.Value
	}
	return s
}

// Width is the number of columns that the synopses need, those of "--help" too.
func (s Set) Width() int {
	width := len("-h, --help")
	for _, o := range s {
		if !o.Hidden {
			width = max(width, utf8.RuneCountInString(o.Synopsis()))
		}
	}
	return width
}

// PrintHelp prints the options in GLib's layout, with synopses of that width.
func (s Set) PrintHelp(w io.Writer, width int) {
	fmt.Fprintf(w, "Help Options:\n  %-*s     Show help options\n\nApplication Options:\n", width, "-h, --help")
	for _, o := range s {
		if !o.Hidden {
			fmt.Fprintf(w, "  %-*s     %s\n", width, o.Synopsis(), o.About)
		}
	}
	fmt.Fprintln(w)
}
