package treefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Limits of what a manifest refers to.
const (
	MaxIncludeDepth = 50
	MaxFileSize     = 64 << 20 // bytes of one file that is added or run
	MaxFinalizers   = 1000     // files in a directory finalize.d
)

const finalizeDir = "finalize.d"

// Treefile is a manifest with all that it includes and refers to.
type Treefile struct {
	Config

	Dir        string            // of the manifest that was asked for
	Script     *File             // postprocess-script, nil if there is none
	Files      []AddedFile       // add-files, in order
	Passwd     []byte            // file of check-passwd
	Group      []byte            // file of check-groups
	Finalizers map[string]string // paths of programs in finalize.d, by name; they are run on the host
	Inputs     []string          // paths of all manifests, in the order in which they were read
}

// File is a file that a manifest refers to.
type File struct {
	Data []byte
	Mode fs.FileMode // permission bits
}

// AddedFile is a file to be put into the tree.
type AddedFile struct {
	Source string // as the manifest has it
	Dest   string // absolute path in the tree
	File
}

// Options configure Load.
type Options struct {
	// Arch is the architecture to build for, by rpm's name. "" leaves it
	// open: then the manifest's own basearch is ignored and architecture
	// specific keys do not apply.
	Arch string
	// Variables override those that manifests define.
	Variables map[string]Var
}

// Load reads the manifest at path and everything that it needs.
func Load(path string, o Options) (*Treefile, error) {
	l := loader{arch: o.Arch, vars: maps.Clone(o.Variables), seen: map[fileID]bool{}}
	if l.vars == nil {
		l.vars = map[string]Var{}
	}
	t, err := l.load(path, 0)
	if err != nil {
		return nil, err
	}
	t.Dir = filepath.Dir(path)
	t.Inputs = l.inputs
	t.Variables = l.vars
	if err := t.substitute(); err != nil {
		return nil, err
	}
	if err := t.validate(); err != nil {
		return nil, err
	}
	if t.Script != nil && t.Script.Mode&0o111 == 0 {
		return nil, errors.New("postprocess-script must be executable")
	}
	return t, nil
}

// loader is the state of reading a manifest and its includes.
type loader struct {
	arch   string
	vars   map[string]Var // those of the files read so far; the first definition wins
	seen   map[fileID]bool
	inputs []string
}

// fileID identifies a file whatever path leads to it.
type fileID struct{ dev, ino uint64 }

func (l *loader) load(path string, depth int) (*Treefile, error) {
	in, err := l.parse(path)
	if err != nil {
		return nil, err
	}
	t := &Treefile{Config: in.Config}
	if err := t.readFiles(filepath.Dir(path)); err != nil {
		return nil, err
	}
	for name, v := range in.Variables {
		if _, ok := l.vars[name]; !ok {
			l.vars[name] = v
		}
	}
	t.RepoVars = in.RepoVars
	includes, err := l.includes(in, t)
	if err != nil {
		return nil, fmt.Errorf("Parsing %s: %w", path, err)
	}
	for _, include := range includes {
		if depth == MaxIncludeDepth {
			return nil, fmt.Errorf("Reached maximum include depth %d", MaxIncludeDepth)
		}
		if !filepath.IsAbs(include) {
			include = filepath.Join(filepath.Dir(path), include)
		}
		included, err := l.load(include, depth+1)
		if err != nil {
			return nil, err
		}
		t.merge(included)
	}
	return t, nil
}

// parse reads one file.
func (l *loader) parse(path string) (*input, error) {
	data, fi, err := readFile(path, MaxSize)
	if err != nil {
		return nil, err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, fmt.Errorf("%s: no file identity", path)
	}
	id := fileID{uint64(st.Dev), st.Ino}
	if l.seen[id] {
		return nil, fmt.Errorf("Include loop detected; %s was already included", path)
	}
	l.seen[id] = true
	l.inputs = append(l.inputs, path)
	var in *input
	if strings.HasSuffix(path, ".ks") {
		in, err = loadKickstart(path, data)
	} else {
		in, err = parseInput(data, FormatOf(path), l.arch)
	}
	if err != nil {
		return nil, fmt.Errorf("Parsing %s: %w", path, err)
	}
	return in, nil
}

