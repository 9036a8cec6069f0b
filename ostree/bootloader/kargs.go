package bootloader

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Karg is one kernel argument: "key" or, when HasValue is set, "key=value".
// "key" and "key=" are different arguments.
type Karg struct {
	Key      string
	Value    string
	HasValue bool
}

// String returns the argument as it stands on a command line.
func (a Karg) String() string {
	if !a.HasValue {
		return a.Key
	}
	return a.Key + "=" + a.Value
}

func parseKarg(s string) Karg {
	key, value, ok := strings.Cut(s, "=")
	return Karg{key, value, ok}
}

// Kargs is an ordered list of kernel arguments; a key may occur more than
// once. The zero value is an empty list. Methods that change the list never
// write into an array that another list may share.
type Kargs struct{ args []Karg }

// ParseKargs reads a kernel command line. Arguments are separated by spaces
// outside double quotes; quotes stay part of the argument, and an unclosed
// quote reaches to the end.
func ParseKargs(line string) Kargs {
	var k Kargs
	k.Append(line)
	return k
}

// KargsFromList makes a list of arguments, each of which may itself be
// several arguments separated by spaces.
func KargsFromList(args []string) Kargs {
	var k Kargs
	for _, a := range args {
		k.Append(a)
	}
	return k
}

// cmdlineFromLoader are the arguments that boot loaders add on their own:
// GRUB 2 and systemd-boot. They say nothing about the next boot.
var cmdlineFromLoader = []string{"BOOT_IMAGE=", "initrd="}

// AppendProcCmdline appends the arguments of a running kernel, given as the
// text of /proc/cmdline, but for those that the boot loader had added.
func (k *Kargs) AppendProcCmdline(text string) {
	for _, arg := range splitKargs(strings.TrimRight(text, " \t\r\n\v\f")) {
		own := func(prefix string) bool { return strings.HasPrefix(arg, prefix) }
		if !slices.ContainsFunc(cmdlineFromLoader, own) {
			k.Append(arg)
		}
	}
}

// splitKargs splits at spaces that are not inside double quotes and drops
// empty parts.
func splitKargs(s string) []string {
	quoted := false
	return strings.FieldsFunc(s, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	})
}

// Len returns the number of arguments.
func (k Kargs) Len() int { return len(k.args) }

// All returns a copy of the arguments in order.
func (k Kargs) All() []Karg { return slices.Clone(k.args) }

// Strings returns the arguments in order, each as text.
func (k Kargs) Strings() []string {
	s := make([]string, len(k.args))
	for i, a := range k.args {
		s[i] = a.String()
	}
	return s
}

// String returns the arguments as one line, separated by single spaces.
func (k Kargs) String() string { return strings.Join(k.Strings(), " ") }

// Equal reports whether both lists hold the same arguments in the same order.
func (k Kargs) Equal(o Kargs) bool { return slices.Equal(k.args, o.args) }

// Clone returns an independent copy.
func (k Kargs) Clone() Kargs { return Kargs{slices.Clone(k.args)} }

// Last returns the last value given for key, and whether the key occurs.
// A key without "=" has the value "".
func (k Kargs) Last(key string) (string, bool) {
	for _, a := range slices.Backward(k.args) {
		if a.Key == key {
			return a.Value, true
		}
	}
	return "", false
}

// Contains reports whether the key of arg ("key" or "key=value") occurs, with
// whatever value, which is the test that libostree makes.
func (k Kargs) Contains(arg string) bool {
	return k.count(parseKarg(arg).Key) > 0
}

// Has reports whether exactly arg occurs, value included.
func (k Kargs) Has(arg string) bool {
	return slices.Contains(k.args, parseKarg(arg))
}

func (k Kargs) count(key string) int {
	n := 0
	for _, a := range k.args {
		if a.Key == key {
			n++
		}
	}
	return n
}

func (k Kargs) index(key string) int {
	return slices.IndexFunc(k.args, func(a Karg) bool { return a.Key == key })
}

// Append adds arg, which may be several arguments separated by spaces, at the
// end.
func (k *Kargs) Append(arg string) {
	for _, s := range splitKargs(arg) {
		k.args = append(slices.Clip(k.args), parseKarg(s))
	}
}

// AppendIfMissing adds arg at the end unless its key occurs already.
func (k *Kargs) AppendIfMissing(arg string) {
	if !k.Contains(arg) {
		k.Append(arg)
	}
}

