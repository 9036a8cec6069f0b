package rpm

import (
	"fmt"
	"io"
	"slices"
	"time"

	"rpmostree/internal/openpgp"
)

// Keyring holds the public keys that may have signed packages.
type Keyring = openpgp.Keyring

// NewKeyring returns a keyring of the keys in data, in binary or armored form.
func NewKeyring(data ...[]byte) (*Keyring, error) { return openpgp.NewKeyring(data...) }

// Options says how a package is opened. The zero value demands digests.
type Options struct {
	// Level is what must be verified.
	Level Level
	// Keyring verifies signatures; without one, the key of each is missing.
	Keyring *Keyring
	// Now is the time for the validity of signatures; zero is the present.
	Now time.Time
	// MaxMemory limits the memory of the decompressor, in bytes; 0 is 256 MiB.
	MaxMemory uint64
}

// Package is an opened package file.
type Package struct {
	Lead      Lead
	Signature *Header
	Header    *Header

	lead     [LeadSize]byte
	pad      []byte // between the headers
	r        io.Reader
	options  Options
	verifier *verifier
	payload  *Payload
}

// Open reads the lead and the headers of a package from r and checks the
// digests and signatures that cover the header. The rest of r is the payload,
// which is checked when it is read.
func Open(r io.Reader, o Options) (*Package, error) {
	p := &Package{r: r, options: o}
	var err error
	if p.Lead, p.lead, err = readLead(r); err != nil {
		return nil, err
	}
	if p.Signature, p.pad, err = readSignatureHeader(r); err != nil {
		return nil, err
	}
	if p.Header, err = ReadHeader(r); err != nil {
		return nil, err
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	p.verifier = newVerifier(p.Signature, p.Header, o)
	if err := p.verifier.verdict(rangeHeader); err != nil {
		return nil, err
	}
	if err := p.Header.Check(); err != nil {
		return nil, fmt.Errorf("header of %q: %w", p.Header.NEVRA().String(), err)
	}
	return p, nil
}

// Metadata returns the bytes before the payload: lead, signature header, padding
// and header, exactly as in the file.
func (p *Package) Metadata() []byte {
	return slices.Concat(p.lead[:], p.Signature.Bytes(), p.pad, p.Header.Bytes())
}

// HeaderRange returns where in the file the main header starts and ends, in bytes.
func (p *Package) HeaderRange() (start, end int64) {
	start = LeadSize + int64(len(p.Signature.whole)) + int64(len(p.pad))
	return start, start + int64(len(p.Header.whole))
}

// Verify reads what is left of the package, without looking into the payload if
// Payload was not called, and checks all digests and signatures.
func (p *Package) Verify() error {
	if p.payload != nil {
		return p.payload.finish()
	}
	if _, err := io.Copy(io.Discard, p.verifier.reader(p.r)); err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	return p.verifier.verdict(rangeHeader | rangePayload)
}

// Checks tells the outcome for each digest and signature of the package. Those
// of the payload are Unchecked until it was read.
func (p *Package) Checks() []Check { return p.verifier.results() }
