package rpmmd

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"rpmostree/internal/yaml"
	"rpmostree/rpm/evr"
)

// Limits of modules.yaml.
const (
	MaxModuleDocument  = 4 << 20 // bytes of one document
	MaxModuleDocuments = 1 << 16 // documents of a file
	MaxModuleWarnings  = 20      // after which documents that are left out are only counted
)

// Modules are the module streams of a repository: sets of packages of which only
// those of active streams may be used.
type Modules struct {
	Modules   []Module
	Defaults  []ModuleDefault
	Obsoletes []ModuleObsoletes
	// Warnings tell which documents are left out, and why.
	Warnings []string
}

// A Module is one build of a stream of a module.
type Module struct {
	Name, Stream string
	Version      uint64
	Context      string
	Arch         string
	Artifacts    []string // packages, as NAME-EPOCH:VERSION-RELEASE.ARCH
	// Requires are alternatives: streams of other modules, of which one list must be
	// met. A stream with "-" before it must not be active; no stream means any.
	Requires []map[string][]string
}

// A ModuleDefault tells which stream is active if none is chosen.
type ModuleDefault struct {
	Module   string
	Stream   string // "" if there is no default
	Modified uint64 // a later one counts
}

// ModuleObsoletes tells that a stream has ended, and which follows it.
type ModuleObsoletes struct {
	Module, Stream string
	Context        string // "" for all
	Modified       time.Time
	EOL            time.Time // zero for at once
	Message        string
	ByModule       string // "" if nothing follows
	ByStream       string
	Reset          bool // earlier ones do not count
}

// moduleDocument is what is read of a YAML document of any kind.
type moduleDocument struct {
	Document string `yaml:"document"`
	Version  int    `yaml:"version"`
	Data     struct {
		Name      string      `yaml:"name"`
		Module    string      `yaml:"module"`
		Stream    yaml.Scalar `yaml:"stream"`
		Version   uint64      `yaml:"version"`
		Context   yaml.Scalar `yaml:"context"`
		Arch      string      `yaml:"arch"`
		Modified  any         `yaml:"modified"`
		Artifacts struct {
			RPMs []string `yaml:"rpms"`
		} `yaml:"artifacts"`
		Dependencies []struct {
			Requires map[string][]yaml.Scalar `yaml:"requires"`
		} `yaml:"dependencies"`
		Reset       bool   `yaml:"reset"`
		EOL         any    `yaml:"eol_date"`
		Message     string `yaml:"message"`
		ObsoletedBy struct {
			Module string      `yaml:"module"`
			Stream yaml.Scalar `yaml:"stream"`
		} `yaml:"obsoleted_by"`
	} `yaml:"data"`
}

// ParseModules reads modules.yaml: documents of the kinds modulemd (version 2),
// modulemd-defaults and modulemd-obsoletes; translations and what packagers write
// are ignored. As by libmodulemd, documents with contents that make no sense are left
// out, with a warning, and what is no YAML is an error.
func ParseModules(r io.Reader) (*Modules, error) {
	m := &Modules{}
	number, ignored := 0, 0
	err := eachDocument(r, func(b []byte) error {
		number++
		var d moduleDocument
		err := yaml.Decode(b, yaml.Aliases{}, &d)
		if err == nil {
			err = d.check()
		}
		switch {
		case errors.Is(err, yaml.ErrType):
			if ignored++; ignored <= MaxModuleWarnings {
				m.Warnings = append(m.Warnings, fmt.Sprintf("modules: document %d is ignored: %.300v", number, err))
			}
		case err != nil:
			return fmt.Errorf("document %d: %w", number, err)
		default:
			m.add(&d)
		}
		return nil
	})
	if err != nil {
		return nil, &ParseError{"modules", err}
	}
	if more := ignored - MaxModuleWarnings; more > 0 {
		m.Warnings = append(m.Warnings, fmt.Sprintf("modules: %d more documents are ignored", more))
	}
	return m, nil
}

