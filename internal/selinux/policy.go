// Package selinux finds the SELinux labels that a policy gives to files, as
// libselinux's selabel_lookup(3) does, from the policy's text files and without
// the kernel's help: labels are stored in commits for machines that boot later.
//
// Formats: selinux_config(5), file_contexts(5), selabel_file(5).
package selinux

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// maxPolicyBytes bounds each file of a policy.
const maxPolicyBytes = 64 << 20

// A Policy is the file labels of an installed policy. The zero value, as a nil
// one, is that of a system without SELinux: it has no labels. It is safe for
// concurrent use.
type Policy struct {
	// Name is the type of the policy, such as "targeted", or "".
	Name string
	// Checksum is the SHA-256 of the newest binary policy, in hexadecimal.
	Checksum string

	specs       specs
	subs, dists []sub
}

// Open reads the policy of a root file system, below etc/selinux or
// usr/etc/selinux. Without one, or when SELinux is disabled, the policy has no
// labels.
func Open(root fs.FS) (*Policy, error) {
	dir := "etc/selinux"
	if _, err := fs.Stat(root, dir); errors.Is(err, fs.ErrNotExist) {
		dir = "usr/etc/selinux"
	}
	config, err := readFile(root, path.Join(dir, "config"))
	if errors.Is(err, fs.ErrNotExist) {
		return &Policy{}, nil
	}
	if err != nil {
		return nil, err
	}
	name, enabled := parseConfig(config)
	if !enabled {
		return &Policy{}, nil
	}
	if name == "" || !fs.ValidPath(name) {
		return nil, fmt.Errorf("%s/config: invalid SELINUXTYPE %q", dir, name)
	}
	dir = path.Join(dir, name)
	p := &Policy{Name: name}
	if err := p.read(root, path.Join(dir, "contexts/files/file_contexts")); err != nil {
		return nil, err
	}
	if p.Checksum, err = binaryChecksum(root, path.Join(dir, "policy")); err != nil {
		return nil, fmt.Errorf("While calculating SELinux checksum: %w", err)
	}
	return p, nil
}

func parseConfig(data []byte) (name string, enabled bool) {
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "SELINUXTYPE="); ok {
			name = strings.TrimSpace(v)
		} else if v, ok := strings.CutPrefix(line, "SELINUX="); ok {
			v = strings.ToLower(v)
			enabled = enabled || strings.HasPrefix(v, "enforcing") || strings.HasPrefix(v, "permissive")
		}
	}
	return name, enabled
}

// read reads the file_contexts at name and the files that go with it. Later
// files win.
func (p *Policy) read(root fs.FS, name string) error {
	var err error
	if p.dists, err = readSubs(root, name+".subs_dist"); err != nil {
		return err
	}
	if p.subs, err = readSubs(root, name+".subs"); err != nil {
		return err
	}
	var b builder
	for _, suffix := range []string{"", ".homedirs", ".local"} {
		data, err := readFile(root, name+suffix)
		if suffix != "" && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := b.parse(data); err != nil {
			return fmt.Errorf("%s%s: %w", name, suffix, err)
		}
	}
	p.specs = b.specs()
	return nil
}

func readFile(root fs.FS, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPolicyBytes+1))
	if err == nil && len(data) > maxPolicyBytes {
		err = fmt.Errorf("%s: larger than %d bytes", name, maxPolicyBytes)
	}
	return data, err
}

// binaryChecksum hashes the file policy.N with the largest N.
func binaryChecksum(root fs.FS, dir string) (string, error) {
	entries, err := fs.ReadDir(root, dir)
	if err != nil {
		return "", err
	}
	best, bestName := 0, ""
	for _, e := range entries {
		v, ok := strings.CutPrefix(e.Name(), "policy.")
		if n, err := strconv.Atoi(v); ok && err == nil && n > best && e.Type().IsRegular() {
			best, bestName = n, e.Name()
		}
	}
	if best == 0 {
		return "", errors.New("Could not find binary policy file")
	}
	data, err := readFile(root, path.Join(dir, bestName))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// Label returns the label of the file at an absolute path, or "" if the policy
// has none for it. Of the mode only the type counts; 0 stands for any.
func (p *Policy) Label(name string, mode uint32) (string, error) {
	if p == nil || p.Name == "" {
		return "", nil
	}
	if name == "/proc" { // the policy has no label for it, but a mount point needs one
		name = "/mnt"
	}
	return p.specs.lookup(p.substitute(clean(name)), mode&typeMask)
}

// clean joins slashes and removes the last one.
func clean(name string) string {
	for strings.Contains(name, "//") {
		name = strings.ReplaceAll(name, "//", "/")
	}
	return cmp.Or(strings.TrimSuffix(name, "/"), "/")
}

// A sub says that paths below src have the labels of those below dst.
type sub struct{ src, dst string }

func readSubs(root fs.FS, name string) ([]sub, error) {
	data, err := readFile(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []sub
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 2 || f[0][0] == '#' {
			continue
		}
		list = append(list, sub{f[0], f[1]})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

// substitute applies the local substitutions and then the policy's own, each
// once.
func (p *Policy) substitute(name string) string {
	return substitute(p.dists, substitute(p.subs, name))
}

func substitute(list []sub, name string) string {
	for i := len(list) - 1; i >= 0; i-- { // the last one wins
		s := list[i]
		rest, ok := strings.CutPrefix(name, s.src)
		if !ok || rest != "" && rest[0] != '/' {
			continue
		}
		if s.dst == "/" {
			rest = strings.TrimPrefix(rest, "/")
		}
		return s.dst + rest
	}
	return name
}
