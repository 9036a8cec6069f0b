package ostree

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"rpmostree/gvariant"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// shower is the show command with its options.
type shower struct {
	*env
	related, sizes, hex           bool
	listKeys, listDetached        bool
	variantType, key, detachedKey string
	dumpOptions
	gpgHomedir, gpgRemote string
}

func showCommand() *command {
	c := &command{name: "show", args: "OBJECT", about: "Output a metadata object", scope: repoScope}
	var s shower
	c.flag(&s.related, "print-related", 0, "Show the related commits")
	c.str(&s.variantType, "print-variant-type", 0, "TYPE", "Read OBJECT as a file and print it as GVariant of TYPE")
	c.flag(&s.listKeys, "list-metadata-keys", 0, "List the available metadata keys")
	c.str(&s.key, "print-metadata-key", 0, "KEY", "Print string value of metadata key")
	c.flag(&s.hex, "print-hex", 0, "For byte array valued keys, output an unquoted hexadecimal string")
	c.flag(&s.listDetached, "list-detached-metadata-keys", 0, "List the available detached metadata keys")
	c.str(&s.detachedKey, "print-detached-metadata-key", 0, "KEY", "Print string value of detached metadata key")
	c.flag(&s.sizes, "print-sizes", 0, "Show the commit size metadata")
	c.flag(&s.raw, "raw", 0, "Show raw variant data")
	c.flag(&s.noByteswap, "no-byteswap", 'B', "Do not automatically convert variant data from big endian")
	c.file(&s.gpgHomedir, "gpg-homedir", 0, "HOMEDIR", "GPG Homedir to use when looking for keyrings")
	c.str(&s.gpgRemote, "gpg-verify-remote", 0, "REMOTE", "Use REMOTE name for GPG configuration")
	c.run = func(e *env) error {
		s.env = e
		if len(e.args) == 0 {
			return usagef("An object argument is required")
		}
		return s.show(e.args[0])
	}
	return c
}

func (s *shower) show(object string) error {
	if s.variantType != "" {
		return s.showFile(object)
	}
	if s.listKeys || s.key != "" || s.listDetached || s.detachedKey != "" || s.related || s.sizes {
		sum, err := s.repo.ResolveRev(object)
		if err != nil {
			return err
		}
		return s.showCommitPart(sum)
	}
	if sum, err := ostree.ParseChecksum(object); err == nil {
		found, err := s.showMetadata(sum)
		if err != nil || found {
			return err
		}
		return s.showContent(sum)
	}
	sum, err := s.repo.ResolveRev(object)
	if err != nil {
		return err
	}
	found, err := s.showMetadata(sum)
	if err == nil && !found {
		err = &repo.MissingObjectError{Name: ostree.ObjectName{Type: ostree.ObjectCommit, Checksum: sum}}
	}
	return err
}

// showFile prints a file on disk as a variant.
func (s *shower) showFile(path string) error {
	t, err := gvariant.ParseType(s.variantType)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	s.printVariant(t, data, s.dumpOptions)
	return nil
}

func (s *shower) showCommitPart(sum ostree.Checksum) error {
	if s.listDetached || s.detachedKey != "" {
		return s.showDetached(sum)
	}
	commit, err := s.repo.Commit(sum)
	if err != nil {
		return err
	}
	switch {
	case s.related:
		for _, r := range commit.Related {
			s.printf("%s %s\n", r.Name, r.Checksum)
		}
		return nil
	case s.sizes:
		return s.showSizes(commit)
	case s.listKeys:
		s.printKeys(commit.Metadata)
		return nil
	}
	return s.printKey(commit.Metadata, s.key, fmt.Sprintf("No such metadata key '%s'", s.key))
}

