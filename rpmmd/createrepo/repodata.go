package createrepo

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"rpmostree/internal/compress"
	"rpmostree/rpmmd"
)

// repodata is the directory of the metadata.
const repodata = "repodata"

// A writer writes the files of one repodata directory.
type writer struct {
	dir  string // temporary
	opts *Options
	time int64
	md   rpmmd.Repomd
}

func writeRepodata(dir string, pkgs []*Package, opts *Options) (*rpmmd.Repomd, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp(dir, ".repodata.")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return nil, err
	}
	w := &writer{dir: tmp, opts: opts, time: timestamp(pkgs, opts.Timestamp)}
	w.md = rpmmd.Repomd{
		Revision: cmp.Or(opts.Revision, strconv.FormatInt(w.time, 10)),
		RepoTags: opts.RepoTags, ContentTags: opts.ContentTags, DistroTags: opts.DistroTags,
	}
	if err := w.packages(pkgs); err != nil {
		return nil, err
	}
	for _, x := range opts.Extra {
		if err := w.extra(x); err != nil {
			return nil, err
		}
	}
	if err := keepOthers(filepath.Join(dir, repodata), tmp, opts.RetainOld); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := w.md.Write(&buf); err != nil {
		return nil, err
	}
	if err := w.repomd(buf.Bytes()); err != nil {
		return nil, err
	}
	return &w.md, replace(tmp, filepath.Join(dir, repodata))
}

// keepOthers puts into the directory of new metadata what is in that of the old and does not belong to
// it, or, if all is to be retained, everything but repomd.xml. New files win.
func keepOthers(from, to string, all bool) error {
	gone := map[string]bool{"repomd.xml": true}
	b, err := os.ReadFile(filepath.Join(from, "repomd.xml"))
	if err == nil && !all {
		// One that cannot be read names no files.
		if md, err := rpmmd.ParseRepomd(b); err == nil {
			for _, r := range md.Records {
				gone[path.Base(r.Location)] = true
			}
		}
	}
	list, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, d := range list {
		if !gone[d.Name()] {
			if err := keep(filepath.Join(from, d.Name()), filepath.Join(to, d.Name()), d); err != nil {
				return fmt.Errorf("keeping what is not metadata: %w", err)
			}
		}
	}
	return nil
}

// keep makes one more of a file, link or directory, if there is nothing of the new name.
func keep(from, to string, d fs.DirEntry) error {
	if _, err := os.Lstat(to); err == nil {
		return nil
	}
	switch {
	case d.IsDir():
		return os.CopyFS(to, os.DirFS(from))
	case d.Type()&fs.ModeSymlink != 0: // of which the kernel may forbid another hard link
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	err := os.Link(from, to)
	if err == nil || !d.Type().IsRegular() {
		return err
	}
	// A file system without hard links, or a file of somebody else.
	return copyFile(from, to)
}

// copyFile makes another file with the same contents and mode, durably.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(st.Mode().Perm()), out.Sync(), out.Close())
}

// timestamp returns the given time, or that of the newest package.
func timestamp(pkgs []*Package, t time.Time) int64 {
	if !t.IsZero() {
		return t.Unix()
	}
	var newest int64
	for _, p := range pkgs {
		newest = max(newest, p.FileTime)
	}
	return newest
}

// replace moves a directory to where another may be, in one step if there is one.
func replace(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_EXCHANGE)
	if err == nil {
		return nil // what was there is now at from, and removed by the caller
	}
	if !errors.Is(err, unix.ENOENT) {
		// A file system that cannot exchange: there is a moment without metadata.
		old := from + ".old"
		if err := os.Rename(to, old); err != nil {
			return err
		}
		defer os.RemoveAll(old)
	}
	return os.Rename(from, to)
}

