package treefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"rpmostree/internal/yaml"
)

// Limits of a manifest.
const (
	MaxSize      = 1 << 20 // bytes of one file
	MaxAnchors   = 100     // YAML anchors in one file
	MaxExpansion = 4 << 20 // bytes that YAML aliases stand for
)

// Format is the syntax of a manifest.
type Format uint8

// Formats. In JSON, keys that are not known are ignored, so that they can serve
// as comments; in YAML they are errors.
const (
	YAML Format = iota
	JSON
)

// FormatOf returns the format that the name of a file stands for: YAML if it
// ends in ".yaml" or ".yml", else JSON.
func FormatOf(name string) Format {
	if strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
		return YAML
	}
	return JSON
}

// Parse reads a manifest that has no includes and refers to no files, such as
// the one that a client sends to the daemon. arch is the architecture it is
// for, by rpm's name; "" leaves it open.
func Parse(data []byte, format Format, arch string) (*Config, error) {
	in, err := parseInput(data, format, arch)
	if err != nil {
		return nil, err
	}
	if len(in.Include)+len(in.ArchInclude)+len(in.ConditionalInclude) > 0 {
		return nil, errors.New("include is only supported in files")
	}
	c := &in.Config
	c.Variables, c.RepoVars = in.Variables, in.RepoVars
	if err := c.substitute(); err != nil {
		return nil, err
	}
	return c, c.validate()
}

// parseInput reads one manifest, without what it includes.
func parseInput(data []byte, format Format, arch string) (*input, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%d bytes exceed the limit of %d", len(data), MaxSize)
	}
	if format == YAML {
		var err error
		if data, err = yamlToJSON(data); err != nil {
			return nil, err
		}
	}
	var keys map[string]json.RawMessage
	if err := decode(data, &keys); err != nil {
		return nil, err
	}
	return fromKeys(keys, format, arch)
}

// fromKeys interprets the members of a manifest.
func fromKeys(keys map[string]json.RawMessage, format Format, arch string) (*input, error) {
	archPackages, err := takeArchPackages(keys, arch)
	if err != nil {
		return nil, err
	}
	if err := renameLegacy(keys); err != nil {
		return nil, err
	}
	var unknown []string
	for key := range keys {
		if !knownKeys()[key] {
			unknown = append(unknown, key)
			delete(keys, key)
		}
	}
	if len(unknown) > 0 && format == YAML {
		slices.Sort(unknown)
		return nil, fmt.Errorf("Unknown fields: %s", strings.Join(unknown, ", "))
	}
	in := &input{archPackages: archPackages}
	// One by one, so that an error can name the key.
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		member, err := json.Marshal(map[string]json.RawMessage{key: keys[key]})
		if err != nil {
			return nil, err
		}
		if err := decode(member, in); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return in, in.complete(arch)
}

// knownKeys is the set of keys of a manifest.
var knownKeys = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	var add func(t reflect.Type)
	add = func(t reflect.Type) {
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Anonymous {
				add(f.Type)
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "" && name != "-" {
				out[name] = true
			}
		}
	}
	add(reflect.TypeFor[input]())
	return out
})

// decode reads one JSON value. Numbers of free-form values keep their text.
func decode(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return clearer(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("text after the end of the manifest")
	}
	return nil
}

// clearer says what is wrong in terms of the manifest instead of Go's.
func clearer(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	want := wrong.Type.String()
	switch wrong.Type.Kind() {
	case reflect.Slice, reflect.Array:
		want = "a list"
	case reflect.Map, reflect.Struct:
		want = "a map"
	case reflect.Bool:
		want = "a boolean"
	case reflect.String:
		want = "text"
	case reflect.Uint32, reflect.Uint64:
		want = "a natural number"
	}
	return fmt.Errorf("invalid type: %s, expected %s", wrong.Value, want)
}

// takeArchPackages removes all packages-ARCH keys and returns the packages of
// the one for arch.
func takeArchPackages(keys map[string]json.RawMessage, arch string) ([]string, error) {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		suffix, ok := strings.CutPrefix(key, "packages-")
		if !ok || knownKeys()[key] {
			continue
		}
		var list []*string
		err := json.Unmarshal(keys[key], &list)
		if err != nil || list == nil || slices.Contains(list, nil) {
			return nil, fmt.Errorf("Invalid field %s: expected array of strings", key)
		}
		if suffix == arch {
			for _, p := range list {
				out = append(out, *p)
			}
		}
		delete(keys, key)
	}
	return out, nil
}

// renameLegacy gives keys of old manifests their present names.
func renameLegacy(keys map[string]json.RawMessage) error {
	for _, old := range [...]string{"gpg_key", "boot_location", "default_target", "automatic_version_prefix", "bootstrap_packages"} {
		value, ok := keys[old]
		if !ok {
			continue
		}
		name := strings.ReplaceAll(old, "_", "-")
		if _, both := keys[name]; both {
			return fmt.Errorf("Cannot use new and legacy forms of %s", old)
		}
		keys[name] = value
		delete(keys, old)
	}
	return nil
}

// yamlToJSON converts a document. Comments and the order of keys are lost.
func yamlToJSON(data []byte) ([]byte, error) {
	v := map[string]any{}
	if err := yaml.Decode(data, yaml.Aliases{Anchors: MaxAnchors, Expansion: MaxExpansion}, &v); err != nil {
		return nil, fmt.Errorf("yaml: %w", err)
	}
	if v == nil {
		return []byte("{}"), nil
	}
	out, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("yaml: %w", err)
	}
	return out, nil
}
