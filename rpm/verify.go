package rpm

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"time"

	"rpmostree/internal/openpgp"
)

// Level says which kinds of checks must cover the whole package. Whatever the
// level, a check that fails is an error, and so is a good signature together
// with a part that no signature covers. Only LevelNone lets everything pass.
type Level uint8

// Levels, as rpm's macro %_pkgverify_level names them.
const (
	LevelDigest Level = iota
	LevelSignature
	LevelAll // digests and signatures
	LevelNone
)

// ParseLevel finds a level by its name in %_pkgverify_level.
func ParseLevel(s string) (Level, error) {
	for l, name := range [...]string{"digest", "signature", "all", "none"} {
		if s == name {
			return Level(l), nil
		}
	}
	return 0, fmt.Errorf("unknown verify level %q", s)
}

// Status is the outcome of a check.
type Status uint8

// Outcomes.
const (
	Unchecked Status = iota // the payload was not read yet
	OK
	Bad        // the package is damaged or forged
	NoKey      // the keyring has no key for the signature
	NotTrusted // the key or its algorithm must not be relied on
)

// String returns rpm's word for the status.
func (s Status) String() string {
	names := [...]string{"NOTFOUND", "OK", "BAD", "NOKEY", "NOTTRUSTED"}
	if int(s) < len(names) {
		return names[s]
	}
	return "UNKNOWN"
}

// Check is the outcome for one digest or signature.
type Check struct {
	Name      string // as rpm prints it, such as "Header SHA256 digest"
	Signature bool   // otherwise a digest
	Status    Status
	Key       openpgp.Key // that made a good signature
	Err       error       // nil if OK or Unchecked
}

// String returns the check as rpm prints it, such as "Header SHA256 digest: OK".
func (c Check) String() string {
	s := c.Name + ": " + c.Status.String()
	if c.Status == Bad && c.Err != nil {
		// rpm writes "Expected" large, Go's errors start small.
		s += " (" + strings.Replace(c.Err.Error(), "expected ", "Expected ", 1) + ")"
	}
	return s
}

// coverage is a set of parts of the package.
type coverage uint8

const (
	rangeHeader coverage = 1 << iota
	rangePayload
)

// item is a check with what it needs to be finished.
type item struct {
	Check
	covers coverage
	hash   hash.Hash
	want   []byte             // of a digest
	sig    *openpgp.Signature // of a signature
	twin   *item              // the other digest of the payload by the same algorithm
}

// verifier computes all digests and signatures of a package in one pass.
type verifier struct {
	options Options
	items   []*item
}

func newVerifier(sig, header *Header, o Options) *verifier {
	v := &verifier{options: o}
	if o.Level == LevelNone {
		return v
	}
	v.addDigests(sig, header)
	v.addSignatures(sig, header)
	v.addPayloadDigests(header)
	for _, it := range v.items {
		if it.Status == Unchecked && it.covers&rangeHeader != 0 {
			it.hash.Write(header.Bytes())
		}
		if it.covers == rangeHeader {
			v.finish(it)
		}
	}
	return v
}

// addDigest adds a digest given in hex. Anything but full-length hex is bad.
func (v *verifier) addDigest(name string, covers coverage, algo DigestAlgo, want string) *item {
	sum, err := hex.DecodeString(want)
	return v.addSum(name, covers, algo, sum, err)
}

func (v *verifier) addSum(name string, covers coverage, algo DigestAlgo, want []byte, err error) *item {
	it := &item{Check: Check{Name: strings.TrimSpace(name + " digest")}, covers: covers, want: want}
	h, unknown := algo.New()
	switch {
	case unknown != nil:
		// It must not count as good, but it is no proof of damage either.
		it.Status, it.Err = NotTrusted, unknown
	case err != nil || len(want) != h.Size():
		it.Status, it.Err = Bad, errors.New("invalid digest")
	}
	it.hash = h
	v.items = append(v.items, it)
	return it
}

