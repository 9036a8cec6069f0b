package rpmmd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"

	"rpmostree/rpm/evr"
)

// Limits of modules.yaml.
const (
	// MaxModuleDocument is the size of one document, in bytes.
	MaxModuleDocument = 16 << 20
	// MaxModuleNesting is how deep values may be nested.
	MaxModuleNesting = 1000
	// MaxModuleDocuments is how many documents a file may have.
	MaxModuleDocuments = 1 << 16
)

// Modules are the module streams of a repository: sets of packages of which only
// those of active streams may be used.
type Modules struct {
	Modules  []Module
	Defaults []ModuleDefault
}

// A Module is one build of a stream of a module.
type Module struct {
	Name, Stream string
	Version      uint64
	Context      string
	Arch         string
	Artifacts    []string // packages, as NAME-EPOCH:VERSION-RELEASE.ARCH
}

// A ModuleDefault tells which stream is active if none is chosen.
type ModuleDefault struct {
	Module string
	Stream string // "" if there is no default
}

// moduleDocument is what is read of a YAML document of any kind.
type moduleDocument struct {
	Document string `yaml:"document"`
	Version  int    `yaml:"version"`
	Data     struct {
		Name      string `yaml:"name"`
		Module    string `yaml:"module"`
		Stream    any    `yaml:"stream"`
		Version   uint64 `yaml:"version"`
		Context   string `yaml:"context"`
		Arch      string `yaml:"arch"`
		Artifacts struct {
			RPMs []string `yaml:"rpms"`
		} `yaml:"artifacts"`
	} `yaml:"data"`
}

// ParseModules reads modules.yaml: documents of the kinds modulemd (version 2) and
// modulemd-defaults; others, which concern translations and life times, are
// ignored.
func ParseModules(r io.Reader) (*Modules, error) {
	m := &Modules{}
	err := eachDocument(r, func(b []byte) error {
		d, err := parseDocument(b)
		if err != nil {
			return err
		}
		stream := streamName(b, d.Data.Stream)
		switch {
		case d.Document == "modulemd-defaults":
			m.Defaults = append(m.Defaults, ModuleDefault{d.Data.Module, stream})
		case d.Document == "modulemd" && d.Version == 2:
			m.Modules = append(m.Modules, Module{
				Name: d.Data.Name, Stream: stream, Version: d.Data.Version,
				Context: d.Data.Context, Arch: d.Data.Arch, Artifacts: d.Data.Artifacts.RPMs,
			})
		}
		return nil
	})
	if err != nil {
		return nil, &ParseError{"modules", err}
	}
	return m, nil
}

// parseDocument parses one document. The YAML library panics for some malformed
// ones, and its recursion must be bounded.
func parseDocument(b []byte) (d moduleDocument, err error) {
	bad := errors.New("invalid YAML") // the library's errors quote the document
	if nesting(b) > MaxModuleNesting {
		return d, bad
	}
	defer func() {
		if recover() != nil {
			err = bad
		}
	}()
	if yaml.Unmarshal(b, &d) != nil {
		return d, bad
	}
	return d, nil
}

// nesting returns an upper bound of how deep a document is nested on one line or
// by brackets.
func nesting(b []byte) int {
	most, open := 0, 0
	for line := range bytes.Lines(b) {
		dashes := 0
		for i, c := range line {
			switch {
			case c == '[' || c == '{':
				open++
			case c == ']' || c == '}':
				open = max(open-1, 0)
			case (c == '-' || c == '?' || c == ':') && i+1 < len(line) && line[i+1] == ' ':
				dashes++
			}
		}
		most = max(most, open, dashes)
	}
	return most
}

// streamName returns the stream as it is written: 1.10 without quotes is a name,
// not the number 1.1.
func streamName(doc []byte, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	for line := range bytes.Lines(doc) {
		if rest, ok := bytes.CutPrefix(line, []byte("  stream:")); ok {
			text, _, _ := strings.Cut(string(rest), " #")
			return strings.Trim(strings.TrimSpace(text), `"'`)
		}
	}
	return fmt.Sprint(v)
}

// eachDocument calls fn for each YAML document of a stream.
func eachDocument(r io.Reader, fn func([]byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	var doc []byte
	count := 0
	flush := func() error {
		if len(bytes.TrimSpace(doc)) == 0 {
			return nil
		}
		if count++; count > MaxModuleDocuments {
			return errLimit
		}
		err := fn(doc)
		doc = doc[:0]
		return err
	}
	for lines.Scan() {
		line := lines.Bytes()
		if s := string(bytes.TrimRight(line, " \r")); s == "---" || s == "..." {
			if err := flush(); err != nil {
				return err
			}
			continue
		}
		if len(doc)+len(line) > MaxModuleDocument {
			return errLimit
		}
		doc = append(append(doc, line...), '\n')
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return flush()
}

// A ModuleFilter tells which packages modularity hides.
type ModuleFilter struct {
	active, inactive map[string]bool // artifacts, as Package.String with the epoch always written
	names            map[string]bool // of packages in active streams
}

// NewModuleFilter makes the filter for the modules of all repositories. Enabled
// maps modules to the streams that the system has chosen; for others the default
// stream is active, unless they are disabled.
func NewModuleFilter(repos []*Modules, enabled map[string]string, disabled map[string]bool) *ModuleFilter {
	streams := map[string]string{}
	for _, m := range repos {
		for _, d := range m.Defaults {
			if d.Stream != "" && !disabled[d.Module] {
				streams[d.Module] = d.Stream
			}
		}
	}
	for name, stream := range enabled {
		streams[name] = stream
	}
	f := &ModuleFilter{active: map[string]bool{}, inactive: map[string]bool{}, names: map[string]bool{}}
	for _, m := range repos {
		for _, mod := range m.Modules {
			s, ok := streams[mod.Name]
			f.add(&mod, ok && s == mod.Stream)
		}
	}
	return f
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
// not active, or it has the name of a package of an active stream and is none.
// Packages of repositories with module_hotfixes must not be asked about.
func (f *ModuleFilter) Hides(n evr.NEVRA) bool {
	if len(f.active)+len(f.inactive) == 0 {
		return false
	}
	n.HasEpoch = true
	key := n.String()
	if f.active[key] {
		return false
	}
	return f.inactive[key] || f.names[n.Name]
}
