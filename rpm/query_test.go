package rpm

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// readPackage opens a package without demanding anything.
func readPackage(t *testing.T, name string) *Package {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := Open(f, Options{Level: LevelNone})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return p
}

// query runs "rpm -qp" without checking signatures. Debian's rpm fails for a few
// packages of later formats.
func query(t *testing.T, name string, args ...string) (string, bool) {
	t.Helper()
	cmd := append([]string{"-qp", "--nosignature", "--nodigest"}, args...)
	out := run(t, "sh", append([]string{"-c", `exec rpm "$@" 2>/dev/null || echo FAILED`, "sh"}, append(cmd, name)...)...)
	return out, !strings.HasSuffix(out, "FAILED\n")
}

func lines[T any](list []T, line func(T) string) string {
	var b strings.Builder
	for _, x := range list {
		b.WriteString(line(x))
		b.WriteByte('\n')
	}
	return b.String()
}

// What we read from each package of the corpus is what rpm prints.
func TestQueriesAgainstRPM(t *testing.T) {
	oracle(t, "rpm")
	type ask struct {
		args []string
		ours func(h *Header) string
	}
	deps := func(get func(*Header) []Dep) func(h *Header) string {
		return func(h *Header) string { return lines(get(h), Dep.String) }
	}
	asks := []ask{
		{[]string{"--requires"}, deps((*Header).Requires)},
		{[]string{"--provides"}, deps((*Header).Provides)},
		{[]string{"--conflicts"}, deps((*Header).Conflicts)},
		{[]string{"--obsoletes"}, deps((*Header).Obsoletes)},
		{[]string{"--recommends"}, deps((*Header).Recommends)},
		{[]string{"--suggests"}, deps((*Header).Suggests)},
		{[]string{"--supplements"}, deps((*Header).Supplements)},
		{[]string{"--enhances"}, deps((*Header).Enhances)},
		{[]string{"--qf", "%{NAME}|%{EPOCHNUM}|%{VERSION}|%{RELEASE}|%{LONGSIZE}\n"}, func(h *Header) string {
			epoch, _ := h.Epoch()
			return fmt.Sprintf("%s|%d|%s|%s|%d\n", h.Name(), epoch, h.Version(), h.Release(), h.Size())
		}},
		{[]string{"--qf", "[%{FILENAMES}|%{FILECAPS}|%{FILEVERIFYFLAGS}|%{FILEINODES}|%{FILECOLORS:hex}\n]"}, func(h *Header) string {
			return lines(h.Files(), func(f File) string {
				color := ""
				if h.Has(TagFileColors) {
					color = fmt.Sprintf("%x", f.Color)
				}
				return fmt.Sprintf("%s|%s|%d|%d|%s", f.Path, f.Caps, f.Verify, f.Inode, color)
			})
		}},
		{[]string{"--qf", "[%{CHANGELOGTIME}|%{CHANGELOGNAME}\n]"}, func(h *Header) string {
			return lines(h.Changelog(), func(c Change) string { return fmt.Sprintf("%d|%s", c.Time, c.Name) })
		}},
		{[]string{"--scripts"}, scripts},
		{[]string{"--qf", "[%{TRANSFILETRIGGERNAME}|%{TRANSFILETRIGGERINDEX}\n]"}, func(h *Header) string {
			var b strings.Builder
			for i, x := range h.TransFileTriggers() {
				for _, c := range x.Conditions {
					fmt.Fprintf(&b, "%s|%d\n", c.Name, i)
				}
			}
			return b.String()
		}},
	}
	files := corpus(t)
	sample := filepath.Join(t.TempDir(), "sample.rpm")
	if err := os.WriteFile(sample, build(t, samplePackage()), 0o644); err != nil {
		t.Fatal(err)
	}
	const mark = "@@@@\n"
	var args []string
	for _, a := range asks {
		args = append(append(args, a.args...), "--qf", mark)
	}
	for _, name := range append(files, sample) {
		h := readPackage(t, name).Header
		out, ok := query(t, name, args...)
		answers := strings.Split(out, mark)
		if !ok || len(answers) != len(asks)+1 {
			t.Errorf("%s: rpm cannot answer:\n%s", filepath.Base(name), out)
			continue
		}
		for i, a := range asks {
			theirs, ours := strings.ReplaceAll(answers[i], "(none)", ""), a.ours(h)
			switch {
			case strings.Trim(theirs, "|\n") == "" && ours == "":
			case a.args[0] == "--provides" && h.Format() == 3: // rpm adds one
			case ours != theirs:
				t.Errorf("%s %v:\n--- ours\n%s--- rpm\n%s", filepath.Base(name), a.args, ours, theirs)
			}
		}
		if theirs, _ := query(t, name, "--dump"); theirs != dump(h) && len(h.Files()) > 0 {
			t.Errorf("%s --dump:\n--- ours\n%s--- rpm\n%s", filepath.Base(name), dump(h), theirs)
		}
	}
}

