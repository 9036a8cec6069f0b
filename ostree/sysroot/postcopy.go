package sysroot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"rpmostree/ostree/repo"
)

// UpdatePostCopy restores what a copy of the files of a sysroot loses: fs-verity
// of objects and images, if the repository wants it. The lock must be held.
func (s *Sysroot) UpdatePostCopy() error {
	wanted := s.repo.Verity()
	if wanted == repo.VerityNo {
		return nil
	}
	objects, err := filepath.Glob(filepath.Join(s.path, "ostree/repo/objects/??/*"))
	if err != nil {
		return err
	}
	var images []string
	err = s.deployDirs(func(d Deployment) error {
		images = append(images, filepath.Join(s.DeploymentPath(d), ".ostree.cfs"))
		return nil
	})
	if err != nil {
		return err
	}
	for _, files := range [][]string{objects, images} {
		for _, name := range files {
			supported, err := enableVerity(name)
			if err != nil {
				return err
			}
			if !supported && wanted == repo.VerityYes {
				return repo.ErrNoVerity
			}
			if !supported {
				break
			}
		}
	}
	return nil
}

// enableVerity turns fs-verity on for a regular file, if it is not. It reports
// whether the file system can do that. A missing file is none.
func enableVerity(name string) (supported bool, err error) {
	st, err := os.Lstat(name)
	if errors.Is(err, os.ErrNotExist) || err == nil && !st.Mode().IsRegular() {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if supported, err = repo.EnableVerity(int(f.Fd())); err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return supported, err
}
