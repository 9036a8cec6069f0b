package rpmdb

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/rpm"
)

// VerifyOptions selects what a Verifier compares. The zero value is all, with
// root as the only user and group.
type VerifyOptions struct {
	Omit  rpm.VerifyFlags // what is not compared, as by rpm's --nomtime and the like
	Skip  rpm.FileFlags   // files with one of these flags are left out, as by rpm's --noghost and --noconfig
	Names Names           // the users and groups of the root
}

// Names knows the numbers of users and groups.
type Names interface {
	UID(name string) (uint32, bool)
	GID(name string) (uint32, bool)
}

// A Verifier compares installed packages with the files below a root directory
// and with each other, as "rpm -V" does. It must be closed.
type Verifier struct {
	db     *DB
	root   *dirfd.Dir
	opt    VerifyOptions
	owners map[string]int // packages that have the path installed
	deps   *dependencies  // nil until it is needed
	parent *dirfd.Dir     // the directory opened last
	dir    string         // its path
	err    error          // why it could not be opened
}

// NewVerifier returns a Verifier for the files below the directory root.
func (db *DB) NewVerifier(root string, o VerifyOptions) (*Verifier, error) {
	d, err := dirfd.Open(root)
	if err != nil {
		return nil, err
	}
	v := &Verifier{db: db, root: d, opt: o, owners: map[string]int{}}
	for _, p := range db.packages {
		states := p.Header.Binary(rpm.TagFileStates)
		for i, path := range p.Header.Paths() {
			if i >= len(states) || FileState(states[i]).installed() {
				v.owners[path]++
			}
		}
	}
	return v, nil
}

// Close closes the directories that are open.
func (v *Verifier) Close() error {
	if v.parent != nil {
		v.parent.Close()
	}
	return v.root.Close()
}

// A Difference is a file that is not as its package has it.
type Difference struct {
	File    rpm.File
	State   FileState
	Missing error           // why there is no such file, else nil
	Failed  rpm.VerifyFlags // what differs
	Unread  rpm.VerifyFlags // of Failed: what could not be read
}

// verifyLetters are rpm's letters for what differs, in its order.
var verifyLetters = [...]struct {
	flag   rpm.VerifyFlags
	letter byte
}{
	{rpm.VerifySize, 'S'}, {rpm.VerifyMode, 'M'}, {rpm.VerifyDigest, '5'}, {rpm.VerifyRdev, 'D'}, {rpm.VerifyLink, 'L'},
	{rpm.VerifyUser, 'U'}, {rpm.VerifyGroup, 'G'}, {rpm.VerifyMtime, 'T'}, {rpm.VerifyCaps, 'P'},
}

// flagLetters are rpm's letters for the kinds of files; only the first that
// applies is printed.
var flagLetters = [...]struct {
	flag   rpm.FileFlags
	letter byte
}{
	{rpm.FileDoc, 'd'}, {rpm.FileConfig, 'c'}, {rpm.FileSpec, 's'}, {rpm.FileMissingOK, 'm'}, {rpm.FileNoReplace, 'n'},
	{rpm.FileGhost, 'g'}, {rpm.FileLicense, 'l'}, {rpm.FileReadme, 'r'}, {rpm.FileArtifact, 'a'},
}

// String returns the line that "rpm -V" prints: "S.5....T.  c /etc/file".
func (d Difference) String() string {
	kind := byte(' ')
	for _, f := range flagLetters {
		if d.File.Flags&f.flag != 0 {
			kind = f.letter
			break
		}
	}
	if d.Missing != nil {
		s := fmt.Sprintf("missing   %c %s", kind, d.File.Path)
		var errno unix.Errno
		if errors.As(d.Missing, &errno) && errno != unix.ENOENT {
			s += " (" + capital(errno.Error()) + ")"
		}
		return s
	}
	letters := []byte(".........")
	for i, f := range verifyLetters {
		switch {
		case d.Unread&f.flag != 0:
			letters[i] = '?'
		case d.Failed&f.flag != 0:
			letters[i] = f.letter
		}
	}
	s := fmt.Sprintf("%s  %c %s", letters, kind, d.File.Path)
	if d.State == FileReplaced {
		s += " (replaced)"
	}
	return s
}