func (s *shower) showDetached(sum ostree.Checksum) error {
	data, err := s.repo.DetachedMetadata(sum)
	if err != nil {
		return err
	}
	if data == nil {
		return fmt.Errorf("No detached metadata for commit %s", sum)
	}
	dict := gvariant.New("a{sv}", data, binary.LittleEndian)
	if s.listDetached {
		s.printKeys(dict)
		return nil
	}
	return s.printKey(dict, s.detachedKey, fmt.Sprintf("No such metadata key '%s'", s.detachedKey))
}

// printKeys prints the keys of a dictionary, sorted.
func (e *env) printKeys(dict gvariant.Value) {
	keys := gvariant.NewDict(dict).Keys()
	slices.Sort(keys)
	for _, k := range keys {
		e.printf("%s\n", k)
	}
}

func (s *shower) printKey(dict gvariant.Value, key, missing string) error {
	v, ok := dict.Lookup(key)
	if !ok {
		return errors.New(missing)
	}
	if s.hex && v.Type() == "ay" {
		s.printf("%s\n", hex.EncodeToString(v.Bytes()))
		return nil
	}
	s.printVariant(v.Type(), v.Bytes(), s.dumpOptions)
	return nil
}

func (s *shower) showSizes(commit *ostree.Commit) error {
	v, ok := commit.Metadata.Lookup(ostree.KeySizes)
	if !ok {
		return errors.New("No metadata key ostree.sizes in commit")
	}
	list, err := ostree.ParseSizes(v)
	if err != nil {
		return err
	}
	var archived, unpacked, objects, newArchived, newUnpacked, newObjects uint64
	for _, entry := range list {
		archived += entry.Archived
		unpacked += entry.Unpacked
		objects++
		has := false
		if entry.Type != 0 {
			if has, err = s.repo.Has(entry.Type, entry.Checksum); err != nil {
				return err
			}
		}
		if !has {
			newArchived += entry.Archived
			newUnpacked += entry.Unpacked
			newObjects++
		}
	}
	s.printf("Compressed size (needed/total): %s/%s\n", repo.FormatSize(newArchived), repo.FormatSize(archived))
	s.printf("Unpacked size (needed/total): %s/%s\n", repo.FormatSize(newUnpacked), repo.FormatSize(unpacked))
	s.printf("Number of objects (needed/total): %d/%d\n", newObjects, objects)
	return nil
}

// showMetadata shows the metadata object with a checksum and reports whether there is one.
func (s *shower) showMetadata(sum ostree.Checksum) (bool, error) {
	for _, t := range []ostree.ObjectType{ostree.ObjectCommit, ostree.ObjectDirMeta, ostree.ObjectDirTree} {
		data, err := s.repo.ReadMetadata(t, sum)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		if t == ostree.ObjectCommit {
			if err := s.printCommit(sum, data, s.dumpOptions); err != nil {
				return true, err
			}
			return true, s.printCommitSignatures(sum, s.gpgRemote, s.gpgHomedir)
		}
		s.printf("%s %s\n", t, sum)
		if s.raw || s.noByteswap {
			typ := ostree.DirMetaType
			if t == ostree.ObjectDirTree {
				typ = ostree.DirTreeType
			}
			s.printVariant(typ, data, s.dumpOptions)
		}
		return true, nil
	}
	return false, nil
}

func (s *shower) showContent(sum ostree.Checksum) error {
	h, size, content, err := s.repo.File(sum)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("Couldn't find file object '%s'", sum)
	}
	if err != nil {
		return err
	}
	content.Close()
	s.printf("Object: %s\nType: %s\n", sum, ostree.ObjectFile)
	if ostree.IsSymlink(h.Mode) {
		s.printf("File Type: symlink\nTarget: %s\n", h.Target)
	} else {
		s.printf("File Type: regular\nSize: %d\n", size)
	}
	s.printf("Mode: 0%04o\nUid: %d\nGid: %d\nExtended Attributes: ", h.Mode, h.UID, h.GID)
	if s.repo.Mode() == repo.BareUserOnly {
		s.printf("(none)\n")
	} else {
		s.printf("{ %s }\n", xattrsText(h.Xattrs))
	}
	return nil
}
