package bootloader

import (
	"strings"
	"testing"
)

func TestKargsText(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"   ", ""},
		{"root=/dev/vda1  quiet ", "root=/dev/vda1 quiet"},
		{`dyndbg="file a +p; file b" ro`, `dyndbg="file a +p; file b" ro`},
		{`a="unclosed b c`, `a="unclosed b c`},
		{"a= a a=b=c", "a= a a=b=c"},
	} {
		if got := ParseKargs(tt.in).String(); got != tt.want {
			t.Errorf("ParseKargs(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// An edit is written "operation argument", with the list before and after it.
func TestKargsEdits(t *testing.T) {
	for _, tt := range []struct{ before, edit, arg, after, err string }{
		{"a=1 b", "append", "c=2 d", "a=1 b c=2 d", ""},
		{"a=1 b", "append", "a=2", "a=1 b a=2", ""},
		{"a=1 b", "append-if-missing", "a=2", "a=1 b", ""},
		{"a=1 b", "append-if-missing", "c=2", "a=1 b c=2", ""},
		{"a=1 b a=2 c", "set", "a=3", "a=3 b c", ""},
		{"x a=1 b a=2 c", "set", "a", "x a b c", ""},
		{"x", "set", `a="b c"`, `x a="b c"`, ""},
		{"a=1 b", "replace", "a=2", "a=2 b", ""},
		{"a=1 b", "replace", "a", "a b", ""},
		{"a=1 b a=2", "replace", "a=2=3", "a=1 b a=3", ""},
		{"a=1 b a=2", "replace", "a=3", "", "Multiple values for key 'a' found"},
		{"a=1 b a=2", "replace", "a=7=3", "", "No karg 'a=7' found"},
		{"a=1", "replace", "z=3", "", "No key 'z' found"},
		{"a=1 b", "replace", "b=2 z=3", "", "No key 'z' found"},
		{"a=1 b", "delete", "a", "b", ""},
		{"a=1 b", "delete", "a=1", "b", ""},
		{"a=1 b", "delete", "a=2", "", "No karg 'a=2' found"},
		{"a=1 b", "delete", "c", "", "No key 'c' found"},
		{"a=1 b a=2", "delete", "a", "", "Multiple values for key 'a' found"},
		{"a=1 b a a=", "delete", "a", "a=1 b a=", ""},
		{"a=1 b a a=", "delete", "a=", "a=1 b a", ""},
		{"a=1 b a=2", "delete", "a=2", "a=1 b", ""},
		{"a=1 b a=2", "delete", "a=3", "", "No karg 'a=3' found"},
		{"a=1 b", "delete-if-present", "c=3", "a=1 b", ""},
		{"a=1 b", "delete-if-present", "a=3", "", "No karg 'a=3' found"},
		{"", "proc", "BOOT_IMAGE=(hd0,2)/x root=UUID=1 initrd=\\a ro\n", "root=UUID=1 ro", ""},
	} {
		k := ParseKargs(tt.before)
		shared := k
		err := editKargs(&k, tt.edit, tt.arg)
		if text := errText(err); text != tt.err {
			t.Errorf("%q %s %q: error %q, want %q", tt.before, tt.edit, tt.arg, text, tt.err)
		}
		if tt.err == "" && k.String() != tt.after {
			t.Errorf("%q %s %q = %q, want %q", tt.before, tt.edit, tt.arg, k, tt.after)
		}
		if tt.err != "" && !k.Equal(shared) {
			t.Errorf("%q %s %q changed the list though it failed: %q", tt.before, tt.edit, tt.arg, k)
		}
		if shared.String() != tt.before {
			t.Errorf("%q %s %q changed a copy: %q", tt.before, tt.edit, tt.arg, shared)
		}
	}
}

func editKargs(k *Kargs, edit, arg string) error {
	switch edit {
	case "append":
		k.Append(arg)
	case "append-if-missing":
		k.AppendIfMissing(arg)
	case "set":
		k.Replace(arg)
	case "replace":
		return k.ReplaceValue(arg)
	case "delete":
		return k.Delete(arg)
	case "delete-if-present":
		return k.DeleteIfPresent(arg)
	case "proc":
		k.AppendProcCmdline(arg)
	}
	return nil
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestKargsValidate(t *testing.T) {
	for line, want := range map[string]string{
		`root=x quiet a="b c" "d e"`: "",
		"=":                          "",
		"a= =b \"\"":                 "",
		"a=b\nc":                     errKargText.Error(),
		"a=b\r":                      errKargText.Error(),
		"a\x00":                      errKargText.Error(),
		`a="b c`:                     errKargQuote.Error(),
	} {
		if got := errText(ParseKargs(line).Validate()); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestKargsReplaceVisible(t *testing.T) {
	for line, want := range map[string]string{
		"":                                        "ostree=/new",
		`a ostree=/old "b c"`:                     `a ostree=/new "b c"`,
		`a ostree=/old b="c  d`:                   `a ostree=/new b="c  d`,
		`a b="c ostree=/old d`:                    `a ostree=/new b="c d`,
		`ostree=/1 b="c ostree=/2`:                `ostree=/new b="c`,
		`a ostree="/old b`:                        `a ostree=/new b`,
		`a ostree="/old ostree=/old2`:             `a ostree=/new`,
		`a b="c ostree=/old d"`:                   `a ostree=/new b="c ostree=/old d"`,
		`a b="c ostree=/1" ostree=/2 d ostree=/3`: `a ostree=/new b="c ostree=/1" d`,
		`ostree=/1 b="c ostree=/2" d`:             `ostree=/new b="c ostree=/2" d`,
		`a b="ostree=/1 c" d="ostree=/2`:          `a b="ostree=/1 c" ostree=/new d="ostree=/2`,
	} {
		k := ParseKargs(line)
		k.ReplaceVisible("ostree=/new")
		if k.String() != want {
			t.Errorf("%q: %q, want %q", line, k, want)
		}
	}
}

func TestKargsLast(t *testing.T) {
	k := ParseKargs("console=tty0 quiet console=ttyS0")
	if v, ok := k.Last("console"); !ok || v != "ttyS0" {
		t.Errorf("Last(console) = %q, %v", v, ok)
	}
	if v, ok := k.Last("quiet"); !ok || v != "" {
		t.Errorf("Last(quiet) = %q, %v", v, ok)
	}
	if _, ok := k.Last("root"); ok {
		t.Error("Last(root) found something")
	}
	if !k.Contains("console=x") || k.Has("console=x") || !k.Has("console=tty0") {
		t.Error("Contains looks at keys, Has at whole arguments")
	}
}

func FuzzKargs(f *testing.F) {
	f.Add(`root=UUID=1 ro dyndbg="a b" quiet`)
	f.Add(`a="b c" "d e`)
	f.Add(`a="b ostree=/x" ostree=/y "ostree ostree=/z`)
	f.Fuzz(func(t *testing.T, line string) {
		k := ParseKargs(line)
		if again := ParseKargs(k.String()); strings.Count(line, `"`)%2 == 0 && !again.Equal(k) {
			t.Errorf("%q reads back as %q", k, again)
		}
		v := k.Clone()
		v.ReplaceVisible("ostree=/new")
		for word := range strings.SplitSeq(v.String(), " ") {
			if strings.HasPrefix(word, "ostree=") {
				if word != "ostree=/new" {
					t.Errorf("ReplaceVisible on %q gives %q", k, v)
				}
				break
			}
		}
		for _, a := range k.All() {
			c := k.Clone()
			c.Replace(a.String())
			if v, _ := c.Last(a.Key); v != a.Value {
				t.Errorf("Replace(%q) on %q gives %q", a, k, c)
			}
		}
	})
}
