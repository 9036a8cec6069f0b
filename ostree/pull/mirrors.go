package pull

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"rpmostree/internal/fetch"
)

// mirrors returns the base URLs that a configured URL stands for.
func (p *puller) mirrors(ctx context.Context, u string) (*fetch.Mirrors, error) {
	list, ok := strings.CutPrefix(u, "mirrorlist=")
	if !ok {
		if u == "" {
			return nil, fmt.Errorf("No \"url\" option in remote \"%s\"", p.m.Name)
		}
		parsed, err := url.Parse(u)
		if err != nil {
			return nil, err
		}
		if !slices.Contains([]string{"http", "https", "file"}, strings.ToLower(parsed.Scheme)) {
			return nil, fmt.Errorf("Invalid URI scheme in %s", parsed.Redacted())
		}
		return fetch.NewMirrors(u), nil
	}
	data, _, err := p.client.Bytes(ctx, fetch.Request{URL: list, MaxSize: maxMirrorList})
	if err != nil {
		return nil, fmt.Errorf("While fetching mirrorlist '%s': %w", fetch.WithoutPassword(list), fetchError(list, err))
	}
	urls := parseMirrorList(data)
	// The first mirror should work, so that not every request has to find out.
	for i, u := range urls {
		_, _, err := p.client.Bytes(ctx, fetch.Request{URL: fetch.Join(u, "config"), MaxSize: maxConfig})
		if err == nil {
			return fetch.NewMirrors(urls[i:]...), nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, fmt.Errorf("No valid mirrors were found in mirrorlist '%s'", fetch.WithoutPassword(list))
}

// parseMirrorList returns the URLs of a list of mirrors, one in a line. Whoever
// serves the list must not have files read: only those of servers count.
func parseMirrorList(data []byte) []string {
	var urls []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); isHTTP(line) && len(urls) < maxMirrors {
			urls = append(urls, line)
		}
	}
	return urls
}

func isHTTP(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// followMetalink finds the remote by a metalink to its summary.
func (p *puller) followMetalink(ctx context.Context) error {
	data, _, err := p.client.Bytes(ctx, fetch.Request{URL: p.m.Metalink, MaxSize: maxMetalink})
	if err != nil {
		return fetchError(p.m.Metalink, err)
	}
	link, err := parseMetalink(data, "summary")
	if err != nil {
		return err
	}
	var last error
	for _, target := range link.urls {
		data, res, err := p.client.Bytes(ctx, fetch.Request{URL: target, MaxSize: p.o.maxMetadata()})
		p.nBytes.Add(res.Size)
		if err != nil {
			err = fetchError(target, err)
		} else if err = link.verify(data); err == nil {
			p.base, p.rawSummary = fetch.NewMirrors(dirURL(target)), data
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		last = err
	}
	return fmt.Errorf("Exhausted %d metalink targets, last error: %w", len(link.urls), last)
}

// dirURL is the URL without the last element of its path.
func dirURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return s // not reached: it was fetched
	}
	u.Path, u.RawPath = path.Dir(u.Path), ""
	return u.String()
}

// A metalink (version 3) says where a file is and what it is.
type metalink struct {
	size   uint64
	sha256 string
	sha512 string
	urls   []string // best first
}

func (m *metalink) verify(data []byte) error {
	if uint64(len(data)) != m.size {
		return fmt.Errorf("Expected size is %d bytes but content is %d bytes", m.size, len(data))
	}
	want, got := m.sha512, ""
	if want != "" {
		sum := sha512.Sum512(data)
		got = hex.EncodeToString(sum[:])
	} else {
		want = m.sha256
		sum := sha256.Sum256(data)
		got = hex.EncodeToString(sum[:])
	}
	if want != got {
		return fmt.Errorf("Expected checksum is %s but actual is %s", want, got)
	}
	return nil
}

