package ostree

import (
	"encoding/hex"
	"fmt"
)

// ObjectType is the kind of an object. The numbers are part of the format.
type ObjectType uint8

// The object types.
const (
	ObjectFile            ObjectType = 1 // a regular file or symbolic link
	ObjectDirTree         ObjectType = 2 // names of a directory
	ObjectDirMeta         ObjectType = 3 // owner, mode and attributes of a directory
	ObjectCommit          ObjectType = 4
	ObjectTombstoneCommit ObjectType = 5 // stands for a commit that was deleted
	ObjectCommitMeta      ObjectType = 6 // detached metadata of a commit, not hashed
	ObjectPayloadLink     ObjectType = 7 // finds a file by the sha256 of its bare content
	ObjectFileXattrs      ObjectType = 8 // split-xattrs repositories only
	ObjectFileXattrsLink  ObjectType = 9
)

var objectTypeNames = [...]string{
	ObjectFile: "file", ObjectDirTree: "dirtree", ObjectDirMeta: "dirmeta", ObjectCommit: "commit",
	ObjectTombstoneCommit: "tombstone-commit", ObjectCommitMeta: "commitmeta", ObjectPayloadLink: "payload-link",
	ObjectFileXattrs: "file-xattrs", ObjectFileXattrsLink: "file-xattrs-link",
}

// String returns the name that is used in file names.
func (t ObjectType) String() string {
	if t == 0 || int(t) >= len(objectTypeNames) {
		return fmt.Sprintf("objtype-%d", uint8(t))
	}
	return objectTypeNames[t]
}

// ParseObjectType reads the name of an object type.
func ParseObjectType(s string) (ObjectType, error) {
	for t, name := range objectTypeNames {
		if name == s && t > 0 {
			return ObjectType(t), nil
		}
	}
	return 0, fmt.Errorf("Invalid object type '%s'", s)
}

// IsMetadata reports whether objects of the type are stored as they are hashed in every mode.
func (t ObjectType) IsMetadata() bool { return ObjectDirTree <= t && t <= ObjectCommitMeta }

// LoosePath returns the path of an object below "objects": "XX/<62 digits>.<type>",
// with a "z" at the end if a non-metadata object is in an archive repository.
func LoosePath(c Checksum, t ObjectType, archive bool) string {
	b := make([]byte, 0, 2*ChecksumSize+len("/.file-xattrs-linkz"))
	b = hex.AppendEncode(b, c[:1])
	b = append(b, '/')
	b = hex.AppendEncode(b, c[1:])
	b = append(b, '.')
	b = append(b, t.String()...)
	if archive && !t.IsMetadata() {
		b = append(b, 'z')
	}
	return string(b)
}

// ObjectName is the full name of an object.
type ObjectName struct {
	Type     ObjectType
	Checksum Checksum
}

// String returns "<checksum>.<type>".
func (n ObjectName) String() string { return n.Checksum.String() + "." + n.Type.String() }

// ParseObjectName reads "<checksum>.<type>".
func ParseObjectName(s string) (ObjectName, error) {
	if len(s) <= 2*ChecksumSize || s[2*ChecksumSize] != '.' {
		return ObjectName{}, fmt.Errorf("Invalid object name '%s'", s)
	}
	c, err := ParseChecksum(s[:2*ChecksumSize])
	if err != nil {
		return ObjectName{}, err
	}
	t, err := ParseObjectType(s[2*ChecksumSize+1:])
	return ObjectName{t, c}, err
}