// Replace puts the single argument arg in the place of the first argument
// with its key and removes the others of that key. A new key goes to the end.
func (k *Kargs) Replace(arg string) {
	a := parseKarg(arg)
	at := k.index(a.Key)
	if at < 0 {
		k.args = append(slices.Clip(k.args), a)
		return
	}
	rest := slices.DeleteFunc(slices.Clone(k.args), func(o Karg) bool { return o.Key == a.Key })
	k.args = slices.Insert(rest, at, a)
}

// ReplaceVisible is Replace for an argument that is looked for without regard to quotation: no
// argument with its key within quotation marks is left before it. It also goes before an argument
// whose quotation mark is not closed, and what the latter has swallowed of the same key is removed.
func (k *Kargs) ReplaceVisible(arg string) {
	a := parseKarg(arg)
	same := func(word string) bool { return parseKarg(word).Key == a.Key }
	args, open := slices.Clone(k.args), ""
	if last := len(args) - 1; last >= 0 && strings.Count(args[last].String(), `"`)%2 != 0 {
		words := slices.DeleteFunc(strings.Split(args[last].String(), " "), same)
		args, open = args[:last], strings.Join(words, " ")
	}
	at := slices.IndexFunc(args, func(o Karg) bool { return slices.ContainsFunc(strings.Split(o.String(), " "), same) })
	if at < 0 {
		at = len(args)
	}
	rest := slices.DeleteFunc(args, func(o Karg) bool { return o.Key == a.Key }) // none is before at
	k.args = slices.Insert(rest, at, a)
	k.Append(open)
}

// ReplaceValue changes the value of arguments that exist. Each argument in
// arg is "key=new" (or "key") for a key that occurs once, or "key=old=new"
// for one of several. On error nothing is changed.
func (k *Kargs) ReplaceValue(arg string) error {
	n := k.Clone()
	for _, s := range splitKargs(arg) {
		if err := n.replaceOne(parseKarg(s)); err != nil {
			return err
		}
	}
	*k = n
	return nil
}

func (k *Kargs) replaceOne(a Karg) error {
	count := k.count(a.Key)
	if count == 0 {
		return fmt.Errorf("No key '%s' found", a.Key)
	}
	if old, value, ok := strings.Cut(a.Value, "="); ok {
		at := slices.Index(k.args, Karg{a.Key, old, true})
		if at < 0 {
			return fmt.Errorf("No karg '%s=%s' found", a.Key, old)
		}
		k.args[at].Value = value
		return nil
	}
	if count > 1 {
		return fmt.Errorf("Multiple values for key '%s' found", a.Key)
	}
	k.args[k.index(a.Key)] = a
	return nil
}

// Delete removes the arguments in arg: "key" for a key that occurs once or
// that occurs without a value, "key=value" for exactly that argument. On
// error nothing is changed.
func (k *Kargs) Delete(arg string) error {
	n := k.Clone()
	for _, s := range splitKargs(arg) {
		if err := n.deleteOne(parseKarg(s), arg); err != nil {
			return err
		}
	}
	*k = n
	return nil
}

func (k *Kargs) deleteOne(a Karg, whole string) error {
	count := k.count(a.Key)
	at := slices.Index(k.args, a)
	switch {
	case count == 0:
		return fmt.Errorf("No key '%s' found", a.Key)
	case count == 1 && !a.HasValue:
		at = k.index(a.Key)
	case at < 0 && count == 1:
		return fmt.Errorf("No karg '%s=%s' found", a.Key, a.Value)
	case at < 0 && !a.HasValue:
		return fmt.Errorf("Multiple values for key '%s' found", whole)
	case at < 0:
		return fmt.Errorf("No karg '%s' found", whole)
	}
	k.args = slices.Delete(k.args, at, at+1)
	return nil
}

// DeleteIfPresent is Delete for an arg whose key occurs, and nothing else.
func (k *Kargs) DeleteIfPresent(arg string) error {
	if !k.Contains(arg) {
		return nil
	}
	return k.Delete(arg)
}

// Errors for text that cannot stand in a boot entry.
var (
	errKargText  = errors.New("kernel arguments contain a line break or NUL byte")
	errKargQuote = errors.New("kernel arguments contain a quotation mark that is not closed")
)

// Validate returns an error if the list cannot be written on one line, or would
// swallow what is appended to that.
func (k Kargs) Validate() error {
	switch line := k.String(); {
	case strings.ContainsAny(line, "\n\r\x00"):
		return errKargText
	case strings.Count(line, `"`)%2 != 0:
		return errKargQuote
	}
	return nil
}
