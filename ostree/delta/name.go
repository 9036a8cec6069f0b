package delta

import (
	"encoding/base64"
	"errors"
	"strings"

	"rpmostree/ostree"
)

// A Name says from which commit to which a delta leads.
type Name struct {
	From ostree.Checksum // zero if the delta needs nothing
	To   ostree.Checksum
}

var errName = errors.New("Invalid static delta name")

// ParseName reads "FROM-TO" or "TO", in hexadecimal digits.
func ParseName(s string) (n Name, err error) {
	from, to, ok := strings.Cut(s, "-")
	if !ok {
		from, to = "", s
	}
	if n.To, err = ostree.ParseChecksum(to); err != nil {
		return Name{}, err
	}
	if from != "" {
		n.From, err = ostree.ParseChecksum(from)
	}
	return n, err
}

// String is the inverse of ParseName.
func (n Name) String() string {
	if n.From.IsZero() {
		return n.To.String()
	}
	return n.From.String() + "-" + n.To.String()
}

// Dir returns the directory of the delta in a repository: deltas/XX/YYY.
func (n Name) Dir() string {
	name := encode(n.To)
	if !n.From.IsZero() {
		name = encode(n.From) + "-" + name
	}
	return "deltas/" + name[:2] + "/" + name[2:]
}

// IndexPath returns the path of the file in a repository that lists the deltas
// to a commit.
func IndexPath(to ostree.Checksum) string {
	name := encode(to)
	return "delta-indexes/" + name[:2] + "/" + name[2:] + ".index"
}

// encode writes a checksum in base64 with "_" for "/", without padding.
func encode(c ostree.Checksum) string {
	return strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(c[:]), "/", "_")
}

func decode(s string) (ostree.Checksum, error) {
	b, err := base64.RawStdEncoding.DecodeString(strings.ReplaceAll(s, "_", "/"))
	if err != nil {
		return ostree.Checksum{}, errName
	}
	return ostree.ChecksumFromBytes(b)
}

// ParseDir is the inverse of Dir; what comes before "XX/YYY" does not matter.
func ParseDir(path string) (n Name, err error) {
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	if len(parts) < 2 {
		return Name{}, errName
	}
	from, to, ok := strings.Cut(parts[len(parts)-2]+parts[len(parts)-1], "-")
	if !ok {
		from, to = "", from
	}
	if n.To, err = decode(to); err != nil {
		return Name{}, err
	}
	if from != "" {
		n.From, err = decode(from)
	}
	return n, err
}
