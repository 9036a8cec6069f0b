package ostree

import (
	"bytes"
	"fmt"
	"strings"

	"rpmostree/gvariant"
)

// Xattr is an extended attribute. Lists of them are sorted by name.
type Xattr struct {
	Name  string // without the NUL of the wire form; not empty
	Value []byte
}

// XattrsType is the type of a serialised list of extended attributes.
const XattrsType = gvariant.Type("a(ayay)")

// MarshalXattrs returns the "a(ayay)" of a list.
func MarshalXattrs(list []Xattr) []byte { return xattrsValue(list).Bytes() }

func xattrsValue(list []Xattr) gvariant.Value {
	if len(list) == 0 {
		return gvariant.Array("(ayay)")
	}
	elems := make([]gvariant.Value, len(list))
	for i, x := range list {
		elems[i] = gvariant.Tuple(gvariant.Bytestring(x.Name), gvariant.Bytes(x.Value))
	}
	return gvariant.Array("(ayay)", elems...)
}

// ParseXattrs reads an "a(ayay)". Names must be sorted and unique.
func ParseXattrs(b []byte) ([]Xattr, error) {
	v := gvariant.New(XattrsType, b, nil)
	if !v.IsNormal() {
		return nil, errNotNormal
	}
	return parseXattrs(v)
}

func parseXattrs(v gvariant.Value) ([]Xattr, error) {
	n := v.Len()
	if n == 0 {
		return nil, nil
	}
	list := make([]Xattr, 0, n)
	for i, e := range v.All() {
		name := e.Index(0).ByteArray()
		if len(name) < 2 || bytes.IndexByte(name, 0) != len(name)-1 {
			return nil, fmt.Errorf("Invalid xattr name (empty or missing NUL) index=%d", i)
		}
		x := Xattr{string(name[:len(name)-1]), e.Index(1).ByteArray()}
		if i > 0 {
			switch prev := list[i-1].Name; {
			case prev == x.Name:
				return nil, fmt.Errorf("Duplicate xattr name, index=%d", i)
			case prev > x.Name:
				return nil, fmt.Errorf("Incorrectly sorted xattr name (prev=%s, cur=%s), index=%d", prev, x.Name, i)
			}
		}
		list = append(list, x)
	}
	return list, nil
}

// CompareXattrs orders attributes by name.
func CompareXattrs(a, b Xattr) int { return strings.Compare(a.Name, b.Name) }

func equalXattrs(a, b []Xattr) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || !bytes.Equal(a[i].Value, b[i].Value) {
			return false
		}
	}
	return true
}