func (v *verifier) addDigests(sig, header *Header) {
	for _, d := range [...]struct {
		tag  Tag
		algo DigestAlgo
	}{{TagSHA1Header, SHA1}, {TagSHA256Header, SHA256}, {TagSHA3Header, SHA3_256}} {
		if sig.Has(d.tag) {
			v.addDigest("Header "+d.algo.String(), rangeHeader, d.algo, sig.String(d.tag))
		}
	}
	// Numbers from 1000 on mean nothing in the signature header of format 6.
	if header.Format() < 6 && sig.Has(SigMD5) {
		v.addSum(MD5.String(), rangeHeader|rangePayload, MD5, sig.Binary(SigMD5), nil)
	}
}

// MaxSignatures is how many signatures of a header are verified; a package with more is
// refused. Each costs a pass over the header.
const MaxSignatures = 64

func (v *verifier) addSignatures(sig, header *Header) {
	modern := sig.Strings(TagOpenPGP)
	if n := len(modern); n > MaxSignatures {
		v.addSignature("Header", rangeHeader, nil, fmt.Errorf("%d of them, at most %d are verified", n, MaxSignatures))
		return
	}
	for _, s := range modern {
		b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
		v.addSignature("Header", rangeHeader, b, err)
	}
	if len(modern) > 0 {
		return // the old tags are then for old readers only
	}
	for _, tag := range [...]Tag{TagDSAHeader, TagRSAHeader} {
		if sig.Has(tag) {
			v.addSignature("Header", rangeHeader, sig.Binary(tag), nil)
		}
	}
	for _, tag := range [...]Tag{SigPGP, SigGPG} {
		if header.Format() < 6 && sig.Has(tag) {
			v.addSignature("", rangeHeader|rangePayload, sig.Binary(tag), nil)
		}
	}
}

func (v *verifier) addSignature(name string, covers coverage, b []byte, err error) {
	it := &item{Check: Check{Name: strings.TrimSpace(name + " signature"), Signature: true}, covers: covers}
	v.items = append(v.items, it)
	if err == nil {
		it.sig, err = openpgp.ParseSignature(b)
	}
	if err != nil {
		it.Status, it.Err = Bad, fmt.Errorf("invalid OpenPGP signature: %v", err)
		return
	}
	it.Name = strings.TrimSpace(name + " " + it.sig.String())
	if it.hash, err = it.sig.Hash(); err != nil {
		it.Status, it.Err = NotTrusted, err
	}
}

// addPayloadDigests takes the digests of the payload from the header. Each may
// have a twin, that of the uncompressed payload, for packages whose payload was
// unpacked afterwards: both are of the payload as it lies in the file, and one of
// them is enough.
func (v *verifier) addPayloadDigests(header *Header) {
	algo := SHA256
	if n, ok := header.Uint(TagPayloadSHA256Algo); ok {
		algo = DigestAlgo(n)
	}
	for _, d := range [...]struct {
		tag, alt Tag
		algo     DigestAlgo
	}{
		{TagPayloadSHA256, TagPayloadSHA256Alt, algo},
		{TagPayloadSHA512, TagPayloadSHA512Alt, SHA512},
		{TagPayloadSHA3, TagPayloadSHA3Alt, SHA3_256},
	} {
		var first *item
		if header.Has(d.tag) {
			first = v.addDigest("Payload "+d.algo.String(), rangePayload, d.algo, header.String(d.tag))
		}
		if !header.Has(d.alt) {
			continue
		}
		alt := v.addDigest("Payload "+d.algo.String()+" ALT", rangePayload, d.algo, header.String(d.alt))
		if first != nil {
			first.twin, alt.twin = alt, first
		}
	}
}

// reader returns r with the bytes that pass given to the checks of the payload.
func (v *verifier) reader(r io.Reader) io.Reader {
	var w []io.Writer
	for _, it := range v.items {
		if it.Status != Unchecked || it.covers&rangePayload == 0 {
			continue
		}
		// Twins share a sum.
		if it.twin != nil && it.twin.Status == Unchecked {
			it.twin.hash = it.hash
			if slices.Contains(w, io.Writer(it.hash)) {
				continue
			}
		}
		w = append(w, it.hash)
	}
	switch len(w) {
	case 0:
		return r
	case 1:
		return io.TeeReader(r, w[0])
	}
	return io.TeeReader(r, io.MultiWriter(w...))
}

