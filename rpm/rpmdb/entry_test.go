package rpmdb

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rpmostree/rpm"
)

// withoutNewSignatures drops what rpm 4.18 does not know and so does not copy
// into its database.
func withoutNewSignatures(t *testing.T, sig *rpm.Header) *rpm.Header {
	t.Helper()
	var entries []rpm.Entry
	for _, tag := range sig.Tags() {
		if tag != rpm.TagOpenPGP && tag != rpm.TagSHA3Header {
			e, _ := sig.Entry(tag)
			entries = append(entries, e)
		}
	}
	raw, err := rpm.EncodeHeader(rpm.TagHeaderSignatures, entries)
	if err != nil {
		t.Fatal(err)
	}
	if sig, err = rpm.ParseSignatureHeader(raw); err != nil {
		t.Fatal(err)
	}
	return sig
}

func describe(h *rpm.Header) string {
	var b strings.Builder
	for _, tag := range h.Tags() {
		e, _ := h.Entry(tag)
		b.WriteString(tag.String())
		b.WriteByte('=')
		b.Write(e.Data[:min(len(e.Data), 40)])
		b.WriteByte(' ')
	}
	return b.String()
}

// TestBlobsEqualRPM installs every sample package with rpm, into a database
// only, and compares what it stored. Only the times come from rpm.
func TestBlobsEqualRPM(t *testing.T) {
	oracle(t, "rpm")
	template := writeDB(t, nil)
	var all []Entry
	for _, path := range samplePackages(t) {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(template)); err != nil {
			t.Fatal(err)
		}
		_, err := tryRun("rpm", "--dbpath", dir, "-i", "--justdb", "--nodeps", "--noscripts", "--nosignature",
			"--nodigest", "--ignorearch", "--ignoreos", "--ignoresize", path)
		if err != nil {
			continue // malformed or too new
		}
		db, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		entries := db.Entries()
		if len(entries) != 1 {
			t.Errorf("%s: rpm stored %d headers, bad %v", path, len(entries), db.Bad())
			continue
		}
		want := entries[0].Header()
		sig, hdr, err := readPackage(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if hdr.Format() >= signatureFormat && sig.Has(rpm.SigPGP) {
			continue // rpm 4.18 does not know that format 6 has no such tags
		}
		info := InstallInfo{Time: want.Uint32s(rpm.TagInstallTime)[0], TID: want.Uint32s(rpm.TagInstallTID)[0], Color: 3}
		for _, s := range want.Binary(rpm.TagFileStates) {
			info.States = append(info.States, FileState(s))
		}
		e, err := NewEntry(withoutNewSignatures(t, sig), hdr, info)
		if err != nil {
			t.Logf("%s: refused: %v", filepath.Base(path), err)
			continue
		}
		if !bytes.Equal(e.Header().Blob(), want.Blob()) {
			t.Errorf("%s:\n got %s\nwant %s", path, describe(e.Header()), describe(want))
		}
		all = append(all, e)
	}
	if len(all) < 50 {
		t.Errorf("only %d packages could be compared", len(all))
	}
	t.Logf("%d packages are stored as rpm stores them", len(all))
	compareRebuilt(t, all)
}

