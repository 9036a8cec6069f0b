package ostree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"rpmostree/gvariant"
	"rpmostree/ostree"
)

func logCommand() *command {
	c := &command{name: "log", args: "REV", about: "Show log starting at commit or ref", scope: repoScope}
	raw := false
	c.flag(&raw, "raw", 0, "Show raw variant data")
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return usagef("A rev argument is required")
		}
		sum, err := e.repo.ResolveRev(e.args[0])
		for first := true; err == nil && !sum.IsZero(); first = false {
			data, err := e.repo.ReadMetadata(ostree.ObjectCommit, sum)
			if !first && errors.Is(err, fs.ErrNotExist) {
				e.printf("<< History beyond this commit not fetched >>\n")
				return nil
			}
			if err != nil {
				return err
			}
			if err := e.printCommit(sum, data, dumpOptions{raw: raw}); err != nil {
				return err
			}
			commit, err := ostree.ParseCommit(data)
			if err != nil {
				return err
			}
			sum = commit.Parent
		}
		return err
	}
	return c
}

// dumpOptions say how an object is shown.
type dumpOptions struct {
	raw        bool // as GVariant text
	noByteswap bool // of a commit, besides what is shown of it, as GVariant text with integers as they are stored
}

// printVariant prints GVariant text.
func (e *env) printVariant(t gvariant.Type, data []byte, o dumpOptions) {
	order := binary.ByteOrder(binary.BigEndian)
	if o.noByteswap {
		order = binary.LittleEndian
	}
	e.printf("%s\n", gvariant.New(t, data, order).Print(true))
}

func (e *env) printCommit(sum ostree.Checksum, data []byte, o dumpOptions) error {
	e.printf("commit %s\n", sum)
	if o.raw || o.noByteswap {
		e.printVariant(ostree.CommitType, data, o)
	}
	if o.raw && !o.noByteswap {
		return nil
	}
	commit, err := ostree.ParseCommit(data)
	if err != nil {
		return err
	}
	date := commit.Time().UTC()
	if date.Year() < 1 || date.Year() > 9999 {
		return fmt.Errorf("Failed to read commit: Invalid timestamp: %d", commit.Timestamp)
	}
	if !commit.Parent.IsZero() {
		e.printf("Parent:  %s\n", commit.Parent)
	}
	e.printf("ContentChecksum:  %s\n", commit.ContentChecksum())
	e.printf("Date:  %s\n", date.Format("2006-01-02 15:04:05 +0000"))
	if v := commit.Version(); v != "" {
		e.printf("Version: %s\n", v)
	}
	if commit.Subject != "" {
		e.printf("\n")
		e.printIndented(commit.Subject)
	} else {
		e.printf("(no subject)\n")
	}
	if commit.Body != "" {
		e.printf("\n")
		e.printIndented(commit.Body)
	}
	e.printf("\n")
	return nil
}

func (e *env) printIndented(text string) {
	for line := range strings.Lines(text) {
		e.printf("    %s\n", strings.TrimSuffix(line, "\n"))
	}
}
