package ostree

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

// Every command that the help shows has a page with a text, and a text has a command.
func TestPages(t *testing.T) {
	texts := manualTexts()
	for _, p := range Pages() {
		if texts[p.Name] == "" {
			t.Errorf("%s: no text in manual.txt", p.Name)
		}
		delete(texts, p.Name)
		var b bytes.Buffer
		if err := p.Write(&b); err != nil {
			t.Fatal(err)
		}
		for _, o := range p.Options {
			if !o.Hidden && !strings.Contains(b.String(), strings.ReplaceAll("--"+o.Name, "-", `\-`)) {
				t.Errorf("%s: no --%s", p.Name, o.Name)
			}
		}
	}
	for name := range texts {
		t.Errorf("manual.txt has %q, which is no command", name)
	}
}

// Completions name every command and option.
func TestCompletion(t *testing.T) {
	for shell := range shells {
		var b bytes.Buffer
		if err := Completion(&b, shell); err != nil {
			t.Fatal(err)
		}
		commands().walk(func(c *command) {
			if !c.hidden && !strings.Contains(b.String(), c.name) {
				t.Errorf("%s: no %s", shell, c.path())
			}
			for _, o := range c.completed() {
				if !strings.Contains(b.String(), o.Name) {
					t.Errorf("%s: %s has no --%s", shell, c.path(), o.Name)
				}
			}
		})
		cmd := exec.CommandContext(t.Context(), treetest.Oracle(t, shell), "-n")
		cmd.Stdin = &b
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s -n: %v %s", shell, err, out)
		}
	}
	if err := Completion(&bytes.Buffer{}, "tcsh"); err == nil {
		t.Error("tcsh is completed")
	}
}

// TestBash lets bash complete command lines.
func TestBash(t *testing.T) {
	treetest.Oracle(t, "bash")
	dir := t.TempDir()
	var b bytes.Buffer
	if err := Completion(&b, "bash"); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "ostree")
	if err := os.WriteFile(script, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"sta|":                              "static-delta",
		"--repo|":                           "--repo=",
		"remote |":                          "add,delete,show-url,list",
		"--repo = r remote gpg|":            "gpg-import,gpg-list-keys",
		"remote add --gpg|":                 "--gpg-import=",
		"commit --tr|":                      "--tree=",
		"admin deploy --os = fedora --ret|": "--retain,--retain-pending,--retain-rollback",
		"checkout main f|":                  "folder",
		"checkout --subpath = fo|":          "folder",
		"checkout m|":                       "main",
		"log --repo = x |":                  "main,x-only",
		"pull o|":                           "origin",
		"pull origin m|":                    "main",
	} {
		words := append([]string{"ostree"}, strings.Split(strings.TrimSuffix(line, "|"), " ")...)
		// What the functions ask the program for.
		fake := `ostree() { case "$*" in 'refs') echo main;; 'refs --repo x') echo main x-only;; 'remote list') echo origin;; esac; }
source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ostree; (IFS=,; echo "${COMPREPLY[*]}")`
		cmd := exec.CommandContext(t.Context(), "bash", append([]string{"-c", fake, "bash", script}, words...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		got := strings.Split(strings.TrimSpace(string(out)), ",")
		for _, w := range strings.Split(want, ",") {
			if !slices.Contains(got, w) {
				t.Errorf("%s: %v %q, want %s", line, err, got, w)
			}
		}
	}
}

// TestFish lets fish complete command lines.
func TestFish(t *testing.T) {
	fish := treetest.Oracle(t, "fish")
	dir := t.TempDir()
	var b bytes.Buffer
	if err := Completion(&b, "fish"); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "ostree.fish")
	if err := os.WriteFile(script, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"sta": "static-delta", "remote gpg": "gpg-import,gpg-list-keys", "remote add --gpg": "--gpg-import", "commit --tr": "--tree",
		"admin deploy --ret": "--retain,--retain-pending,--retain-rollback", "checkout ": "main", "checkout main fol": "folder/", "pull o": "origin", "ls -": "-R,--recursive,-C",
	} {
		// What the completion asks the program for.
		fake := `function ostree; switch "$argv"; case refs; echo main; case "remote list"; echo origin; end; end; source $argv[1]; complete -C "ostree $argv[2]"`
		cmd := exec.CommandContext(t.Context(), fish, "--no-config", "-c", fake, script, line)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
		out, err := cmd.Output()
		var got []string
		for l := range strings.Lines(string(out)) {
			word, _, _ := strings.Cut(strings.TrimSuffix(l, "\n"), "\t")
			got = append(got, word)
		}
		for _, w := range strings.Split(want, ",") {
			if !slices.Contains(got, w) {
				t.Errorf("%s: %v %q, want %s", line, err, got, w)
			}
		}
	}
}

// TestPagesRead has groff read the pages, which warns of nothing.
func TestPagesRead(t *testing.T) {
	groff := treetest.Oracle(t, "groff")
	var all, text, warnings bytes.Buffer
	for _, p := range Pages() {
		if err := p.Write(&all); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), groff, "-man", "-Tutf8", "-ww", "-rLL=100n", "-P-c")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &all, &text, &warnings
	if err := cmd.Run(); err != nil || warnings.Len() > 0 {
		t.Errorf("%v %s", err, warnings.String())
	}
	squeezed := strings.Join(strings.Fields(text.String()), " ")
	for _, p := range Pages() {
		if name := strings.TrimSuffix(p.File(), ".1"); !strings.Contains(squeezed, name+" - ") {
			t.Errorf("no page %s", name)
		}
	}
}