func (v *verifier) finish(it *item) {
	if it.Status != Unchecked {
		return
	}
	if it.sig == nil {
		got := it.hash.Sum(nil)
		if string(got) == string(it.want) {
			it.Status = OK
			return
		}
		it.Status, it.Err = Bad, fmt.Errorf("expected %x != %x", it.want, got)
		return
	}
	now := v.options.Now
	if now.IsZero() {
		now = time.Now()
	}
	it.Key, it.Err = v.options.Keyring.Verify(it.sig, it.hash, now)
	switch {
	case it.Err == nil:
		it.Status = OK
	case errors.Is(it.Err, openpgp.ErrNoKey):
		it.Status = NoKey
	case errors.Is(it.Err, openpgp.ErrNotTrusted):
		it.Status = NotTrusted
	default:
		it.Status = Bad
	}
}

// forgiven says whether the digest does not count because its twin is good.
func (it *item) forgiven() bool {
	return it.Status == Bad && it.twin != nil && it.twin.Status == OK
}

func (v *verifier) results() []Check {
	var out []Check
	for _, it := range v.items {
		if !it.forgiven() {
			out = append(out, it.Check)
		}
	}
	return out
}

// verdict finishes the checks of the parts read and says whether the package
// may be used as far as they go.
func (v *verifier) verdict(read coverage) error {
	if v.options.Level == LevelNone {
		return nil
	}
	for _, it := range v.items {
		if it.covers&^read == 0 {
			v.finish(it)
		}
	}
	var digests, signatures coverage
	for _, it := range v.items {
		switch {
		case it.forgiven(), it.Status == Bad && it.twin != nil && it.twin.Status == Unchecked:
		case it.Status == Bad:
			return &VerifyError{Check: it.Check}
		case it.Status != OK:
		case it.Signature:
			signatures |= it.covers
		default:
			digests |= it.covers
		}
	}
	if read&rangePayload == 0 {
		return nil
	}
	// A signed header vouches for the payload digests in it.
	if signatures&rangeHeader != 0 && v.headerHasPayloadDigest() {
		signatures |= digests & rangePayload
	}
	all := rangeHeader | rangePayload
	level := v.options.Level
	if (level == LevelDigest || level == LevelAll) && digests != all {
		return v.uncovered("digest", digests)
	}
	if (level == LevelSignature || level == LevelAll || signatures != 0) && signatures != all {
		return v.uncovered("signature", signatures)
	}
	return nil
}

// headerHasPayloadDigest says whether a good digest of the payload alone comes
// from the header, unlike the MD5 sum of the unsigned signature header.
func (v *verifier) headerHasPayloadDigest() bool {
	for _, it := range v.items {
		if !it.Signature && it.covers == rangePayload && it.Status == OK {
			return true
		}
	}
	return false
}

func (v *verifier) uncovered(kind string, have coverage) error {
	part := "package"
	switch have {
	case rangeHeader:
		part = "payload"
	case rangePayload:
		part = "header"
	}
	e := &VerifyError{Missing: "no verified " + kind + " of the " + part}
	for _, it := range v.items {
		if it.Signature == (kind == "signature") && it.Status != OK && it.Status != Unchecked {
			e.Check = it.Check
		}
	}
	return e
}

// VerifyError says why the digests and signatures of a package are not enough.
type VerifyError struct {
	Check   Check  // that failed, if one did
	Missing string // what is not covered, "" if a check is bad
}

func (e *VerifyError) Error() string {
	switch {
	case e.Missing == "":
		return e.Check.String()
	case e.Check.Name == "":
		return e.Missing
	}
	return e.Missing + ": " + e.Check.String()
}

// Unwrap returns the error of the failed check.
func (e *VerifyError) Unwrap() error { return e.Check.Err }
