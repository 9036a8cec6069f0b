package ostree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"rpmostree/gvariant"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sign"
)

func summaryCommand() *command {
	c := &command{name: "summary", about: "Manage summary metadata", scope: repoScope}
	var update, view, raw, listKeys bool
	var add []string
	var signing signOptions
	key := ""
	c.flag(&update, "update", 'u', "Update the summary")
	c.flag(&view, "view", 'v', "View the local summary file")
	c.flag(&raw, "raw", 0, "View the raw bytes of the summary file")
	c.flag(&listKeys, "list-metadata-keys", 0, "List the available metadata keys")
	c.str(&key, "print-metadata-key", 0, "KEY", "Print string value of metadata key")
	c.signing(&signing, "summary", false)
	c.list(&add, "add-metadata", 'm', "KEY=VALUE", "Additional metadata field to add to the summary")
	c.run = func(e *env) error {
		switch {
		case update:
			return e.updateSummary(add, &signing)
		case !view && !raw && !listKeys && key == "":
			return errors.New("No option specified; use -u to update summary")
		}
		data, sig, err := e.repo.ReadSummary()
		if err != nil {
			return err
		}
		if data == nil {
			return errors.New("openat(summary): No such file or directory")
		}
		if err := e.showSummary(data, raw, listKeys, key); err != nil || raw || !view {
			return err
		}
		return e.printSummarySignatures(data, sig, signing.homedir)
	}
	return c
}

func (e *env) updateSummary(add []string, signing *signOptions) error {
	if err := e.writable(); err != nil {
		return err
	}
	var extra gvariant.Dict
	for _, s := range add {
		key, text, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("Missing '=' in KEY=VALUE metadata '%s'", s)
		}
		v, err := gvariant.Parse("", text)
		if err != nil {
			return fmt.Errorf("Error parsing variant ‘%s’: : %w", text, err)
		}
		extra.Set(key, v)
	}
	signers, err := signing.signers()
	if err != nil {
		return err
	}
	o := repo.SummaryOptions{Extra: &extra, Sign: sign.Summary(e.ctx, signers...)}
	if len(signers) > 0 {
		o.SignCommit = func(commit []byte) ([]byte, error) {
			meta, err := sign.Commit(e.ctx, e.repo, commit, gvariant.Value{}, signers...)
			return meta.Bytes(), err
		}
	}
	return e.repo.UpdateSummary(e.ctx, o)
}

// printSummarySignatures prints the OpenPGP signatures of a summary; sig is nil if
// there is no file of signatures.
func (e *env) printSummarySignatures(summary, sig []byte, homedir string) error {
	if sig == nil {
		e.printf("Summary is unsigned\n")
		return nil
	}
	res, err := sign.CheckSummary(e.repo, summary, sig, sign.GPGOptions{Homedir: homedir})
	return e.printSignatures(res, err, func(n int, plural string) string {
		return fmt.Sprintf("\nFound %d signature%s on the summary:\n", n, plural)
	})
}

// showSummary prints a summary file, or a part of it.
func (e *env) showSummary(data []byte, raw, listKeys bool, key string) error {
	if raw {
		e.printVariant(ostree.SummaryType, data, dumpOptions{})
		return nil
	}
	s, err := ostree.ParseSummary(data)
	if err != nil {
		return err
	}
	switch {
	case listKeys:
		e.printKeys(s.Metadata)
		return nil
	case key != "":
		v, ok := s.Metadata.Lookup(key)
		if !ok {
			return fmt.Errorf("No such metadata key '%s'", key)
		}
		e.printf("%s\n", v.Reinterpret(binary.BigEndian).Print(true))
		return nil
	}
	return e.printSummary(s)
}

func (e *env) printSummary(s *ostree.Summary) error {
	e.printSummaryRefs(s.CollectionID(), s.Refs)
	others, err := s.CollectionMap()
	if err != nil {
		return err
	}
	for _, c := range others {
		e.printSummaryRefs(c.Collection, c.Refs)
	}
	for _, entry := range s.Metadata.All() {
		name, value := entry.Index(0).Str(), entry.Index(1).Unbox()
		title, text := summaryField(name, value)
		if title != "" {
			name = title + " (" + name + ")"
		}
		e.printf("%s: %s\n", name, text)
	}
	return nil
}

func (e *env) printSummaryRefs(collection string, refs []ostree.SummaryRef) {
	for _, r := range refs {
		name := r.Name
		if collection != "" {
			name = ostree.CollectionRef{Collection: collection, Ref: name}.String()
		}
		e.printf("* %s\n    Latest Commit (%s):\n      %s\n", name, repo.FormatSize(r.Size), r.Checksum)
		for _, entry := range r.Metadata.All() {
			key, value := entry.Index(0).Str(), entry.Index(1).Unbox()
			switch key {
			case ostree.KeySummaryCommitVersion:
				e.printf("    Version (%s): %s\n", key, value.Str())
			case ostree.KeySummaryCommitTimestamp:
				e.printf("    Timestamp (%s): %s\n", key, isoTime(bits.ReverseBytes64(value.Uint64())))
			default:
				e.printf("    %s: %s\n", key, value.Print(false))
			}
		}
		e.printf("\n")
	}
}

// summaryField returns the title of a known key, and the text of its value.
func summaryField(key string, v gvariant.Value) (title, text string) {
	switch key {
	case ostree.KeySummaryStaticDeltas:
		return "Static Deltas", v.Print(false)
	case ostree.KeySummaryLastModified:
		return "Last-Modified", isoTime(bits.ReverseBytes64(v.Uint64()))
	case ostree.KeySummaryExpires:
		return "Expires", isoTime(bits.ReverseBytes64(v.Uint64()))
	case ostree.KeySummaryMode:
		if _, err := repo.ParseMode(v.Str()); err != nil {
			return "Repository Mode", fmt.Sprintf("Invalid (‘%s’)", v.Str())
		}
		return "Repository Mode", v.Str()
	case ostree.KeySummaryTombstones:
		return "Has Tombstone Commits", map[bool]string{true: "Yes", false: "No"}[v.Bool()]
	case ostree.KeySummaryCollectionID:
		return "Collection ID", v.Str()
	case ostree.KeySummaryCollectionMap:
		return "Collection Map", "(printed above)"
	}
	return "", v.Print(false)
}

// isoTime prints a local time with the shortest form of the offset: "+00", "+05:30".
func isoTime(secs uint64) string {
	if !ostree.PrintableTime(secs) {
		return "invalid"
	}
	t := time.Unix(int64(secs), 0)
	return t.Format("2006-01-02T15:04:05") + strings.TrimSuffix(t.Format("-07:00"), ":00")
}
