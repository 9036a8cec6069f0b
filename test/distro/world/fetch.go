package world

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// suite is the Debian release that the packages are of.
const suite = "bookworm"

// keyring has the keys that apt verifies the archive with.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// errUnavailable is wrapped if the packages cannot be had here: no apt, no network.
var errUnavailable = errors.New("the packages of the test distribution cannot be had")

// closure names the files of a downloaded set of packages, all of them in one directory.
type closure struct {
	Base    []string // what the release has
	Updates []string // what differs with its updates and security fixes
}

// fetcher runs apt with a state of its own, so that what the host has does not matter.
type fetcher struct {
	dir   string // the cache
	lists *lists
	log   io.Writer
}

// fetch returns the closure that the cache has, and downloads it if it has none: a
// second call needs no network, and the day's archive changes nothing.
func (f *fetcher) fetch(ctx context.Context) (closure, error) {
	h := sha256.New()
	fmt.Fprintln(h, suite, f.lists.seeds, f.lists.extra, slices.Sorted(maps.Keys(f.lists.blackhole)))
	record := filepath.Join(f.dir, fmt.Sprintf("closure-%x.json", h.Sum(nil)[:8]))
	var c closure
	if text, err := os.ReadFile(record); err == nil && json.Unmarshal(text, &c) == nil && f.complete(c) {
		return c, nil
	}
	c, err := f.download(ctx)
	if err != nil {
		return c, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	text, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return c, err
	}
	return c, os.WriteFile(record, append(text, '\n'), 0o644)
}

func (f *fetcher) path(name string) string { return filepath.Join(f.dir, "debs", name) }

func (f *fetcher) complete(c closure) bool {
	for _, name := range slices.Concat(c.Base, c.Updates) {
		if _, err := os.Stat(f.path(name)); err != nil {
			return false
		}
	}
	return true
}

func (f *fetcher) download(ctx context.Context) (closure, error) {
	for _, tool := range []string{"apt-get", "apt-config"} {
		if _, err := exec.LookPath(tool); err != nil {
			return closure{}, err
		}
	}
	if _, err := os.Stat(keyring); err != nil {
		return closure{}, err
	}
	main, security := archives(ctx)
	base := []string{source(main, suite)}
	names, err := f.apt(ctx, "base", base)
	if err != nil {
		return closure{}, err
	}
	newer, err := f.apt(ctx, "updates", append(base, source(main, suite+"-updates"), source(security, suite+"-security")))
	if err != nil {
		return closure{}, err
	}
	newer = slices.DeleteFunc(newer, func(n string) bool { return slices.Contains(names, n) })
	return closure{names, newer}, nil
}

func source(uri, suite string) string {
	return "deb [signed-by=" + keyring + "] " + uri + " " + suite + " main"
}

// archives returns where this machine's apt finds Debian, or Debian's own address.
func archives(ctx context.Context) (main, security string) {
	main, security = "http://deb.debian.org/debian", "http://deb.debian.org/debian-security"
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI)").Output()
	if err != nil {
		return main, security // the default will do
	}
	for uri := range strings.Lines(string(out)) {
		switch uri = strings.TrimRight(strings.TrimSpace(uri), "/"); {
		case strings.HasSuffix(uri, "/debian"):
			main = uri
		case strings.HasSuffix(uri, "/debian-security"):
			security = uri
		}
	}
	return main, security
}

// apt downloads the closure of all seeds from the sources and returns the files' names.
func (f *fetcher) apt(ctx context.Context, set string, sources []string) ([]string, error) {
	state := filepath.Join(f.dir, "apt-"+set)
	conf, err := f.configure(ctx, state, sources)
	if err != nil {
		return nil, err
	}
	run := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "APT_CONFIG="+conf, "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			err = fmt.Errorf("apt-get %s: %w: %s%s", args[0], err, out, stderr.Bytes())
		}
		return out, err
	}
	fmt.Fprintf(f.log, "apt: reading the package lists (%s)\n", set)
	if _, err := run("-qq", "update"); err != nil {
		return nil, err
	}
	install := append([]string{"-qq", "-y", "install"}, slices.Concat(f.lists.seeds, f.lists.extra)...)
	plan, err := run(append([]string{"--simulate"}, install...)...)
	if err != nil {
		return nil, err
	}
	names := planned(plan)
	fmt.Fprintf(f.log, "apt: downloading what is missing of %d packages (%s)\n", len(names), set)
	if _, err := run(append([]string{"--download-only"}, install...)...); err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, err := os.Stat(f.path(name)); err != nil {
			return nil, fmt.Errorf("apt did not download it: %w", err)
		}
	}
	return names, nil
}

// instLine is a line of apt-get --simulate: Inst NAME (VERSION ORIGIN [ARCH]) ...
var instLine = regexp.MustCompile(`(?m)^Inst (\S+) \((\S+) .*\[(\S+)\]\)`)

// planned returns the names of the files that apt gives to the packages of a plan.
func planned(plan []byte) []string {
	var names []string
	for _, m := range instLine.FindAllSubmatch(plan, -1) {
		version := strings.ReplaceAll(string(m[2]), ":", "%3a")
		names = append(names, fmt.Sprintf("%s_%s_%s.deb", m[1], version, m[3]))
	}
	slices.Sort(names)
	return names
}

// configure writes an apt configuration: an empty system but for the blackhole, which
// counts as installed in a version above all, and the host's way to the network.
func (f *fetcher) configure(ctx context.Context, state string, sources []string) (string, error) {
	debs := filepath.Join(f.dir, "debs")
	for _, d := range []string{filepath.Join(state, "lists/partial"), filepath.Join(debs, "partial")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return "", err
		}
	}
	var status strings.Builder
	for _, p := range slices.Sorted(maps.Keys(f.lists.blackhole)) {
		fmt.Fprintf(&status, "Package: %s\nStatus: install ok installed\nArchitecture: amd64\n"+
			"Multi-Arch: allowed\nVersion: 999:1\nProvides: debconf-2.0\n\n", p)
	}
	proxy, err := exec.CommandContext(ctx, "apt-config", "dump", "--format", "%F \"%v\";%n",
		"Acquire::http", "Acquire::https", "Acquire::Retries").Output()
	if err != nil {
		proxy = nil // an apt without such settings
	}
	conf := filepath.Join(state, "apt.conf")
	text := fmt.Sprintf(`Dir::State "%[1]s";
Dir::State::status "%[1]s/status";
Dir::State::lists "%[1]s/lists";
Dir::Cache "%[1]s";
Dir::Cache::archives "%[2]s";
Dir::Etc::sourcelist "%[1]s/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Install-Recommends "false";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
%[3]s`, state, debs, proxy)
	return conf, errors.Join(
		os.WriteFile(filepath.Join(state, "status"), []byte(status.String()), 0o644),
		os.WriteFile(filepath.Join(state, "sources.list"), []byte(strings.Join(sources, "\n")+"\n"), 0o644),
		os.WriteFile(conf, []byte(text), 0o644),
	)
}
