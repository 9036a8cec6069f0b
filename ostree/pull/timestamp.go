package pull

import (
	"errors"
	"fmt"
	"io/fs"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// timestampCheck refuses to go back in time: whoever can replay an old, signed
// commit could bring back its holes.
type timestampCheck struct {
	r      *repo.Repo
	o      *Options
	remote string
}

// commit compares a new commit with the one that ref names so far.
func (t timestampCheck) commit(ref string, sum ostree.Checksum, c *ostree.Commit) error {
	if t.o.TimestampCheckFrom != "" {
		old, err := t.r.ResolveRev(t.o.TimestampCheckFrom)
		if err != nil {
			return err
		}
		if err := t.compare(old, sum, c); err != nil {
			return err
		}
	}
	if !t.o.TimestampCheck || ref == "" {
		return nil
	}
	old, err := t.r.LookupRef(t.remote, ref)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return t.compare(old, sum, c)
}

func (t timestampCheck) compare(oldSum, sum ostree.Checksum, c *ostree.Commit) error {
	old, err := t.r.Commit(oldSum)
	if err != nil {
		return err
	}
	if c.Timestamp >= old.Timestamp {
		return nil
	}
	if !ostree.PrintableTime(c.Timestamp) || !ostree.PrintableTime(old.Timestamp) {
		return fmt.Errorf("Upgrade target revision '%s' timestamp (%d) or current revision '%s' timestamp (%d) is invalid", sum, c.Timestamp, oldSum, old.Timestamp)
	}
	text := func(c *ostree.Commit) string { return ostree.FormatTime(c.Time().UTC()) }
	return fmt.Errorf("Upgrade target revision '%s' with timestamp '%s' is chronologically older than current revision '%s' with timestamp '%s'; use --allow-downgrade to permit",
		sum, text(c), oldSum, text(old))
}

// CheckTimestamp refuses a commit that is older than another one, both of which
// are in the repository.
func CheckTimestamp(r *repo.Repo, from, to ostree.Checksum) error {
	c, err := r.Commit(to)
	if err != nil {
		return err
	}
	return timestampCheck{r: r}.compare(from, to, c)
}
