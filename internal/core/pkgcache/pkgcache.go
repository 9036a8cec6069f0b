// Package pkgcache keeps imported packages in a repository: one commit a
// package, with a ref "rpmostree/pkg/NAME/EVR.ARCH". The commit's tree is what
// package importer made, its metadata the package's exact header bytes, from
// which the rpm database is written without the package file. The format is
// rpm-ostree's, so that either program uses the packages of the other.
package pkgcache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"rpmostree/gvariant"
	"rpmostree/internal/core/sack"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"
	"rpmostree/rpm"
	"rpmostree/rpm/evr"
)

// RefPrefix is the start of the refs of imported packages.
const RefPrefix = "rpmostree/pkg/"

// Versions of the import rules. A package that was imported by older rules is
// imported again.
const (
	unpackVersion      = 1
	unpackMinorVersion = 6
)

// Keys of the commits' metadata.
const (
	keyHeader       = "rpmostree.metadata"        // ay: lead, signature header, header
	keySHA256       = "rpmostree.metadata_sha256" // s, of keyHeader
	keyNEVRA        = "rpmostree.nevra"           // (sstsss)
	keySEPolicy     = "rpmostree.sepolicy"        // s
	keyVersion      = "rpmostree.unpack_version"  // u
	keyMinorVersion = "rpmostree.unpack_minor_version"
	keyRepo         = "rpmostree.repo"              // a{sv}: id s, timestamp t
	keyRepoChecksum = "rpmostree.repodata_checksum" // s, "ALGO:HEX"
	keyNoDocs       = "rpmostree.nodocs"            // b
	keyIMA          = "rpmostree.ima"               // b; not one of rpm-ostree's, which does not know later
)

// A Package is an imported package.
type Package struct {
	Commit    ostree.Checksum
	Tree      tree.Tree // files at their places, owned by root
	Signature *rpm.Header
	Header    *rpm.Header
	RepoID    string // of the repository it came from; "" for a local file
	// RepoChecksum is the checksum of the package file according to the
	// repository that it came from, "ALGO:HEX"; "" for a local file.
	RepoChecksum string
	SHA256       string // see function SHA256
	NoDocs       bool   // documentation was left out
	IMA          bool   // signatures of files were stored
}

// Ref returns the ref of a package.
func Ref(n evr.NEVRA) string {
	e := n.EVR
	version := e.Version + "-" + e.Release
	if e.Epoch != 0 {
		version = fmt.Sprintf("%d:%s", e.Epoch, version)
	}
	return RefPrefix + escape(n.Name) + "/" + escape(version) + "." + escape(n.Arch)
}

// escape makes s a ref component: what is no letter, digit, "." or "-" becomes
// _XX, and "_" is doubled.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '.', c == '-':
			b.WriteByte(c)
		case c == '_':
			b.WriteString("__")
		default:
			fmt.Fprintf(&b, "_%02X", c)
		}
	}
	return b.String()
}

// SHA256 identifies a package file by its lead and headers, hex. Origins name
// local packages by it.
func SHA256(p *rpm.Package) string {
	sum := sha256.Sum256(p.Metadata())
	return hex.EncodeToString(sum[:])
}

// A Reader reads commits: the *repo.Objects of a repository or transaction.
type Reader interface {
	tree.Loader
	Commit(ostree.Checksum) (*ostree.Commit, error)
}

// Load reads a package commit. The error is fs.ErrNotExist if the package was
// imported by other rules than today's.
func Load(r Reader, sum ostree.Checksum) (*Package, error) {
	c, err := r.Commit(sum)
	if err != nil {
		return nil, err
	}
	get := func(key string) gvariant.Value {
		v, _ := c.Metadata.Lookup(key)
		return v
	}
	if get(keyVersion).Uint32() != unpackVersion || get(keyMinorVersion).Uint32() < unpackMinorVersion {
		return nil, fmt.Errorf("package commit %s: %w", sum, fs.ErrNotExist)
	}
	sig, hdr, err := parseLeading(get(keyHeader).ByteArray())
	if err != nil {
		return nil, fmt.Errorf("package commit %s: %w", sum, err)
	}
	origin, _ := get(keyRepo).Lookup("id")
	return &Package{
		Commit: sum, Tree: tree.Load(r, c.Tree, c.Meta), Signature: sig, Header: hdr, RepoID: origin.Str(),
		RepoChecksum: get(keyRepoChecksum).Str(), SHA256: get(keySHA256).Str(), NoDocs: get(keyNoDocs).Bool(),
		IMA: get(keyIMA).Bool(),
	}, nil
}