// capital makes the first letter of Go's text for an error number large, as the C
// library has it.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// Files returns the files of a package that differ, in the order of the header,
// and those that another package replaced.
func (v *Verifier) Files(h *rpm.Header) []Difference {
	states := h.Binary(rpm.TagFileStates)
	var out []Difference
	for i, f := range h.Files() {
		if f.Flags&v.opt.Skip != 0 {
			continue
		}
		d := Difference{File: f}
		if i < len(states) {
			d.State = FileState(states[i])
		}
		v.compare(&d, h.FileDigestAlgo())
		if d.Missing != nil && f.Flags&(rpm.FileMissingOK|rpm.FileGhost) != 0 {
			continue
		}
		if d.Missing != nil || d.Failed != 0 || d.State == FileReplaced {
			out = append(out, d)
		}
	}
	return out
}

// compare looks at one file. The rules are those of rpm's rpmfilesVerify (lib/rpmfi.c).
func (v *Verifier) compare(d *Difference, algo rpm.DigestAlgo) {
	f := &d.File
	flags := f.Verify
	switch d.State {
	case FileNetShared, FileNotInstalled:
		return
	case FileReplaced:
		flags = 0 // it should exist at least
	case FileWrongColor: // what it shares with the file in its place
		flags &^= rpm.VerifyDigest | rpm.VerifySize | rpm.VerifyMtime | rpm.VerifyRdev
	}
	st, err := v.stat(f)
	if err != nil {
		d.Missing = err
		return
	}
	kind := st.Mode & unix.S_IFMT
	if kind == unix.S_IFLNK {
		flags &^= rpm.VerifyMode
	} else {
		flags &^= rpm.VerifyLink
	}
	if kind != unix.S_IFREG {
		flags &^= rpm.VerifyDigest | rpm.VerifySize | rpm.VerifyMtime | rpm.VerifyCaps
	}
	if f.IsGhost() {
		flags &^= rpm.VerifyDigest | rpm.VerifySize | rpm.VerifyMtime | rpm.VerifyLink
	}
	flags &^= v.opt.Omit
	v.compareContent(d, flags, algo, st)
	v.compareMeta(d, flags, st)
}

// stat returns the status of a file. Where a directory is expected, a link to
// one that root or the directory's owner has made stands for it.
func (v *Verifier) stat(f *rpm.File) (unix.Stat_t, error) {
	dir, base := path.Split(f.Path)
	if err := v.enter(dir); err != nil {
		return unix.Stat_t{}, err
	}
	st, err := v.parent.Stat(base)
	if err != nil || !f.IsDir() || st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return st, err
	}
	if uid, ok := v.uid(f.User); st.Uid != 0 && (!ok || st.Uid != uid) {
		return st, nil
	}
	at, err := v.root.OpenBeneath(f.Path, unix.O_PATH|unix.O_DIRECTORY, 0, dirfd.InRoot)
	if err != nil {
		return st, nil
	}
	defer at.Close()
	var target unix.Stat_t
	if unix.Fstat(int(at.Fd()), &target) == nil {
		return target, nil
	}
	return st, nil
}

// enter makes dir the parent. Links in its path are followed as if root were "/".
func (v *Verifier) enter(dir string) error {
	if v.parent != nil && v.dir == dir {
		return v.err
	}
	if v.parent != nil {
		v.parent.Close()
	}
	v.dir = dir
	v.parent, v.err = v.root.OpenDirBeneath(dir, dirfd.InRoot)
	if v.err != nil {
		v.parent = nil
	}
	return v.err
}

func (v *Verifier) compareContent(d *Difference, flags rpm.VerifyFlags, algo rpm.DigestAlgo, st unix.Stat_t) {
	f, base := &d.File, path.Base(d.File.Path)
	if flags&rpm.VerifyDigest != 0 {
		sum, err := v.digest(base, algo)
		want, bad := hex.DecodeString(f.Digest)
		switch {
		case f.Digest == "" || bad != nil:
			d.Failed |= rpm.VerifyDigest
		case err != nil:
			d.Failed |= rpm.VerifyDigest
			d.Unread |= rpm.VerifyDigest
		case !bytes.Equal(sum, want):
			d.Failed |= rpm.VerifyDigest
		}
	}
	if flags&rpm.VerifyLink != 0 {
		target, err := v.parent.Readlink(base)
		if err != nil {
			d.Unread |= rpm.VerifyLink
		}
		if err != nil || target != f.LinkTo {
			d.Failed |= rpm.VerifyLink
		}
	}
	if flags&rpm.VerifySize != 0 && uint64(st.Size) != f.Size {
		d.Failed |= rpm.VerifySize
	}
}