// check reports what libmodulemd would leave out: documents of an unknown kind or
// without what they are about.
func (d *moduleDocument) check() error {
	missing := ""
	switch d.Document {
	case "modulemd", "modulemd-stream":
		switch {
		case d.Version != 2 && d.Version != 0:
			return fmt.Errorf("%w: version %d of a module", yaml.ErrType, d.Version)
		case d.Data.Name == "":
			missing = "name"
		case d.Data.Stream == "":
			missing = "stream"
		}
	case "modulemd-defaults", "modulemd-obsoletes":
		if d.Data.Module == "" {
			missing = "module"
		}
	case "modulemd-translations", "modulemd-packager":
	default:
		return fmt.Errorf("%w: document: %.100q", yaml.ErrType, d.Document)
	}
	switch {
	case d.Version == 0:
		return fmt.Errorf("%w: version is missing", yaml.ErrType)
	case missing != "":
		return fmt.Errorf("%w: data.%s is missing", yaml.ErrType, missing)
	}
	return nil
}

func (m *Modules) add(d *moduleDocument) {
	x := &d.Data
	stream, context := string(x.Stream), string(x.Context)
	switch {
	case d.Document == "modulemd-defaults":
		modified, _ := strconv.ParseUint(fmt.Sprint(x.Modified), 10, 64)
		m.Defaults = append(m.Defaults, ModuleDefault{x.Module, stream, modified})
	case d.Document == "modulemd-obsoletes":
		m.Obsoletes = append(m.Obsoletes, ModuleObsoletes{
			Module: x.Module, Stream: stream, Context: context, Modified: moduleTime(x.Modified), EOL: moduleTime(x.EOL),
			Message: x.Message, ByModule: x.ObsoletedBy.Module, ByStream: string(x.ObsoletedBy.Stream), Reset: x.Reset,
		})
	case d.Document == "modulemd" || d.Document == "modulemd-stream":
		mod := Module{Name: x.Name, Stream: stream, Version: x.Version, Context: context, Arch: x.Arch, Artifacts: x.Artifacts.RPMs}
		for _, dep := range x.Dependencies {
			if len(dep.Requires) > 0 {
				mod.Requires = append(mod.Requires, streamNames(dep.Requires))
			}
		}
		m.Modules = append(m.Modules, mod)
	}
}

func streamNames(requires map[string][]yaml.Scalar) map[string][]string {
	out := make(map[string][]string, len(requires))
	for name, streams := range requires {
		out[name] = nil
		for _, s := range streams {
			out[name] = append(out[name], string(s))
		}
	}
	return out
}

// moduleTime reads a time to the minute, which is zero if there is none.
func moduleTime(v any) time.Time {
	switch v := v.(type) {
	case time.Time:
		return v
	case string:
		for _, layout := range []string{"2006-01-02T15:04Z", time.RFC3339, time.DateOnly} {
			if t, err := time.Parse(layout, v); err == nil {
				return t
			}
		}
	}
	return time.Time{}
}

// separated reports whether a line ends a document, and returns what the next one
// has on that line, which is counted as its first.
func separated(line []byte) ([]byte, bool) {
	rest, ok := bytes.CutPrefix(line, []byte("---"))
	if !ok {
		rest, ok = bytes.CutPrefix(line, []byte("..."))
	}
	if !ok || len(rest) > 0 && !bytes.ContainsRune([]byte(" \t\r"), rune(rest[0])) {
		return nil, false
	}
	if rest = bytes.TrimSpace(rest); len(rest) > 0 && rest[0] == '#' {
		rest = nil
	}
	return rest, true
}