// dump prints files as "rpm --dump".
func dump(h *Header) string {
	flag := func(f File, bit FileFlags) string {
		if f.Flags&bit != 0 {
			return "1"
		}
		return "0"
	}
	return lines(h.Files(), func(f File) string {
		digest := cmp.Or(f.Digest, strings.Repeat("0", 64))
		if f.Digest == "" && h.FileDigestAlgo() == MD5 {
			digest = strings.Repeat("0", 32)
		}
		return fmt.Sprintf("%s %d %d %s 0%o %s %s %s %s %d %s", f.Path, f.Size, f.Mtime, digest, f.Mode, f.User, f.Group,
			flag(f, FileConfig), flag(f, FileDoc), f.Rdev, cmp.Or(f.LinkTo, "X"))
	})
}

// scripts prints as "rpm --scripts", which knows all kinds but the newest two.
func scripts(h *Header) string {
	order := []struct {
		kind ScriptKind
		name string
	}{
		{PreTrans, "pretrans"}, {PreIn, "preinstall"}, {PostIn, "postinstall"}, {PreUn, "preuninstall"},
		{PostUn, "postuninstall"}, {PostTrans, "posttrans"}, {VerifyScript, "verify"},
	}
	var b strings.Builder
	for _, o := range order {
		s, ok := h.Script(o.kind)
		switch {
		case !ok:
		case s.Body == "":
			fmt.Fprintf(&b, "%s program: %s\n", o.name, strings.Join(s.Interp, " "))
		default:
			fmt.Fprintf(&b, "%s scriptlet (using %s):\n%s\n", o.name, strings.Join(s.Interp, " "), s.Body)
		}
	}
	return b.String()
}

// Triggers of the sample come back as they were given.
func TestTriggersRoundTrip(t *testing.T) {
	want := samplePackage()
	h := readBytes(t, build(t, want)).Header
	for _, x := range []struct{ got, want []Trigger }{
		{h.Triggers(), want.Triggers}, {h.FileTriggers(), want.FileTriggers}, {h.TransFileTriggers(), want.TransFileTriggers},
	} {
		if len(x.got) != len(x.want) {
			t.Fatalf("%d triggers, want %d", len(x.got), len(x.want))
		}
		for i, g := range x.got {
			w := x.want[i]
			if g.Body != w.Body || !slices.Equal(g.Conditions, w.Conditions) || g.Interp[0] != Shell || g.Event() != w.Event() {
				t.Errorf("%+v, want %+v", g, w)
			}
		}
	}
	if p := h.FileTriggers()[0].Priority; p != 100 {
		t.Errorf("priority %d", p)
	}
	if p := h.TransFileTriggers()[0].Priority; p != DefaultPriority {
		t.Errorf("priority %d", p)
	}
	if got := h.Changelog(); !slices.Equal(got, want.Changelog) || time.Unix(int64(got[0].Time), 0).Year() != 2023 {
		t.Errorf("%v", got)
	}
}
