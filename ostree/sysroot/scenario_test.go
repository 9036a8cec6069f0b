package sysroot

import (
	"context"
	"slices"
	"strings"
	"testing"

	"rpmostree/ostree/bootloader"
)

// A step does the same with both programs.
type step struct {
	name string
	c    []string // arguments of the C program, without --sysroot
	ours func(*world, *Sysroot, *State)
}

// ourDeploy is a step's deployment of the head of os/main.
func ourDeploy(change func(*DeployOptions)) func(*world, *Sysroot, *State) {
	return func(w *world, s *Sysroot, st *State) {
		csum, err := s.Repo().ResolveRev("os/main")
		must(w.T, err)
		w.deploy(s, csum, change)
	}
}

func write(list func(*State) []Deployment) func(*world, *Sysroot, *State) {
	return func(w *world, s *Sysroot, st *State) {
		_, err := s.Write(context.Background(), st, list(st), WriteOptions{})
		must(w.T, err)
	}
}

func setKargs(edit func(*bootloader.Kargs)) func(*world, *Sysroot, *State) {
	return func(w *world, s *Sysroot, st *State) {
		k := st.Deployments[0].Kargs()
		edit(&k)
		_, err := s.SetKargs(context.Background(), st, st.Deployments[0], k)
		must(w.T, err)
	}
}

// TestScenario does a series of administrative steps with both programs and
// compares the sysroots after each.
func TestScenario(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.c("admin", "os-init", "--sysroot="+w.root(), "other")
	c, ours := w.clone(), w.clone()
	var said recorder
	o := options()
	o.Progress = &said
	s := ours.openWith(o)
	os := "--os=os"
	for i, step := range []step{
		{"first", []string{"deploy", os, "--karg=a=1", "--karg=b", "os/main"}, ourDeploy(func(o *DeployOptions) {
			k := bootloader.ParseKargs("a=1 b")
			o.Kargs = &k
		})},
		{"retain", []string{"deploy", os, "--retain", "os/main"}, ourDeploy(func(o *DeployOptions) { o.Retain.All = true })},
		{"retain again", []string{"deploy", os, "--retain", "os/main"}, ourDeploy(func(o *DeployOptions) { o.Retain.All = true })},
		{"not default", []string{"deploy", os, "--retain", "--not-as-default", "os/main"}, ourDeploy(func(o *DeployOptions) {
			o.Retain = Retain{All: true, NotDefault: true}
		})},
		{"pin", []string{"pin", "2"}, func(w *world, s *Sysroot, st *State) { must(w.T, s.Pin(st.Deployments[2], true)) }},
		{"undeploy", []string{"undeploy", "1"}, write(func(st *State) []Deployment { return st.Without(1) })},
		{"other stateroot", []string{"deploy", "--os=other", "--karg=c", "os/main"}, ourDeploy(func(o *DeployOptions) {
			k := bootloader.ParseKargs("c")
			o.Stateroot, o.Merge, o.Kargs = "other", nil, &k
		})},
		{"drop", []string{"deploy", os, "os/main"}, ourDeploy(nil)},
		{"kargs", []string{"deploy", os, "--karg=a=2", "--karg-append=b=3", "--karg-append=q=\"x y\"", "os/main"}, ourDeploy(func(o *DeployOptions) {
			k := o.Merge.Kargs()
			k.Replace("a=2")
			k.Append("b=3")
			k.Append(`q="x y"`)
			o.Kargs = &k
		})},
		{"kargs deleted", []string{"deploy", os, "--karg-delete=a=2", "os/main"}, ourDeploy(func(o *DeployOptions) {
			k := o.Merge.Kargs()
			must(t, k.DeleteIfPresent("a=2"))
			o.Kargs = &k
		})},
		{"set-kargs", []string{"instutil", "set-kargs", "--merge", "--append=z=1"}, setKargs(func(k *bootloader.Kargs) { k.Append("z=1") })},
		{"set-kargs without a change", []string{"instutil", "set-kargs", "--merge"}, setKargs(func(*bootloader.Kargs) {})},
		{"unpin", []string{"pin", "--unpin", "2"}, func(w *world, s *Sysroot, st *State) { must(w.T, s.Pin(st.Deployments[2], false)) }},
		{"no merge", []string{"deploy", os, "--no-merge", "os/main"}, ourDeploy(func(o *DeployOptions) { o.Merge = nil })},
		{"cleanup", []string{"cleanup"}, func(w *world, s *Sysroot, st *State) { must(w.T, s.Cleanup(context.Background(), st)) }},
	} {
		change := map[string]string{"usr/bin/tool": strings.Repeat("x", i), "usr/lib/modules/6.1.0/vmlinuz": strings.Repeat("k", i/2)}
		c.commit("1", change)
		ours.commit("1", change)
		args := append([]string{"admin"}, step.c...)
		at := 2
		if step.c[0] == "instutil" {
			at = 3
		}
		args = append(args[:at:at], append([]string{"--sysroot=" + c.root()}, args[at:]...)...)
		want := messages(c.c(args...))
		st, err := s.Load()
		must(t, err)
		said.lines = nil
		step.ours(ours, s, st)
		if got := strings.Join(said.lines, "\n"); got != want {
			t.Errorf("messages %q, want %q", got, want)
		}
		compare(t, c, ours)
		if t.Failed() {
			t.Fatalf("after step %q", step.name)
		}
	}
}

// messages returns what the C program's library says; the rest comes from its
// command line.
func messages(output string) string {
	var lines []string
	for line := range strings.Lines(output) {
		line = strings.TrimSuffix(line, "\n")
		own := func(prefix string) bool { return strings.HasPrefix(line, prefix) }
		if !slices.ContainsFunc([]string{"Freed objects: ", "Deleted deployment ", "Deployment "}, own) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