// digest returns the sum of a regular file in the current parent.
func (v *Verifier) digest(base string, algo rpm.DigestAlgo) ([]byte, error) {
	sum, err := algo.New()
	if err != nil {
		return nil, err
	}
	f, err := v.parent.OpenFile(base, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := io.Copy(sum, f); err != nil {
		return nil, err
	}
	return sum.Sum(nil), nil
}

const (
	modeType   = 0o170000
	xattrACL   = "system.posix_acl_access"
	xattrCaps  = "security.capability"
	deviceMask = 0xffff // a header has that much of a device number
)

func (v *Verifier) compareMeta(d *Difference, flags rpm.VerifyFlags, st unix.Stat_t) {
	f := &d.File
	fail := func(flag rpm.VerifyFlags, differs bool) {
		if flags&flag != 0 && differs {
			d.Failed |= flag
		}
	}
	want, have := f.Mode, st.Mode
	if f.IsGhost() {
		want, have = want&^modeType, have&^modeType
	}
	fail(rpm.VerifyMode, want != have)
	kind := st.Mode & unix.S_IFMT
	if flags&(rpm.VerifyMode|rpm.VerifyCaps) != 0 && kind != unix.S_IFLNK {
		acl, caps := v.xattrs(path.Base(f.Path))
		fail(rpm.VerifyMode, acl)
		fail(rpm.VerifyCaps, caps != fileCaps(f))
	}
	isDevice := func(kind uint32) bool { return kind == unix.S_IFCHR || kind == unix.S_IFBLK }
	device := isDevice(kind) || isDevice(f.Type())
	fail(rpm.VerifyRdev, device && (kind != f.Type() || uint32(st.Rdev)&deviceMask != f.Rdev))
	fail(rpm.VerifyMtime, uint32(st.Mtim.Sec) != f.Mtime && v.owners[f.Path] <= 1)
	uid, ok := v.uid(f.User)
	fail(rpm.VerifyUser, !ok || uid != st.Uid)
	gid, ok := v.gid(f.Group)
	fail(rpm.VerifyGroup, !ok || gid != st.Gid)
}

// xattrs tells whether a file has an access control list, and its capabilities.
func (v *Verifier) xattrs(base string) (acl bool, caps [2]uint64) {
	list, err := v.parent.Xattrs(base)
	if err != nil {
		return false, caps
	}
	for _, x := range list {
		switch x.Name {
		case xattrACL:
			acl = true
		case xattrCaps:
			caps = capWords(x.Value)
		}
	}
	return acl, caps
}

// fileCaps returns the capabilities that a file should have. What rpm cannot read
// it takes for none.
func fileCaps(f *rpm.File) [2]uint64 {
	b, err := rpm.CapsXattr(f.Caps)
	if err != nil {
		return [2]uint64{}
	}
	return capWords(b)
}

// capWords returns what can be compared of security.capability, of any version:
// permitted and inheritable, with the flag "effective" as their highest bit. No
// capability at all is the same as the empty set.
func capWords(b []byte) (w [2]uint64) {
	for i := 0; i+8 <= min(len(b)-4, 16); i += 8 {
		for j := range w {
			for k := range 4 {
				w[j] |= uint64(b[4+i+4*j+k]) << (4*i + 8*k)
			}
		}
	}
	if len(b) >= 4 && b[0]&1 != 0 && w != [2]uint64{} {
		w[0] |= 1 << 63
	}
	return w
}

func (v *Verifier) uid(name string) (uint32, bool) {
	if cmp.Or(name, "root") == "root" || v.opt.Names == nil {
		return 0, cmp.Or(name, "root") == "root"
	}
	return v.opt.Names.UID(name)
}

func (v *Verifier) gid(name string) (uint32, bool) {
	if cmp.Or(name, "root") == "root" || v.opt.Names == nil {
		return 0, cmp.Or(name, "root") == "root"
	}
	return v.opt.Names.GID(name)
}
