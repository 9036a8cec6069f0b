package ostree

import (
	"fmt"
	"strings"
)

// MaxCollectionID is the length of the longest collection identifier, in bytes.
const MaxCollectionID = 255

// isFragment reports whether s matches [\w\d][-._\w\d]* in ASCII.
func isFragment(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '_', '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && (c == '-' || c == '.'):
		default:
			return false
		}
	}
	return s != ""
}

func isRef(s string) bool {
	for fragment := range strings.SplitSeq(s, "/") {
		if !isFragment(fragment) {
			return false
		}
	}
	return true
}

// ValidateRef checks the name of a branch.
func ValidateRef(ref string) error {
	if !isRef(ref) {
		return fmt.Errorf("Invalid ref name %s", ref)
	}
	return nil
}

// ValidateRemoteName checks the name of a remote.
func ValidateRemoteName(name string) error {
	if !isFragment(name) {
		return fmt.Errorf("Invalid remote name %s", name)
	}
	return nil
}

// ParseRefspec splits "[<remote>:]<ref>"; remote is "" if there is none.
func ParseRefspec(refspec string) (remote, ref string, err error) {
	remote, ref, found := strings.Cut(refspec, ":")
	if !found {
		remote, ref = "", refspec
	}
	if found && !isFragment(remote) || !isRef(ref) {
		return "", "", fmt.Errorf("Invalid refspec %s", refspec)
	}
	return remote, ref, nil
}

// Refspec joins a remote, which may be "", and a ref.
func Refspec(remote, ref string) string {
	if remote == "" {
		return ref
	}
	return remote + ":" + ref
}

// ValidateCollectionID checks a collection identifier, which has the form of a D-Bus interface name.
func ValidateCollectionID(id string) error {
	elements := strings.Split(id, ".")
	ok := len(elements) >= 2 && len(id) <= MaxCollectionID
	for _, e := range elements {
		ok = ok && isIdentifier(e)
	}
	if !ok {
		return fmt.Errorf("Invalid collection ID %s", id)
	}
	return nil
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '_', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && '0' <= c && c <= '9':
		default:
			return false
		}
	}
	return s != ""
}

// CollectionRef is a ref of a collection; Collection is "" for a plain ref.
type CollectionRef struct {
	Collection, Ref string
}

// String returns "(<collection>, <ref>)".
func (r CollectionRef) String() string { return "(" + r.Collection + ", " + r.Ref + ")" }
