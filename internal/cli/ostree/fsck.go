package ostree

import (
	"errors"
	"fmt"

	"rpmostree/ostree/repo"
)

func fsckCommand() *command {
	c := &command{name: "fsck", about: "Check the repository for consistency", scope: repoScope}
	var o repo.FsckOptions
	quiet := false
	c.flag(&o.AddTombstones, "add-tombstones", 0, "Add tombstones for missing commits")
	c.flag(&quiet, "quiet", 'q', "Only print error messages")
	c.flag(&o.All, "all", 'a', "Process all objects; do not stop at the first problem")
	c.flag(&o.Delete, "delete", 0, "Remove corrupted objects")
	c.flag(&o.VerifyBindings, "verify-bindings", 0, "Verify ref bindings")
	c.flag(&o.VerifyBackRefs, "verify-back-refs", 0, "Verify back-references (implies --verify-bindings)")
	c.run = func(e *env) error {
		c := e.console()
		defer c.end()
		if !quiet {
			o.Message = func(text string) { c.message(text) }
			o.Progress = func(done, total int) { c.count("fsck objects", done, total) }
		}
		report, err := e.repo.Fsck(e.ctx, o)
		c.end()
		if err != nil {
			if report != nil {
				e.printFound(report.Problems)
			}
			return err
		}
		if report.Partial > 0 && !o.AddTombstones {
			e.printf("%d partial commits not verified\n", report.Partial)
		}
		for _, c := range report.Tombstones {
			e.printf("Adding tombstone for commit %s\n", c)
		}
		if err := e.printProblems(report, o); err != nil {
			return err
		}
		if report.Broken > 0 {
			return fmt.Errorf("%d partial commits from fsck-detected corruption", report.Partial)
		}
		e.printf("object fsck of %d commits completed successfully - no errors found.\n", report.Commits)
		return nil
	}
	return c
}

// printProblems prints what fsck found. Without a wish to go on, the first broken object is
// the error; what is wrong with a ref always is.
func (e *env) printProblems(report *repo.FsckReport, o repo.FsckOptions) error {
	for i, p := range report.Problems {
		if p.Ref != "" || !p.Missing && !o.All && !o.Delete {
			e.printFound(report.Problems[:i])
			return p
		}
	}
	e.printFound(report.Problems)
	if len(report.Problems) > 0 {
		return errors.New("Repository corruption encountered")
	}
	return nil
}

// printFound prints problems, and the commits that they made partial.
func (e *env) printFound(problems []*repo.Problem) {
	for _, p := range problems {
		fmt.Fprintln(e.err, p)
		for _, c := range p.Marked {
			fmt.Fprintf(e.err, "Marking commit as partial: %s\n", c)
		}
	}
}
