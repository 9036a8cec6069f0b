package rpmmd

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// Pieces of which random documents are made. Those that are not well-formed
// must be refused by both parsers.
var (
	textPieces = []string{
		"a", " ", "\n", "\r\n", "\r", "\t", "&lt;", "&gt;", "&amp;", "&quot;", "&apos;", "&#65;", "&#x42;", "&#xe9;", "&#x1F600;", "é", "😀", "\u00a0",
		"<![CDATA[<&>]]>", "<![CDATA[]]>", "<![CDATA[]]]]>", "<!-- c -->", "<!---->", "<?pi x?>", ">", "'", "\"", "]]", "<b>bold</b>", "<x:y/>", "/",
	}
	badPieces = []string{
		"&", "&;", "&nbsp;", "&#;", "&#x;", "&#0;", "&#x110000;", "&lt", "\x00", "\x01", "\xff", "\xed\xa0\x80", "\ufffe", "<", "</b>",
		"<b>", "<b", "<b a>", "<b a=1/>", "<b a='<'/>", "<![CDATA[", "<!--", "<?",
	}
	attrPieces = []string{"1", "a", " ", "é", "&amp;", "&#10;", "&#x20;", "&lt;", ">", "/", "=", "]]>", "\n", "\t", "'"}
)

type generator struct {
	*rand.Rand
	bad int // one in so many pieces is bad; zero means none
}

func (g *generator) pieces(from []string, most int) string {
	var b strings.Builder
	for range g.IntN(most + 1) {
		if g.bad > 0 && g.IntN(g.bad) == 0 {
			b.WriteString(badPieces[g.IntN(len(badPieces))])
		} else {
			b.WriteString(from[g.IntN(len(from))])
		}
	}
	return b.String()
}

func (g *generator) text() string { return g.pieces(textPieces, 5) }
func (g *generator) space() string {
	return []string{"", " ", "\n", "\r\n\t", "<!-- <x> -->", "<?p?>", "stray"}[g.IntN(7)]
}

func (g *generator) attr(name string) string {
	quote := []string{`"`, `'`}[g.IntN(2)]
	bad := g.bad
	if len(name) == 1 || name == "packages" {
		g.bad = 0 // nobody reads this one
	}
	value := strings.ReplaceAll(g.pieces(attrPieces, 3), quote, "")
	g.bad = bad
	return " " + []string{"", "\n", "  "}[g.IntN(3)] + name + []string{"=", " = ", "=\n"}[g.IntN(3)] + quote + value + quote
}

func (g *generator) element(name, attrs, content string) string {
	prefix := []string{"", "", "", "rpm:", "x:"}[g.IntN(5)]
	if content == "" && g.IntN(2) == 0 {
		return "<" + prefix + name + attrs + "/>" + g.space()
	}
	return "<" + prefix + name + attrs + ">" + content + "</" + prefix + name + []string{"", " ", "\n"}[g.IntN(3)] + ">" + g.space()
}

func (g *generator) document() []byte {
	var pkgs strings.Builder
	for range g.IntN(3) {
		body := g.element("name", "", "n"+g.text()) + g.element("arch", "", "noarch") +
			g.element("checksum", ` type="sha256"`, "ab") + g.element("summary", g.attr("x"), g.text()) + g.element("description", "", g.text()) +
			g.element("version", g.attr("ver")+g.attr("rel"), "") + g.element("location", g.attr("href"), g.space())
		var entries, files string
		for range g.IntN(3) {
			entries += g.element("entry", ` name="e"`+g.attr("pre")+` flags="EQ"`+g.attr("y"), g.space())
			files += g.element("file", []string{"", ` type="dir"`, g.attr("type")}[g.IntN(3)], g.text())
		}
		body += g.element("format", "", g.element("license", "", g.text())+g.element("requires", "", entries)+files)
		pkgs.WriteString(g.element("package", ` type="rpm"`, body))
	}
	head := []string{"", `<?xml version="1.0"?>`, `<?xml version="1.0" encoding="utf-8"?>` + "\n", "<!-- x -->", `<!DOCTYPE metadata SYSTEM "x">`}[g.IntN(5)]
	return []byte(head + "<metadata" + g.attr("packages") + ">" + g.space() + pkgs.String() + "</metadata>" + []string{"", "\n", "<!-- end -->"}[g.IntN(3)])
}

// TestScannerGrammar compares with encoding/xml on random documents: good ones must
// give the same result, bad ones must be refused.
func TestScannerGrammar(t *testing.T) {
	for _, tt := range []struct {
		name string
		bad  int
	}{{"good", 0}, {"bad", 40}} {
		t.Run(tt.name, func(t *testing.T) {
			g := &generator{rand.New(rand.NewPCG(7, uint64(tt.bad))), tt.bad}
			var both, neither int
			for range 1500 {
				doc := g.document()
				got, err := parseAll(&trickle{data: doc})
				want, oracleErr := oracle(doc)
				switch {
				case (err == nil) != (oracleErr == nil):
					t.Fatalf("ours: %v, encoding/xml: %v\n%q", err, oracleErr, doc)
				case err != nil:
					neither++
				case !reflect.DeepEqual(want, got):
					t.Fatalf("%q\n(-encoding/xml +ours):\n%s", doc, gocmp.Diff(want, got))
				default:
					both++
				}
				if whole, err2 := parseAll(bytes.NewReader(doc)); (err == nil) != (err2 == nil) || !reflect.DeepEqual(got, whole) {
					t.Fatalf("reading in pieces changes the result: %v, %v\n%q", err, err2, doc)
				}
			}
			if both < 200 || tt.bad > 0 && neither < 200 {
				t.Errorf("%d documents accepted, %d refused", both, neither)
			}
		})
	}
}
