package rpm

import (
	"bytes"
	"io"
	"testing"

	"rpmostree/internal/openpgp"
)

// touch uses every accessor; none may panic on a header that was accepted.
func touch(h *Header) {
	h.Check()
	h.CheckFeatures()
	h.Files()
	h.Scripts()
	h.Triggers()
	h.FileTriggers()
	h.TransFileTriggers()
	h.Changelog()
	h.NEVRA()
	h.Size()
	h.Format()
	for _, get := range []func(*Header) []Dep{
		(*Header).Provides, (*Header).Requires, (*Header).Conflicts, (*Header).Obsoletes, (*Header).Recommends,
		(*Header).Suggests, (*Header).Supplements, (*Header).Enhances, (*Header).OrderWithRequires,
	} {
		get(h)
	}
	for _, t := range h.Tags() {
		h.String(t)
		h.Strings(t)
		h.Binary(t)
		h.Uint16s(t)
		h.Uint32s(t)
		h.Uint64s(t)
		h.Uint(t)
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(readBytes(f, build(f, samplePackage())).Header.Bytes())
	f.Add(headerOf(f))
	f.Add(readBytes(f, build(f, small())).Signature.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, kind := range []headerKind{mainHeader, signatureHeader, installedHeader} {
			h, err := parseHeader(bytes.Clone(b), kind)
			if err != nil {
				continue
			}
			if !bytes.HasSuffix(h.Bytes(), b) {
				t.Error("the header changed")
			}
			touch(h)
			if _, err := parseHeader(h.Immutable(), kind); err != nil {
				t.Errorf("the immutable part alone: %v", err)
			}
			reencode(t, h, kind)
		}
	})
}

// FuzzLead reads a lead from any bytes: no more than a lead, and what it says again
// gives the same.
func FuzzLead(f *testing.F) {
	for _, format := range []int{4, 6} {
		b := small()
		b.Format = format
		f.Add(build(f, b)[:LeadSize])
	}
	f.Add([]byte{0xed, 0xab, 0xee, 0xdb, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		lead, raw, err := readLead(r)
		if err != nil {
			return
		}
		if read := len(b) - r.Len(); read != LeadSize || !bytes.Equal(raw[:], b[:LeadSize]) {
			t.Errorf("%d bytes read, %x", read, raw)
		}
		if again, err := ReadLead(bytes.NewReader(lead.marshal())); err != nil || again != lead {
			t.Errorf("%+v, then %+v, %v", lead, again, err)
		}
	})
}

// FuzzSignatureHeader reads a signature header with its padding from any bytes, and
// makes the checks that it asks for.
func FuzzSignatureHeader(f *testing.F) {
	sign, keys := signer(f, openpgp.SignerOptions{})
	for _, format := range []int{4, 6} {
		b := small()
		b.Format, b.Sign = format, sign
		pkg := build(f, b)
		start, _ := readBytes(f, pkg).HeaderRange()
		f.Add(pkg[LeadSize:start])
	}
	header := readBytes(f, build(f, small())).Header
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		sig, pad, err := readSignatureHeader(r)
		if err != nil {
			return
		}
		read := len(b) - r.Len()
		if read%8 != 0 || len(pad) > 7 || !bytes.Equal(append(bytes.Clone(sig.Bytes()), pad...), b[:read]) {
			t.Errorf("%d bytes read, %d of padding", read, len(pad))
		}
		touch(sig)
		reencode(t, sig, signatureHeader)
		v := newVerifier(sig, header, Options{Keyring: keys, Level: LevelAll})
		v.verdict(rangeHeader)
		for _, c := range v.results() {
			if c.Status == OK && c.Signature && c.Err != nil {
				t.Errorf("%v: %v", c, c.Err)
			}
		}
	})
}

// reencode packs the values of h into a new header, which must give them back.
func reencode(t *testing.T, h *Header, kind headerKind) {
	var entries []Entry
	for _, tag := range h.Tags() {
		e, _ := h.Entry(tag)
		entries = append(entries, e)
	}
	region := TagHeaderImmutable
	if kind == signatureHeader {
		region = TagHeaderSignatures
	}
	b, err := EncodeHeader(region, entries)
	if err != nil {
		t.Errorf("encoding again: %v", err)
		return
	}
	again, err := parseHeader(b, kind)
	if err != nil {
		if limit, _ := kind.limits(); len(entries) < limit {
			t.Errorf("parsing again: %v", err)
		}
		return
	}
	for _, want := range entries {
		if got, ok := again.Entry(want.Tag); !ok || got.Count != want.Count || got.Type != want.Type || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%v: %v, want %v", want.Tag, got, want)
		}
	}
}

func FuzzPackage(f *testing.F) {
	for _, format := range []int{4, 6} {
		for _, c := range []string{"none", "gzip", "xz", "lzma", "zstd"} {
			b := small()
			b.Format, b.Compressor = format, c
			f.Add(build(f, b))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Open(bytes.NewReader(b), Options{Level: LevelNone, MaxMemory: 1 << 20})
		if err != nil {
			return
		}
		touch(p.Header)
		if !bytes.HasPrefix(b, p.Metadata()) {
			t.Error("metadata differ from the input")
		}
		pl, err := p.Payload()
		if err != nil {
			return
		}
		for i := 0; ; i++ {
			if i > len(b) {
				t.Fatal("more members than bytes")
			}
			if _, err := pl.Next(); err != nil {
				return
			}
			io.CopyN(io.Discard, pl, 1<<20)
		}
	})
}

// FuzzPayload gives a fixed header any archive.
func FuzzPayload(f *testing.F) {
	b := samplePackage()
	b.Compressor = "none"
	pkg := build(f, b)
	p := readBytes(f, pkg)
	_, start := p.HeaderRange()
	f.Add(pkg[start:])
	f.Add(archive("./usr/bin/sample=x", cpioTrailer))
	f.Fuzz(func(t *testing.T, payload []byte) {
		seen := map[int]bool{}
		p, err := Open(io.MultiReader(bytes.NewReader(pkg[:start]), bytes.NewReader(payload)), Options{Level: LevelNone, MaxMemory: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		pl, err := p.Payload()
		if err != nil {
			return
		}
		for {
			m, err := pl.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return
			}
			for _, i := range m.Links {
				if seen[i] {
					t.Errorf("file %d comes twice", i)
				}
				seen[i] = true
			}
			if n, _ := io.Copy(io.Discard, pl); p.Header.Files()[m.Index].IsRegular() && pl.err == nil && uint64(n) != p.Header.Files()[m.Index].Size {
				t.Errorf("file %d has %d bytes", m.Index, n)
			}
		}
		for i, f := range p.Header.Files() {
			if !f.IsGhost() && !seen[i] {
				t.Errorf("%s did not come", f.Path)
			}
		}
	})
}

func FuzzCapsXattr(f *testing.F) {
	f.Add("cap_net_raw=ep cap_chown,cap_bpf+i-p")
	f.Fuzz(func(t *testing.T, s string) {
		if b, err := CapsXattr(s); err == nil && s != "" && len(b) != 20 {
			t.Errorf("%q: %x", s, b)
		}
	})
}
