package treefile

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// JSON returns the manifest with everything merged, indented: what a compose
// stores in the tree as usr/share/rpm-ostree/treefile.json.
func (c *Config) JSON() ([]byte, error) { return encode(c, "  ") }

// encode is json.Marshal without escapes for HTML, and indented.
func encode(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Hash returns a SHA-256 digest in hex over the manifest and all files that it
// refers to. It does not depend on comments, the order of keys, or where the
// parts are stored, nor on "metadata" and the names of layers, whose content
// the caller adds.
func (t *Treefile) Hash() (string, error) {
	c := t.Config
	c.OSTreeLayers, c.Metadata = nil, nil
	b, err := encode(&c, "")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	sum.Write(b)
	if t.Script != nil {
		sum.Write(t.Script.Data)
	}
	sum.Write(t.Passwd)
	sum.Write(t.Group)
	// By source, the first of a name.
	files := slices.Clone(t.Files)
	slices.SortStableFunc(files, func(a, b AddedFile) int { return cmp.Compare(a.Source, b.Source) })
	for _, f := range files {
		sum.Write(f.Data)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// RefuseDerive returns an error if keys are set that only make sense for a tree
// that exists.
func (c *Config) RefuseDerive() error {
	if reflect.ValueOf(c.Derive).IsZero() {
		return nil
	}
	b, err := encode(&c.Derive, "  ")
	if err != nil {
		return err
	}
	return fmt.Errorf("the following derivation fields are not supported:\n%s", b)
}

// RefuseBase returns an error if keys are set that only make sense for a new
// tree. The release version and repositories may be set for both.
func (c *Config) RefuseBase() error {
	rest := c.Base
	rest.BaseArch, rest.Variables, rest.ReleaseVer, rest.Repos = "", nil, Var{}, nil
	if reflect.ValueOf(rest).IsZero() {
		return nil
	}
	b, err := encode(&c.Base, "  ")
	if err != nil {
		return err
	}
	return fmt.Errorf("the following base fields are not supported:\n%s", b)
}

// FinalizerPaths returns the paths of Finalizers by name.
func (t *Treefile) FinalizerPaths() []string {
	var out []string
	for _, name := range slices.SortedFunc(maps.Keys(t.Finalizers), strings.Compare) {
		out = append(out, t.Finalizers[name])
	}
	return out
}