// newHeader makes a header as a package of these entries has it in a database.
func newHeader(t testing.TB, name string, entries ...rpm.Entry) Entry {
	t.Helper()
	entries = append(entries, rpm.StringEntry(rpm.TagName, name), rpm.StringEntry(rpm.TagVersion, "1"),
		rpm.StringEntry(rpm.TagRelease, "2"), rpm.Uint32Entry(rpm.TagBuildTime, 1), rpm.StringEntry(rpm.TagArch, "noarch"),
		rpm.StringEntry(rpm.TagSourceRPM, name+"-1-2.src.rpm"))
	raw, err := rpm.EncodeHeader(rpm.TagHeaderImmutable, entries)
	if err != nil {
		t.Fatal(err)
	}
	h, err := rpm.ParseHeader(raw)
	if err != nil {
		t.Fatal(err)
	}
	// rpm rebuilds a database only from headers that it can verify.
	raw, err = rpm.EncodeHeader(rpm.TagHeaderSignatures, []rpm.Entry{
		rpm.StringEntry(rpm.TagSHA1Header, fmt.Sprintf("%x", sha1.Sum(raw))),
		rpm.StringEntry(rpm.TagSHA256Header, fmt.Sprintf("%x", sha256.Sum256(raw))),
	})
	if err != nil {
		t.Fatal(err)
	}
	sig, err := rpm.ParseSignatureHeader(raw)
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEntry(sig, h, InstallInfo{Time: 1, TID: 2})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestRowsEqualRPM(t *testing.T) {
	oracle(t, "rpm")
	oracle(t, "sqlite3")
	rich := []string{
		"(a and b)", "(a or b or c)", "(b and a and b)", "(a if b)", "(a unless b)", "(a if b else c)",
		"(a unless b else c)", "(a with b)", "(a without b)", "(a and (b if c))", "((a if b) or c)",
		"((a or b) if (c and d) else (e or f))", "(a if (b if c else d) else e)", "(a >= 1.0 and b < 2:3-4)",
		"(rpmlib(X) and a)", "(libc.so.6()(64bit) or foo(bar))", "(a  and\tb)", "(pkg if langpacks-de)",
		"(a unless (b or (c if d)))", "(((a)))", "(a)", "(a b)", "(a and )", "()", "(", "(a and b", "(a and b))",
		"(a and b or c)", "(a if b and c)", "(a if b if c)", "(a else b)", "(a and b) c", "(a,b and c)", "plain",
		"(a if b else c else d)", "(a without b without c)", "(a with b with c)", "(a else b else c)",
		"(a if b else c and d)", "(a or (x else y) or b)", "(a unless b unless c)", "(foo(x) >= 1 if bar) junk)",
		"(a > )", "(a => 1)", "(a ! b)", "( a and b )", "(a and\nb)", "(!a and b)", "(a and b,c)", "(a<1 and b)",
		"(a() and ()b)", "(a)b)", "((a and b)(c))", "((a and b) (c))", "(a and b)and", "(a and(b or c))",
	}
	flags := []uint32{0, 1 << 9, 1 << 10, 1 << 11, 1<<9 | 1<<11, 1 << 24, 1 << 26, 1 << 5, 1 << 7, 1<<9 | 1<<12,
		1<<10 | 1<<29, 8, 1 << 6, 1 << 8}
	names, versions := []string{}, []string{}
	for i := range flags {
		names = append(names, fmt.Sprintf("dep%d", i))
		versions = append(versions, "")
	}
	entries := []Entry{
		newHeader(t, "bare"),
		newHeader(t, "flags", rpm.StringsEntry(rpm.TagRequireName, names...),
			rpm.StringsEntry(rpm.TagRequireVersion, versions...), rpm.Uint32Entry(rpm.TagRequireFlags, flags...)),
		newHeader(t, "triggers", rpm.StringsEntry(rpm.TagTriggerName, "a", "b", "a", "c", "b"),
			rpm.StringsEntry(rpm.TagTriggerVersion, "", "", "", "", ""), rpm.Uint32Entry(rpm.TagTriggerFlags, 0, 0, 0, 0, 0),
			rpm.Uint32Entry(rpm.TagTriggerIndex, 0, 1, 2, 3, 4),
			rpm.StringsEntry(rpm.TagFileTriggerName, "/a", "/b", "/c"), rpm.Uint32Entry(rpm.TagFileTriggerIndex, 0, 0, 1),
			rpm.StringsEntry(rpm.TagTransFileTriggerName, "/a", "/b"), rpm.Uint32Entry(rpm.TagTransFileTriggerIndex, 1, 0)),
		newHeader(t, "group", rpm.I18NEntry(rpm.TagGroup, "First", "Second"), rpm.StringsEntry(rpm.TagHeaderI18NTable, "C", "de")),
		newHeader(t, "files", rpm.StringsEntry(rpm.TagBaseNames, "", "a", strings.Repeat("long", 900), "ä\xff"),
			rpm.StringsEntry(rpm.TagDirNames, "/", "/"+strings.Repeat("deep/", 800)), rpm.Uint32Entry(rpm.TagDirIndexes, 0, 0, 1, 1)),
		newHeader(t, "provides", rpm.StringsEntry(rpm.TagProvideName, "a", "a", "", "b")),
	}
	for i, r := range rich {
		// One header each: rpm's answer to a malformed one must not hide others.
		none := rpm.StringsEntry(rpm.TagRequireVersion, "")
		entries = append(entries, newHeader(t, fmt.Sprintf("rich%d", i),
			rpm.StringsEntry(rpm.TagRequireName, r), none, rpm.Uint32Entry(rpm.TagRequireFlags, 0),
			rpm.StringsEntry(rpm.TagSupplementName, r), rpm.StringsEntry(rpm.TagConflictName, r),
			rpm.StringsEntry(rpm.TagProvideName, r), rpm.StringsEntry(rpm.TagOrderName, r)))
	}
	compareRebuilt(t, entries)
}

// TestSignatureSmuggling has signature headers, which nothing protects, that
// try to get their entries into the database.
func TestSignatureSmuggling(t *testing.T) {
	header := func(region rpm.Tag, parse func([]byte) (*rpm.Header, error), entries ...rpm.Entry) *rpm.Header {
		raw, err := rpm.EncodeHeader(region, entries)
		if err != nil {
			t.Fatal(err)
		}
		h, err := parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	nevra := []rpm.Entry{rpm.StringEntry(rpm.TagName, "n"), rpm.StringEntry(rpm.TagVersion, "1"), rpm.StringEntry(rpm.TagRelease, "1")}
	format6 := rpm.Uint32Entry(rpm.TagRPMFormat, 6)
	for _, c := range []struct {
		name string
		sig  rpm.Entry
		main []rpm.Entry
		want string // error, or "" if the entry is copied, or "left out"
	}{
		{"md5", rpm.BinaryEntry(rpm.SigMD5, make([]byte, 16)), nil, ""},
		{"short md5", rpm.BinaryEntry(rpm.SigMD5, make([]byte, 15)), nil, "signature tag"},
		{"type", rpm.StringEntry(rpm.SigSize, "x"), nil, "signature tag"},
		{"count", rpm.Uint32Entry(rpm.SigSize, 1, 2), nil, "signature tag"},
		{"array", rpm.StringsEntry(rpm.TagSHA1Header, "a", "b"), nil, "signature tag"},
		{"in both", rpm.StringEntry(rpm.TagSHA1Header, "a"), []rpm.Entry{rpm.StringEntry(rpm.TagSHA1Header, "b")}, "also in the main header"},
		{"renumbered in both", rpm.Uint32Entry(rpm.SigSize, 1), []rpm.Entry{rpm.Uint32Entry(rpm.TagSigSize, 1)}, "also in the main header"},
		{"archive size in both", rpm.Uint32Entry(rpm.SigPayloadSize, 1), []rpm.Entry{rpm.Uint32Entry(rpm.TagArchiveSize, 2)}, "left out"},
		{"ima", rpm.StringsEntry(rpm.SigFileSignatures, "03"), nil, ""},
		{"ima in both, format 6", rpm.StringsEntry(rpm.SigFileSignatures, "03"),
			[]rpm.Entry{format6, rpm.StringsEntry(rpm.TagFileSignatures, "04")}, "also in the main header"},
		{"old tag, format 6", rpm.Uint32Entry(rpm.SigSize, 1), []rpm.Entry{format6}, "left out"},
		{"reserved space", rpm.BinaryEntry(rpm.SigReservedSpace, make([]byte, 32)), nil, "left out"},
		{"script", rpm.StringEntry(rpm.TagPostIn, "rm -rf /"), nil, "left out"},
		{"install time", rpm.Uint32Entry(5008, 1), nil, "left out"},
	} {
		sig := header(rpm.TagHeaderSignatures, rpm.ParseSignatureHeader, c.sig)
		hdr := header(rpm.TagHeaderImmutable, rpm.ParseHeader, append(slices.Clone(nevra), c.main...)...)
		e, err := NewEntry(sig, hdr, InstallInfo{})
		switch {
		case c.want == "" || c.want == "left out":
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			plain, err := NewEntry(nil, hdr, InstallInfo{})
			if err != nil {
				t.Fatal(err)
			}
			if same := bytes.Equal(e.Header().Blob(), plain.Header().Blob()); same != (c.want == "left out") {
				t.Errorf("%s: left out: %v", c.name, same)
			}
		case err == nil || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	old := header(rpm.TagHeaderImage, rpm.ParseHeader, nevra...)
	if _, err := NewEntry(nil, old, InstallInfo{}); err == nil {
		t.Error("a header that is not immutable was accepted")
	}
	if _, err := NewEntry(nil, header(rpm.TagHeaderImmutable, rpm.ParseHeader, nevra[:2]...), InstallInfo{}); err == nil {
		t.Error("a header without release was accepted")
	}
	if _, err := NewEntry(nil, header(rpm.TagHeaderImmutable, rpm.ParseHeader, nevra...), InstallInfo{States: []FileState{0}}); err == nil {
		t.Error("a file state without file was accepted")
	}
}
