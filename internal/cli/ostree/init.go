package ostree

import (
	"fmt"
	"path/filepath"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

func initCommand() *command {
	c := &command{name: "init", about: "Initialize a new empty repository", scope: initScope}
	mode, collection := "bare", (*string)(nil)
	c.str(&mode, "mode", 0, "MODE", "Storage of files: bare (default), bare-user, bare-user-only or archive")
	c.optional(&collection, "collection-id", 0, "COLLECTION-ID", "Globally unique name of the repository's refs as a collection")
	c.run = func(e *env) error {
		path := e.repoPath
		if path == "" {
			var err error
			if path, err = e.findRepo(); err != nil {
				return err
			}
			if !isDir(filepath.Join(path, "objects")) {
				return errNoRepo
			}
		}
		m, err := repo.ParseMode(mode)
		if err != nil {
			return fmt.Errorf("Invalid mode '%s' in repository configuration", mode)
		}
		id := ""
		if collection != nil {
			id = *collection
			if err := ostree.ValidateCollectionID(id); err != nil {
				return err
			}
		}
		if exists(filepath.Join(path, "objects")) { // it stays what it is
			r, err := repo.Open(path)
			if err != nil {
				return err
			}
			return r.Close()
		}
		r, err := repo.Init(path, repo.InitOptions{Mode: m, CollectionID: id})
		if err != nil {
			return err
		}
		return r.Close()
	}
	return c
}
