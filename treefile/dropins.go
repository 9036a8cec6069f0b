package treefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// LoadDropIns reads the files named *.yaml in dir, such as
// /etc/rpm-ostree/origin.d, which describe changes of an existing tree. Later
// ones, by name, take precedence. dir need not exist.
func LoadDropIns(dir string, o Options) (*Config, error) {
	entries, err := os.ReadDir(dir) // in order of names
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all := &Config{Packages: []string{}}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".yaml") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		t, err := Load(path, o)
		if err != nil {
			return nil, err
		}
		if err := t.RefuseBase(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		t.Merge(all)
		all = &t.Config
	}
	return all, nil
}