// metalinkFile is what is read of an element "file".
type metalinkFile struct {
	Name   string `xml:"name,attr"`
	Size   string `xml:"size"`
	Hashes []struct {
		Type string `xml:"type,attr"`
		Hex  string `xml:",chardata"`
	} `xml:"verification>hash"`
	URLs []struct {
		Protocol   string `xml:"protocol,attr"`
		Preference string `xml:"preference,attr"`
		URL        string `xml:",chardata"`
	} `xml:"resources>url"`
}

// parseMetalink reads what a metalink says about a file.
func parseMetalink(data []byte, name string) (*metalink, error) {
	file, err := findMetalinkFile(data, name)
	if err != nil {
		return nil, err
	}
	m := &metalink{}
	m.size, _ = strconv.ParseUint(strings.TrimSpace(file.Size), 10, 64)
	if m.size == 0 {
		return nil, errors.New("No <size> element found or it is zero")
	}
	for _, h := range file.Hashes {
		switch h.Type {
		case "sha256":
			m.sha256 = h.Hex
		case "sha512":
			m.sha512 = h.Hex
		}
	}
	switch {
	case m.sha256 == "" && m.sha512 == "":
		return nil, errors.New("No <verification> element with known <hash type=> found")
	case m.sha256 != "" && !isHex(m.sha256, sha256.Size):
		return nil, errors.New("Invalid hash digest for sha256")
	case m.sha512 != "" && !isHex(m.sha512, sha512.Size):
		return nil, errors.New("Invalid hash digest for sha512")
	}
	list := slices.Clone(file.URLs)
	preference := map[string]int{}
	for _, u := range list {
		preference[u.URL], _ = strconv.Atoi(u.Preference)
	}
	for _, u := range list {
		if (u.Protocol == "http" || u.Protocol == "https") && isHTTP(u.URL) && len(m.urls) < maxMirrors {
			m.urls = append(m.urls, u.URL)
		}
	}
	slices.SortStableFunc(m.urls, func(a, b string) int { return preference[b] - preference[a] })
	if len(m.urls) == 0 {
		return nil, errors.New("No <url method='http'> elements found")
	}
	return m, nil
}

func isHex(s string, size int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == size && s == strings.ToLower(s)
}

// maxMetalinkDepth bounds the nesting of elements.
const maxMetalinkDepth = 32

// findMetalinkFile returns the first element metalink/files/file of that name.
func findMetalinkFile(data []byte, name string) (*metalinkFile, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	var stack []string
	begun, files := false, 0
	for {
		token, err := d.Token()
		if err == io.EOF && begun {
			break
		}
		if err == io.EOF || err == nil && !begun && isText(token) {
			return nil, errors.New("Document must begin with an element (e.g. <book>)")
		}
		if err != nil {
			return nil, fmt.Errorf("metalink: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			begun = true
			stack = append(stack, t.Name.Local)
			if len(stack) > maxMetalinkDepth {
				return nil, errors.New("metalink: elements are nested too deep")
			}
			if !slices.Equal(stack, []string{"metalink", "files", "file"}) {
				continue
			}
			files++
			stack = stack[:2] // DecodeElement and Skip read the end of it
			if !slices.ContainsFunc(t.Attr, func(a xml.Attr) bool { return a.Name.Local == "name" && a.Value == name }) {
				if err := d.Skip(); err != nil {
					return nil, fmt.Errorf("metalink: %w", err)
				}
				continue
			}
			f := &metalinkFile{}
			if err := d.DecodeElement(f, &t); err != nil {
				return nil, fmt.Errorf("metalink: %w", err)
			}
			return f, nil
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		}
	}
	if files == 0 {
		return nil, errors.New("No <file> element found")
	}
	return nil, fmt.Errorf("No <file name='%s'> found", name)
}

func isText(t xml.Token) bool {
	c, ok := t.(xml.CharData)
	return ok && len(bytes.TrimSpace(c)) > 0
}
