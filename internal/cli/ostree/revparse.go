package ostree

import (
	"errors"
	"fmt"
	"io/fs"

	"rpmostree/ostree"
)

func revParseCommand() *command {
	c := &command{name: "rev-parse", args: "REV...", about: "Output the target of a rev", scope: repoScope}
	single := false
	c.flag(&single, "single", 'S', "Print the only commit of the repository; it is an error if there is not exactly one")
	c.run = func(e *env) error {
		if single {
			if len(e.args) > 0 {
				return usagef("Cannot specify arguments with --single")
			}
			sum, err := e.repo.ResolveSingle()
			if err == nil {
				e.printf("%s\n", sum)
			}
			return err
		}
		if len(e.args) == 0 {
			return usagef("REV must be specified")
		}
		for _, rev := range e.args {
			sum, err := e.repo.ResolveRev(rev)
			if err != nil {
				return err
			}
			e.printf("%s\n", sum)
		}
		return nil
	}
	return c
}

func resetCommand() *command {
	c := &command{name: "reset", args: "REF COMMIT", about: "Reset a REF to a previous COMMIT", scope: repoScope}
	c.run = func(e *env) error {
		if len(e.args) < 2 {
			return usagef("A REF and COMMIT argument is required")
		}
		if err := e.writable(); err != nil {
			return err
		}
		ref, target := e.args[0], e.args[1]
		if _, err := e.repo.LookupRef("", ref); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("Invalid ref '%s'", ref)
		} else if err != nil {
			return err
		}
		sum, err := e.repo.ResolveRev(target)
		if err != nil {
			return err
		}
		if has, err := e.repo.Has(ostree.ObjectCommit, sum); err != nil || !has {
			return errors.Join(err, fmt.Errorf("Commit '%s' not found", sum))
		}
		return e.setRefs(map[[2]string]ostree.Checksum{{"", ref}: sum})
	}
	return c
}