// eachDocument calls fn for each YAML document of a stream.
func eachDocument(r io.Reader, fn func([]byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	var doc []byte
	content := false // there is more than comments
	count := 0
	flush := func() error {
		if content {
			if count++; count > MaxModuleDocuments {
				return errLimit
			}
			if err := fn(doc); err != nil {
				return err
			}
		}
		doc, content = doc[:0], false
		return nil
	}
	for lines.Scan() {
		line := lines.Bytes()
		if rest, ok := separated(line); ok {
			if err := flush(); err != nil {
				return err
			}
			line = rest
		} else if len(line) > 0 && line[0] == '%' && !content {
			continue // a directive
		}
		if len(doc)+len(line) > MaxModuleDocument {
			return errLimit
		}
		text := bytes.TrimSpace(line)
		content = content || len(text) > 0 && text[0] != '#'
		doc = append(append(doc, line...), '\n')
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return flush()
}

// ModuleState is what a system has chosen.
type ModuleState struct {
	Enabled  map[string]string // module to stream
	Disabled map[string]bool
	// Platform is the stream of the module "platform", which stands for the
	// distribution: that of PLATFORM_ID in os-release. If it is empty, requirements on
	// it are met.
	Platform string
	Now      time.Time // when obsoletes are judged; zero for never
}

// LoadModuleState reads what a system has chosen from etc/dnf/modules.d and
// PLATFORM_ID.
func LoadModuleState(fsys fs.FS) (ModuleState, error) {
	st := ModuleState{Enabled: map[string]string{}, Disabled: map[string]bool{}}
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		if b, err := readFile(fsys, name, MaxRepoFile); err == nil {
			st.Platform = platform(string(b))
			break
		}
	}
	const dir = "etc/dnf/modules.d"
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil && !isNotExist(err) {
		return st, fmt.Errorf("reading module states: %w", err)
	}
	for _, e := range entries {
		if path.Ext(e.Name()) != ".module" {
			continue
		}
		sections, err := loadINI(fsys, path.Join(dir, e.Name()))
		if err != nil {
			return st, err
		}
		for _, s := range sections {
			name := cmp.Or(s.values["name"], s.name)
			switch stream := s.values["stream"]; {
			case s.values["state"] == "disabled":
				st.Disabled[name] = true
			case s.values["state"] == "enabled" && stream != "":
				st.Enabled[name] = stream
			}
		}
	}
	return st, nil
}

// platform returns the stream in PLATFORM_ID="platform:STREAM".
func platform(osRelease string) string {
	for line := range strings.Lines(osRelease) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "PLATFORM_ID="); ok {
			_, stream, _ := strings.Cut(strings.Trim(v, `"'`), ":")
			return stream
		}
	}
	return ""
}

// A ModuleFilter tells which packages modularity hides.
type ModuleFilter struct {
	active, inactive map[string]bool // artifacts, as Package.String with the epoch always written
	names            map[string]bool // of packages in active streams
}

// NewModuleFilter makes the filter for the modules of all repositories. A stream is
// active if the system has chosen it, or if it is the default and nothing is chosen.
// What it requires must be active, too.
func NewModuleFilter(repos []*Modules, state ModuleState) *ModuleFilter {
	streams := defaultStreams(repos)
	for name := range state.Disabled {
		delete(streams, name)
	}
	for name, stream := range state.Enabled {
		streams[name] = stream
	}
	if !state.Now.IsZero() {
		obsolete(streams, state, repos)
	}
	active := map[*Module]bool{}
	for _, r := range repos {
		for i := range r.Modules {
			m := &r.Modules[i]
			stream, ok := streams[m.Name]
			active[m] = ok && stream == m.Stream
		}
	}
	dropUnmet(active, state.Platform)
	f := &ModuleFilter{active: map[string]bool{}, inactive: map[string]bool{}, names: map[string]bool{}}
	for m, ok := range active {
		f.add(m, ok)
	}
	return f
}

// defaultStreams returns the default stream of each module. Of two that contradict
// each other the one that was changed later counts; if there is none, neither does.
func defaultStreams(repos []*Modules) map[string]string {
	last := map[string]ModuleDefault{}
	for _, r := range repos {
		for _, d := range r.Defaults {
			switch old, seen := last[d.Module]; {
			case !seen || d.Modified > old.Modified:
				last[d.Module] = d
			case d.Modified == old.Modified && d.Stream != old.Stream:
				old.Stream = ""
				last[d.Module] = old
			}
		}
	}
	streams := map[string]string{}
	for name, d := range last {
		if d.Stream != "" {
			streams[name] = d.Stream
		}
	}
	return streams
}