// repomd writes repomd.xml, the last file, and makes all durable before the
// directory gets its name.
func (w *writer) repomd(b []byte) error {
	f, err := os.OpenFile(filepath.Join(w.dir, "repomd.xml"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	d, err := os.Open(w.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// packages writes primary, filelists and other.
func (w *writer) packages(pkgs []*Package) error {
	err := w.file("primary", "primary.xml", func(out io.Writer) error {
		return document(out, rpmmd.PrimaryHeader(len(pkgs)), rpmmd.PrimaryFooter, pkgs,
			func(p *Package) error { return p.Write(out) })
	})
	if err != nil {
		return err
	}
	err = w.file("filelists", "filelists.xml", func(out io.Writer) error {
		return document(out, rpmmd.FilelistsHeader(len(pkgs)), rpmmd.FilelistsFooter, pkgs, func(p *Package) error {
			l := rpmmd.Filelist{PkgID: p.Checksum.Hex, Name: p.Name, Arch: p.Arch, EVR: p.EVR, Files: p.AllFiles}
			return l.Write(out)
		})
	})
	if err != nil {
		return err
	}
	return w.file("other", "other.xml", func(out io.Writer) error {
		return document(out, rpmmd.OtherHeader(len(pkgs)), rpmmd.OtherFooter, pkgs, func(p *Package) error {
			l := rpmmd.Changelogs{PkgID: p.Checksum.Hex, Name: p.Name, Arch: p.Arch, EVR: p.EVR, Entries: p.Changelogs}
			return l.Write(out)
		})
	})
}

func document(out io.Writer, header, footer string, pkgs []*Package, write func(*Package) error) error {
	if _, err := io.WriteString(out, header); err != nil {
		return err
	}
	for _, p := range pkgs {
		if err := write(p); err != nil {
			return err
		}
	}
	_, err := io.WriteString(out, footer)
	return err
}

// extra writes another file. Comps are written plain, too, as old clients expect.
func (w *writer) extra(x Extra) error {
	if x.Type == "" || x.Name == "" || filepath.Base(x.Name) != x.Name {
		return fmt.Errorf("invalid metadata file %q of type %q", x.Name, x.Type)
	}
	content := func(out io.Writer) error {
		_, err := out.Write(x.Data)
		return err
	}
	if x.Type != "group" {
		return w.file(x.Type, x.Name, content)
	}
	formats := []compress.Format{compress.None}
	if format, err := w.format(); err != nil {
		return err
	} else if format != compress.None {
		formats = append(formats, format)
	}
	if w.opts.Zchunk {
		formats = append(formats, compress.Zchunk)
	}
	for _, f := range formats {
		typ := "group"
		if f != compress.None {
			typ += "_" + suffix(f)[1:]
		}
		if err := w.compressed(typ, x.Name, f, content); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) format() (compress.Format, error) {
	return compress.Parse(cmp.Or(w.opts.Compression, "gzip"))
}

// suffix returns the suffix of a compressed file's name.
func suffix(f compress.Format) string {
	switch f {
	case compress.Gzip:
		return ".gz"
	case compress.Zstd:
		return ".zst"
	case compress.XZ:
		return ".xz"
	case compress.Bzip2:
		return ".bz2"
	case compress.Zchunk:
		return ".zck"
	}
	return ""
}

func (w *writer) file(typ, name string, content func(io.Writer) error) error {
	format, err := w.format()
	if err != nil {
		return err
	}
	if err := w.compressed(typ, name, format, content); err != nil || !w.opts.Zchunk {
		return err
	}
	return w.compressed(typ+"_zck", name, compress.Zchunk, content)
}

// compressed writes one metadata file and adds its record.
func (w *writer) compressed(typ, name string, format compress.Format, content func(io.Writer) error) error {
	f, err := os.CreateTemp(w.dir, name)
	if err != nil {
		return err
	}
	defer f.Close()
	closed, open, header, err := w.write(f, format, content)
	if err != nil {
		return err
	}
	r := rpmmd.Record{Type: typ, Checksum: closed.checksum(w.opts), Size: closed.n, Timestamp: w.time}
	if format != compress.None {
		r.OpenChecksum, r.OpenSize = open.checksum(w.opts), open.n
	}
	if format == compress.Zchunk {
		r.HeaderChecksum = rpmmd.Checksum{Type: "sha256", Hex: fmt.Sprintf("%x", header.Sum)}
		r.HeaderSize = header.Size
	}
	name += suffix(format)
	if !w.opts.SimpleNames {
		name = r.Checksum.Hex + "-" + name
	}
	r.Location = repodata + "/" + name
	w.md.Records = append(w.md.Records, r)
	if err := errors.Join(f.Chmod(0o644), f.Sync()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(w.dir, name))
}

// write fills a file and measures it, compressed and open.
func (w *writer) write(f *os.File, format compress.Format, content func(io.Writer) error) (closed, open *meter, header compress.Header, err error) {
	if closed, err = w.meter(f); err != nil {
		return nil, nil, header, err
	}
	level := 0
	if format == compress.Zstd {
		level = 10 // as createrepo_c
	}
	z, err := compress.NewWriter(closed, format, level)
	if err != nil {
		return nil, nil, header, err
	}
	var out io.Writer = z
	chunks, _ := z.(*compress.ZchunkWriter)
	if chunks != nil {
		out = chunked{chunks}
	}
	if open, err = w.meter(out); err != nil {
		return nil, nil, header, err
	}
	if chunks != nil { // its pieces are chunks
		err = errors.Join(content(open), z.Close())
		return closed, open, chunks.Header(), err
	}
	buf := bufio.NewWriterSize(open, 64<<10)
	err = errors.Join(content(buf), buf.Flush(), z.Close())
	return closed, open, header, err
}

// chunked lets a chunk end after each write.
type chunked struct{ z *compress.ZchunkWriter }

func (c chunked) Write(p []byte) (int, error) {
	n, err := c.z.Write(p)
	c.z.End()
	return n, err
}

// A meter counts and hashes what is written through it.
type meter struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

func (w *writer) meter(out io.Writer) (*meter, error) {
	h, err := rpmmd.NewHash(w.opts.repomdChecksumType())
	return &meter{w: out, hash: h}, err
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.hash.Write(p[:n])
	m.n += int64(n)
	return n, err
}

func (m *meter) checksum(o *Options) rpmmd.Checksum {
	return rpmmd.Checksum{Type: o.repomdChecksumType(), Hex: fmt.Sprintf("%x", m.hash.Sum(nil))}
}