// includes returns the paths that a manifest includes, and merges manifests
// that are written in place into t.
func (l *loader) includes(in *input, t *Treefile) ([]string, error) {
	paths := slices.Clone([]string(in.Include))
	paths = append(paths, in.ArchInclude[l.arch]...)
	for _, c := range in.ConditionalInclude {
		ok, err := c.If.holds(l.vars)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		var list stringOrList
		if json.Unmarshal(c.Include, &list) == nil && list != nil {
			paths = append(paths, list...)
			continue
		}
		inline, err := l.inline(c.Include)
		if err != nil {
			return nil, fmt.Errorf("conditional-include: %w", err)
		}
		t.Merge(inline)
	}
	return paths, nil
}

// inline reads a manifest that is the value of a key.
func (l *loader) inline(b json.RawMessage) (*Config, error) {
	var keys map[string]json.RawMessage
	if len(b) == 0 {
		return nil, errors.New("missing field `include`")
	}
	if err := decode(b, &keys); err != nil {
		return nil, err
	}
	in, err := fromKeys(keys, YAML, l.arch)
	if err != nil {
		return nil, err
	}
	for key, used := range map[string]bool{
		"include":             len(in.Include)+len(in.ArchInclude)+len(in.ConditionalInclude) > 0,
		"add-files":           len(in.AddFiles) > 0,
		"postprocess-script":  in.PostprocessScript != "",
		"check-passwd's file": in.CheckPasswd != nil && in.CheckPasswd.Type == CheckFile,
		"check-groups's file": in.CheckGroups != nil && in.CheckGroups.Type == CheckFile,
	} {
		if used {
			return nil, fmt.Errorf("%s is not supported here", key)
		}
	}
	in.Config.RepoVars = in.RepoVars
	return &in.Config, nil
}

// merge is Config.Merge with the files of both.
func (t *Treefile) merge(included *Treefile) {
	// The file of a key comes from the manifest that has the key.
	if t.PostprocessScript == "" {
		t.Script = included.Script
	}
	if t.CheckPasswd == nil {
		t.Passwd = included.Passwd
	}
	if t.CheckGroups == nil {
		t.Group = included.Group
	}
	prepend(&t.Files, included.Files)
	for name, path := range included.Finalizers {
		if t.Finalizers == nil {
			t.Finalizers = map[string]string{}
		}
		t.Finalizers[name] = path
	}
	t.Merge(&included.Config)
}

// readFiles reads what a manifest in directory dir refers to.
func (t *Treefile) readFiles(dir string) error {
	read := func(path string) (*File, error) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		data, fi, err := readFile(path, MaxFileSize)
		if err != nil {
			return nil, err
		}
		return &File{data, fi.Mode().Perm()}, nil
	}
	var err error
	if t.PostprocessScript != "" {
		if t.Script, err = read(t.PostprocessScript); err != nil {
			return err
		}
	}
	for _, f := range t.AddFiles {
		file, err := read(f[0])
		if err != nil {
			return err
		}
		t.Files = append(t.Files, AddedFile{f[0], "/" + strings.TrimLeft(f[1], "/"), *file})
	}
	if c := t.CheckPasswd; c != nil && c.Type == CheckFile {
		file, err := read(c.Filename)
		if err != nil {
			return err
		}
		t.Passwd = file.Data
	}
	if c := t.CheckGroups; c != nil && c.Type == CheckFile {
		file, err := read(c.Filename)
		if err != nil {
			return err
		}
		t.Group = file.Data
	}
	t.Finalizers, err = finalizers(filepath.Join(dir, finalizeDir))
	return err
}

// finalizers returns the executable files in a directory, which need not exist.
func finalizers(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(entries) > MaxFinalizers {
		return nil, fmt.Errorf("%s: more than %d files", dir, MaxFinalizers)
	}
	out := map[string]string{}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		fi, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if fi.Mode().IsRegular() && fi.Mode()&0o100 != 0 {
			out[e.Name()] = path
		}
	}
	return out, nil
}

// readFile returns the content of a regular file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, fs.FileInfo, error) {
	fail := func(err error) ([]byte, fs.FileInfo, error) {
		return nil, nil, fmt.Errorf("Can't open file %q for reading: %w", path, err)
	}
	// A FIFO must not block.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return fail(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return fail(err)
	}
	if !fi.Mode().IsRegular() {
		return fail(errors.New("not a regular file"))
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return fail(err)
	}
	if int64(len(data)) > limit {
		return fail(fmt.Errorf("more than %d bytes", limit))
	}
	return data, fi, nil
}