// obsolete replaces chosen streams that have ended.
func obsolete(streams map[string]string, state ModuleState, repos []*Modules) {
	last := map[[2]string]ModuleObsoletes{}
	for _, r := range repos {
		for _, o := range r.Obsoletes {
			key := [2]string{o.Module, o.Stream}
			if old, seen := last[key]; !seen || o.Modified.After(old.Modified) {
				last[key] = o
			}
		}
	}
	for name, stream := range state.Enabled {
		o, ok := last[[2]string{name, stream}]
		if !ok || o.Reset || o.EOL.After(state.Now) {
			continue
		}
		if delete(streams, name); o.ByModule != "" {
			streams[o.ByModule] = o.ByStream
		}
	}
}

// dropUnmet makes modules inactive that require what is not active, until there are
// no more. It looks at a module again only if something that it names is gone.
func dropUnmet(active map[*Module]bool, platform string) {
	streams := map[string]map[string]int{} // active modules by name and stream
	needing := map[string][]*Module{}      // by the name of what they require
	var check []*Module
	for m, ok := range active {
		if !ok {
			continue
		}
		if streams[m.Name] == nil {
			streams[m.Name] = map[string]int{}
		}
		streams[m.Name][m.Stream]++
		check = append(check, m)
		for _, alternative := range m.Requires {
			for name := range alternative {
				needing[name] = append(needing[name], m)
			}
		}
	}
	if platform != "" {
		streams["platform"] = map[string]int{platform: 1 + len(active)} // it never goes
	}
	for len(check) > 0 {
		m := check[len(check)-1]
		check = check[:len(check)-1]
		if !active[m] || m.met(streams, platform == "") {
			continue
		}
		active[m] = false
		if streams[m.Name][m.Stream]--; streams[m.Name][m.Stream] <= 0 {
			delete(streams[m.Name], m.Stream)
			check = append(check, needing[m.Name]...)
		}
	}
}

// met reports whether one of the alternatives is met by the active streams.
func (m *Module) met(streams map[string]map[string]int, anyPlatform bool) bool {
	return len(m.Requires) == 0 || slices.ContainsFunc(m.Requires, func(alternative map[string][]string) bool {
		for name, wanted := range alternative {
			if name == "platform" && anyPlatform {
				continue
			}
			if !anyStream(streams[name], wanted) {
				return false
			}
		}
		return true
	})
}

func anyStream(active map[string]int, wanted []string) bool {
	only := false // streams are named that will do
	for _, w := range wanted {
		only = only || !strings.HasPrefix(w, "-")
	}
	for stream := range active {
		if !only && !slices.Contains(wanted, "-"+stream) || only && slices.Contains(wanted, stream) {
			return true
		}
	}
	return false
}

func (f *ModuleFilter) add(m *Module, active bool) {
	for _, a := range m.Artifacts {
		if !active {
			f.inactive[a] = true
			continue
		}
		f.active[a] = true
		if n, err := evr.ParseNEVRA(a); err == nil && n.Arch != "src" {
			f.names[n.Name] = true
		}
	}
}

// Hides reports whether a package must not be used: it belongs to a stream that is
// not active, or it is of none and has, or provides, the name of a package of an
// active stream. Packages of repositories with module_hotfixes must not be asked
// about.
func (f *ModuleFilter) Hides(n evr.NEVRA, provides iter.Seq[string]) bool {
	if len(f.active)+len(f.inactive) == 0 {
		return false
	}
	n.HasEpoch = true
	key := n.String()
	if f.active[key] {
		return false
	}
	if f.inactive[key] || f.names[n.Name] {
		return true
	}
	for name := range provides {
		if f.names[name] {
			return true
		}
	}
	return false
}