func parseLeading(b []byte) (sig, hdr *rpm.Header, err error) {
	r := bytes.NewReader(b)
	if _, err := rpm.ReadLead(r); err != nil {
		return nil, nil, err
	}
	if sig, err = rpm.ReadSignatureHeader(r); err != nil {
		return nil, nil, err
	}
	if hdr, err = rpm.ReadHeader(r); err != nil {
		return nil, nil, err
	}
	if r.Len() > 0 {
		return nil, nil, errors.New("data after the header")
	}
	return sig, hdr, nil
}

// A Writer stores commits: a *repo.Transaction.
type Writer interface {
	tree.Loader
	tree.Writer
	WriteCommit(*ostree.Commit) (ostree.Checksum, error)
	SetRef(remote, ref string, c ostree.Checksum) error
}

// Origin says where a package came from, and how it was imported.
type Origin struct {
	RepoID        string // "" for a local file
	RepoTimestamp uint64 // seconds since 1970
	RepoChecksum  string // of the package file, "ALGO:HEX"
	NoDocs        bool
	IMA           bool
}

// Save stores an imported package with its ref.
func Save(w Writer, p *rpm.Package, t tree.Tree, o Origin) (*Package, error) {
	h := p.Header
	root, meta, err := t.Write(w)
	if err != nil {
		return nil, err
	}
	build, _ := h.Uint(rpm.TagBuildTime)
	sum, err := w.WriteCommit(&ostree.Commit{
		Metadata: metadata(p, o), Timestamp: build, Tree: root, Meta: meta,
	})
	if err != nil {
		return nil, err
	}
	if err := w.SetRef("", Ref(sack.NEVRA(h)), sum); err != nil {
		return nil, err
	}
	return &Package{
		Commit: sum, Tree: tree.Load(w, root, meta), Signature: p.Signature, Header: h, RepoID: o.RepoID,
		RepoChecksum: o.RepoChecksum, SHA256: SHA256(p), NoDocs: o.NoDocs, IMA: o.IMA,
	}, nil
}

func metadata(p *rpm.Package, o Origin) gvariant.Value {
	h, leading := p.Header, p.Metadata()
	var entries []gvariant.Value
	add := func(key string, v gvariant.Value) {
		entries = append(entries, gvariant.DictEntry(gvariant.String(key), gvariant.Variant(v)))
	}
	add(keyHeader, gvariant.Bytes(leading))
	add(keySHA256, gvariant.String(SHA256(p)))
	add(keyNEVRA, NEVRAValue(h))
	add(keySEPolicy, gvariant.String(""))
	add(keyVersion, gvariant.Uint32(unpackVersion))
	add(keyMinorVersion, gvariant.Uint32(unpackMinorVersion))
	if o.RepoID != "" {
		add(keyRepo, gvariant.Array("{sv}",
			gvariant.DictEntry(gvariant.String("id"), gvariant.Variant(gvariant.String(o.RepoID))),
			gvariant.DictEntry(gvariant.String("timestamp"), gvariant.Variant(gvariant.Uint64(o.RepoTimestamp)))))
	}
	if o.RepoChecksum != "" {
		add(keyRepoChecksum, gvariant.String(o.RepoChecksum))
	}
	if o.NoDocs {
		add(keyNoDocs, gvariant.Bool(true))
	}
	if o.IMA {
		add(keyIMA, gvariant.Bool(true))
	}
	return gvariant.Array("{sv}", entries...)
}

// NEVRAValue returns the "(sstsss)" by which commit metadata name a package:
// nevra, name, epoch, version, release, architecture.
func NEVRAValue(h *rpm.Header) gvariant.Value {
	n := sack.NEVRA(h)
	return gvariant.Tuple(gvariant.String(n.String()), gvariant.String(n.Name), gvariant.Uint64(uint64(n.Epoch)),
		gvariant.String(n.Version), gvariant.String(n.Release), gvariant.String(n.Arch))
}
