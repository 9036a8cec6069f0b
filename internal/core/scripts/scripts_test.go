package scripts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"rpmostree/internal/sandbox"
	"rpmostree/internal/treetest"
	"rpmostree/rpm"
)

// header builds a package and returns its header.
func header(t *testing.T, b rpm.Builder) *rpm.Header {
	t.Helper()
	b.Version, b.Release, b.Arch = "1", "1", "noarch"
	var buf bytes.Buffer
	if err := b.Write(&buf); err != nil {
		t.Fatal(err)
	}
	p, err := rpm.Open(&buf, rpm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p.Header
}

func files(paths ...string) (out []rpm.BuildFile) {
	for _, p := range paths {
		out = append(out, rpm.BuildFile{File: rpm.File{Path: p, Mode: 0o100644, User: "root", Group: "root"}})
	}
	return out
}

func trigger(prefix, body string, flag rpm.DepFlags, priority uint32) rpm.Trigger {
	return rpm.Trigger{
		Interp: []string{rpm.Shell}, Body: body, Priority: priority,
		Conditions: []rpm.Dep{{Name: prefix, Flags: flag}},
	}
}

func luaTrigger(name string, flag rpm.DepFlags) rpm.Trigger {
	t := trigger(name, "x()", flag, 0)
	t.Interp = []string{rpm.InterpLua}
	return t
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name string
		pkg  rpm.Builder
		bad  bool
	}{
		{"shell", rpm.Builder{Name: "a", Scripts: []rpm.Script{{Kind: rpm.PostIn, Interp: []string{rpm.Shell}, Body: "true"}}}, false},
		{"lua", rpm.Builder{Name: "a", Scripts: []rpm.Script{{Kind: rpm.PostIn, Interp: []string{rpm.InterpLua}, Body: "x()"}}}, true},
		{"lua of a script that is not run", rpm.Builder{Name: "a", Scripts: []rpm.Script{{Kind: rpm.PreTrans, Interp: []string{rpm.InterpLua}, Body: "x()"}}}, false},
		{"lua that an image does not need", rpm.Builder{Name: "a", Scripts: []rpm.Script{{Kind: rpm.PostIn, Interp: []string{rpm.InterpLua}, Body: "-- rpm-ostree-skip\nx()"}}}, false},
		{"lua with a replacement", rpm.Builder{Name: "glibc", Scripts: []rpm.Script{{Kind: rpm.PostTrans, Interp: []string{rpm.InterpLua}, Body: "x()"}}}, false},
		{"ignored", rpm.Builder{Name: "bash", Scripts: []rpm.Script{{Kind: rpm.PostIn, Interp: []string{rpm.InterpLua}, Body: "x()"}}}, false},
		{"package trigger", rpm.Builder{Name: "a", Triggers: []rpm.Trigger{trigger("b", "true", rpm.DepTriggerIn, 0)}}, false},
		{"lua package trigger", rpm.Builder{Name: "a", Triggers: []rpm.Trigger{luaTrigger("b", rpm.DepTriggerIn)}}, true},
		{"lua package trigger before", rpm.Builder{Name: "a", Triggers: []rpm.Trigger{luaTrigger("b", rpm.DepTriggerPreIn)}}, true},
		{"lua package trigger for another", rpm.Builder{Name: "a", Triggers: []rpm.Trigger{luaTrigger("c", rpm.DepTriggerIn)}}, false},
		{"query format", rpm.Builder{Name: "a", Scripts: []rpm.Script{{Kind: rpm.PostIn, Body: "echo %{NAME}", Flags: rpm.ScriptQFormat}}}, false},
		{"query format that is not known", rpm.Builder{Name: "a", Scripts: []rpm.Script{{Kind: rpm.PostIn, Body: "[%{FILENAMES} ]", Flags: rpm.ScriptQFormat}}}, true},
		{"package trigger on removal", rpm.Builder{Name: "a", Triggers: []rpm.Trigger{luaTrigger("b", rpm.DepTriggerUn)}}, false},
		{"lua file trigger", rpm.Builder{Name: "a", TransFileTriggers: []rpm.Trigger{{Interp: []string{rpm.InterpLua}, Body: "x()", Conditions: []rpm.Dep{{Name: "/usr", Flags: rpm.DepTriggerIn}}}}}, true},
	} {
		err := Runner{}.Check(Change{Add: []*rpm.Header{header(t, tt.pkg), header(t, rpm.Builder{Name: "b"})}})
		var bad *UnsupportedError
		if errors.As(err, &bad) != tt.bad {
			t.Errorf("%s: error %v", tt.name, err)
		}
	}
	r := Runner{Lua: "/proc/self/exe"}
	for body, good := range map[string]bool{"x()": true, "x(": false, "x = 7 // 2": false} {
		pkg := rpm.Builder{Name: "a", Scripts: []rpm.Script{{Kind: rpm.PostIn, Interp: []string{rpm.InterpLua}, Body: body}}}
		var bad *UnsupportedError
		if err := r.Check(Change{Add: []*rpm.Header{header(t, pkg)}}); (err == nil) != good || err != nil && !errors.As(err, &bad) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// TestMain is the program that runs Lua in a sandbox, if it is called as that.
func TestMain(m *testing.M) {
	if len(os.Args) != 3 || os.Args[1] != LuaCommand {
		os.Exit(m.Run())
	}
	if err := InterpretLua(context.Background(), os.Args[2]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// A script in Lua is in the tree, as one for the shell, and has what rpm gives it.
func TestLua(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var log []string
	r := Runner{Root: root(t), Lua: self, Macros: map[string]string{"_lib": "lib64"}, Log: func(id, line string) { log = append(log, id+": "+line) }}
	b := rpm.Builder{Name: "p", Scripts: []rpm.Script{
		{Kind: rpm.PreIn, Interp: []string{rpm.InterpLua}, Body: `
			local f = io.open("/etc/made", "w") f:write("by ", arg[1], arg[2] + 1, "\n") f:close()
			print(rpm.expand("%{_lib}"), posix.getcwd(), posix.umask(), io.open("/var/tmp/x", "w") ~= nil, (io.open("/var/x", "w")))`},
		{Kind: rpm.PostIn, Interp: []string{rpm.InterpLua}, Body: `
			local pid = posix.fork()
			if pid == 0 then
			  posix.exec("/bin/cat", "/etc/made")
			elseif pid > 0 then
			  posix.wait(pid)
			end
			error("no more", 0)`},
		{Kind: rpm.PostTrans, Interp: []string{rpm.InterpLua}, Body: `local s = "x" while true do s = s .. s end`},
	}}
	trigger := rpm.Trigger{Interp: []string{rpm.InterpLua}, Body: `for f in rpm.next_file do print(f) end`, Conditions: []rpm.Dep{{Name: "/usr", Flags: rpm.DepTriggerIn}}}
	b.TransFileTriggers = []rpm.Trigger{trigger}
	b.Files = files("/usr/a", "/usr/b")
	pkg := header(t, b)
	ctx := context.Background()
	if err := r.Run(ctx, Package{Header: pkg, Replaces: true}, rpm.PreIn); err != nil {
		t.Error(err)
	}
	want := "Running %post for p: bwrap(<lua>): Child process exited with code 1"
	if err := r.Run(ctx, Package{Header: pkg}, rpm.PostIn); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if err := r.FileTriggers(ctx, []*rpm.Header{pkg}, []*rpm.Header{pkg}, nil); err != nil {
		t.Error(err)
	}
	wantLog := []string{
		"p.prein: lib64\t/\trwxr-xr-x\ttrue\tnil", "p.post: by p.prein3", "p.post: lua script failed: no more",
		"p.transfiletriggerin: /usr/a", "p.transfiletriggerin: /usr/b",
	}
	if !slices.Equal(log, wantLog) {
		t.Errorf("log\n%s\nwant\n%s", strings.Join(log, "\n"), strings.Join(wantLog, "\n"))
	}
	// The interpreter ends before it has eaten the machine's memory.
	var exit *sandbox.ExitError
	if err := r.Run(ctx, Package{Header: pkg}, rpm.PostTrans); !errors.As(err, &exit) {
		t.Errorf("a script that wants all memory: %v", err)
	}
}

func TestHasFileTriggers(t *testing.T) {
	owner := header(t, rpm.Builder{Name: "owner", TransFileTriggers: []rpm.Trigger{trigger("/usr/lib", "true", rpm.DepTriggerIn, 0)}, Files: files("/etc/x")})
	onRemoval := header(t, rpm.Builder{Name: "un", TransFileTriggers: []rpm.Trigger{trigger("/", "true", rpm.DepTriggerUn, 0)}})
	lib := header(t, rpm.Builder{Name: "lib", Files: files("/usr/lib/l.so")})
	bin := header(t, rpm.Builder{Name: "bin", Files: files("/usr/bin/b")})
	type list = []*rpm.Header
	for _, tt := range []struct {
		name                      string
		installed, added, removed list
		want                      bool
	}{
		{"nothing changed", list{owner, lib}, nil, nil, false},
		{"added file matches", list{owner, lib}, list{lib}, nil, true},
		{"added file does not match", list{owner, lib, bin}, list{bin}, nil, false},
		{"removed file matches", list{owner}, nil, list{lib}, true},
		{"removed file does not match", list{owner}, nil, list{bin}, false},
		{"owner is new, files are old", list{owner, lib}, list{owner}, nil, true},
		{"owner is new, no file matches", list{owner, bin}, list{owner}, nil, false},
		{"trigger on removal", list{onRemoval, lib}, list{lib}, nil, false},
	} {
		if got := HasFileTriggers(tt.installed, tt.added, tt.removed); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// root returns the host's programs with an /etc of its own.
func root(t *testing.T) sandbox.Root {
	t.Helper()
	return sandbox.Root{Dir: treetest.SandboxDir(t), Binds: []sandbox.Bind{{Source: "/usr", Target: "/usr"}}}
}

func TestRun(t *testing.T) {
	var log []string
	r := Runner{Root: root(t), Macros: map[string]string{"_arch": "x86_64"}, Log: func(id, line string) { log = append(log, id+": "+line) }}
	pkg := header(t, rpm.Builder{Name: "p", Scripts: []rpm.Script{
		{Kind: rpm.PreIn, Interp: []string{rpm.Shell}, Body: "echo $1 %{_arch}"},
		{Kind: rpm.PostIn, Interp: []string{rpm.Shell, "-e"}, Body: "echo $# $1 %{_arch}; false; echo unreached", Flags: rpm.ScriptExpand},
		{Kind: rpm.PostTrans, Interp: []string{"/usr/bin/env"}},
	}})
	ctx := context.Background()
	if err := r.Run(ctx, Package{Header: pkg}, rpm.PreIn); err != nil {
		t.Error(err)
	}
	err := r.Run(ctx, Package{Header: pkg, Replaces: true}, rpm.PostIn)
	if err == nil || err.Error() != "Running %post for p: bwrap(/bin/sh): Child process exited with code 1" {
		t.Errorf("error %v", err)
	}
	if want := []string{"p.prein: 1 %{_arch}", "p.post: 1 2 x86_64"}; !slices.Equal(log, want) {
		t.Errorf("log %q, want %q", log, want)
	}
	log = nil
	if err := r.Run(ctx, Package{Header: pkg}, rpm.PostTrans); err != nil {
		t.Error(err)
	}
	if !strings.Contains(strings.Join(log, "\n"), "p.posttrans: PATH=/usr/sbin:/usr/bin") {
		t.Errorf("a program without a script: %q", log)
	}
}

func TestFileTriggers(t *testing.T) {
	var log []string
	r := Runner{Root: root(t), Log: func(id, line string) { log = append(log, id+": "+line) }}
	echo := func(name string) string { return "while read f; do echo " + name + " $f; done; echo " + name + " end" }
	low := header(t, rpm.Builder{Name: "low", TransFileTriggers: []rpm.Trigger{trigger("/usr/lib", echo("low"), rpm.DepTriggerIn, 10)}})
	high := header(t, rpm.Builder{Name: "high", TransFileTriggers: []rpm.Trigger{trigger("/usr", echo("high"), rpm.DepTriggerIn, 20)}})
	lib := header(t, rpm.Builder{Name: "lib", Files: files("/usr/lib/l.so")})
	old := header(t, rpm.Builder{Name: "old", Files: files("/usr/lib/old.so")})
	all := []*rpm.Header{low, high, lib, old}
	// high is new: it sees all files. low was there: it sees the new ones.
	if err := r.FileTriggers(context.Background(), all, []*rpm.Header{high, lib}, nil); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"high.transfiletriggerin: high /usr/lib/l.so", "high.transfiletriggerin: high /usr/lib/old.so", "high.transfiletriggerin: high end",
		"low.transfiletriggerin: low /usr/lib/l.so", "low.transfiletriggerin: low end",
	}
	if !slices.Equal(log, want) {
		t.Errorf("log\n%s\nwant\n%s", strings.Join(log, "\n"), strings.Join(want, "\n"))
	}
}
