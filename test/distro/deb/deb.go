// Package deb reads Debian binary packages: an ar archive (deb(5)) of a control
// tar, which says what the package is, and a data tar, which holds its files.
//
// It serves to make a test distribution from packages that apt has verified, so
// its limits are there to stop nonsense, not an attacker.
package deb

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"rpmostree/internal/compress"
)

// Limits of what a package may hold, in bytes.
const (
	MaxControl = 16 << 20
	MaxFile    = 512 << 20
)

// Package is a binary package in memory.
type Package struct {
	Control   Stanza
	Conffiles map[string]bool // absolute paths of the files that are configuration
	Files     []File          // in the order of the archive
}

// File is an entry of the data archive. Data is set for regular files.
type File struct {
	Header *tar.Header
	Path   string // absolute and clean
	Data   []byte
}

// Open reads the package in a file.
func Open(name string) (*Package, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// Read reads a package.
func Read(r io.Reader) (*Package, error) {
	p := &Package{Conffiles: map[string]bool{}}
	seen := map[string]bool{}
	err := members(r, func(name string, content io.Reader) error {
		stem, _, _ := strings.Cut(name, ".tar")
		seen[stem] = true
		switch {
		case name == "debian-binary":
			return checkFormat(content)
		case stem == "control":
			return p.readControl(content)
		case stem == "data":
			return p.readData(content)
		case strings.HasPrefix(name, "_"):
			return nil // deb(5): such members are to be ignored
		}
		return fmt.Errorf("unexpected member %q", name)
	})
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"debian-binary", "control", "data"} {
		if !seen[name] {
			return nil, fmt.Errorf("no %s in the package", name)
		}
	}
	return p, nil
}

func checkFormat(r io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(r, 16))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(b), "2.") {
		return fmt.Errorf("package format %q, not 2", b)
	}
	return nil
}

// arMagic begins an archive; arHeader is the size of a member's header.
const (
	arMagic  = "!<arch>\n"
	arHeader = 60
)

// members calls f for each member of an ar archive.
func members(r io.Reader, f func(name string, content io.Reader) error) error {
	head := make([]byte, arHeader)
	if _, err := io.ReadFull(r, head[:len(arMagic)]); err != nil || string(head[:len(arMagic)]) != arMagic {
		return errors.New("not an ar archive")
	}
	for {
		if _, err := io.ReadFull(r, head); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("ar member: %w", err)
		}
		// name[16] mtime[12] uid[6] gid[6] mode[8] size[10] end[2]
		name := strings.TrimSuffix(strings.TrimRight(string(head[:16]), " "), "/")
		size, err := strconv.ParseInt(strings.TrimRight(string(head[48:58]), " "), 10, 64)
		if err != nil || size < 0 || string(head[58:]) != "`\n" {
			return fmt.Errorf("ar member %q: bad header", name)
		}
		content := io.LimitReader(r, size)
		if err := f(name, content); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, err := io.Copy(io.Discard, content); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, r, size%2); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
}

// readTar calls f for each entry of a compressed tar archive.
func readTar(r io.Reader, f func(h *tar.Header, name string, content io.Reader) error) error {
	z, _, err := compress.NewDetectingReader(r, compress.MaxMemory)
	if err != nil {
		return err
	}
	defer z.Close()
	tr := tar.NewReader(z)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := f(h, path.Clean("/"+h.Name), tr); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

func (p *Package) readControl(r io.Reader) error {
	return readTar(r, func(_ *tar.Header, name string, content io.Reader) error {
		if name != "/control" && name != "/conffiles" {
			return nil
		}
		text, err := readAll(content, MaxControl)
		if err != nil {
			return err
		}
		if name == "/control" {
			p.Control, err = ParseStanza(string(text))
			return err
		}
		for line := range strings.Lines(string(text)) {
			// "remove-on-upgrade PATH" names a file that is not in the package
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") {
				p.Conffiles[line] = true
			}
		}
		return nil
	})
}

func (p *Package) readData(r io.Reader) error {
	return readTar(r, func(h *tar.Header, name string, content io.Reader) error {
		f := File{Header: h, Path: name}
		if h.Typeflag == tar.TypeReg {
			var err error
			if f.Data, err = readAll(content, MaxFile); err != nil {
				return err
			}
		}
		p.Files = append(p.Files, f)
		return nil
	})
}

func readAll(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("larger than %d bytes", limit)
	}
	return b, err
}
