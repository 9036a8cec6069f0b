package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"rpmostree/rpm"
	"rpmostree/rpm/rpmdb"
)

// rpmCases are those of the package format and the database. Their ratio is that of CPU times: what is
// compared is work, and both sides wait for the disk as they please.
var rpmCases = []benchCase{
	{name: "rpm-import-gzip", what: "a package's payload: decompress, all digests; the peer is rpm -i", rounds: 7, cpu: true, prepare: unpack("w9.gzdio")},
	{name: "rpm-import-xz", what: "the same", rounds: 7, cpu: true, prepare: unpack("w6.xzdio")},
	{name: "rpm-import-zstd", what: "the same", rounds: 7, cpu: true, prepare: unpack("w19.zstdio")},
	{name: "rpmdb-write", what: fmt.Sprintf("a database of %d headers read and written; the peer inserts the same rows with the sqlite library in one transaction, without making them from the headers", dbHeaders),
		rounds: 7, cpu: true, prepare: writeDB},
	{name: "rpmdb-rebuild", what: "the same; the peer is rpmdb --rebuilddb", rounds: 5, cpu: true, prepare: rebuildDB},
}

// packageSpec packs the machine's libraries, programs and documentation, up to a size.
const packageSpec = `Name: big
Version: 1
Release: 1
Summary: x
License: x
AutoReqProv: no
%%global __os_install_post %%{nil}
%%global debug_package %%{nil}
%%description
x
%%install
mkdir -p %%{buildroot}/usr
cp -a %s/. %%{buildroot}/usr
%%files
/usr/*
`

// maxTree bounds what is packed, in bytes.
const maxTree = 32 << 20

// packed returns a package with the payload compressed as rpmbuild calls it.
func (in *input) packed(ctx context.Context, how string) (string, error) {
	dir := filepath.Join(in.dir, "rpm-"+how)
	name := filepath.Join(dir, "RPMS/noarch/big-1-1.noarch.rpm")
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	tree := filepath.Join(in.dir, "rpm-tree")
	if err := sampleTree(tree); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	spec := filepath.Join(dir, "big.spec")
	if err := os.WriteFile(spec, fmt.Appendf(nil, packageSpec, tree), 0o644); err != nil {
		return "", err
	}
	return name, do(ctx, "rpmbuild", "-bb", "--quiet", "--target", "noarch", "--define", "_topdir "+dir, "--define", "_binary_payload "+how,
		"--define", "_source_payload "+how, "--define", "_binaries_in_noarch_packages_terminate_build 0", spec)
}

// sampleTree copies files of the machine to a directory, unless it is there.
func sampleTree(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	left := int64(maxTree)
	for _, from := range []string{"/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/share/perl", "/usr/share/doc"} {
		err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // what cannot be read is left out
			}
			st, err := d.Info()
			if err != nil || st.Size() > 4<<20 || st.Size() > left {
				return nil
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return nil
			}
			left -= st.Size()
			to := filepath.Join(dir, path)
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				return err
			}
			return os.WriteFile(to, data, 0o644)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func unpack(how string) func(context.Context, *input, side, string) (command, error) {
	return func(ctx context.Context, in *input, s side, dir string) (command, error) {
		pkg, err := in.packed(ctx, how)
		if err != nil {
			return nil, err
		}
		st, err := os.Stat(pkg)
		if err != nil {
			return nil, err
		}
		in.size = fmt.Sprintf("package of %d MB", st.Size()/1e6)
		if s == ours {
			self, err := os.Executable()
			return command{self, "-unpack", pkg}, err
		}
		return command{"rpm", "--root", dir, "-i", "--nodeps", "--noscripts", pkg}, nil
	}
}

// unpackPayload reads a package to its end, as an import does.
func unpackPayload(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	p, err := rpm.Open(f, rpm.Options{})
	if err != nil {
		return err
	}
	payload, err := p.Payload()
	if err != nil {
		return err
	}
	for {
		if _, err := payload.Next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, payload); err != nil {
			return err
		}
	}
}

const (
	dbHeaders = 500
	dbFiles   = 160 // files of a package
)

// database returns a directory with a database like that of a system.
func (in *input) database() (string, error) {
	dir := filepath.Join(in.dir, "rpmdb")
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	var entries []rpmdb.Entry
	for i := range dbHeaders {
		e, err := dbEntry(i)
		if err != nil {
			return "", err
		}
		entries = append(entries, e)
	}
	in.size = fmt.Sprintf("%d headers of %d files each", dbHeaders, dbFiles)
	return dir, rpmdb.Write(filepath.Join(dir, rpmdb.SQLiteName), entries, rpmdb.Options{})
}

// dbEntry makes the header of an installed package, without packing anything.
func dbEntry(n int) (rpmdb.Entry, error) {
	name := fmt.Sprintf("package%d", n)
	b := rpm.Builder{Name: name, Version: "1.2.3", Release: "4", Arch: "x86_64", Summary: "A package", Compressor: "none"}
	for i := range dbFiles {
		b.Files = append(b.Files, rpm.BuildFile{File: rpm.File{
			Path: fmt.Sprintf("/usr/share/%s/dir%d/a-file-of-the-package-%d", name, i/20, i), Mode: 0o100644}})
	}
	for i := range 20 {
		b.Requires = append(b.Requires, rpm.Dep{Name: fmt.Sprintf("lib%d.so.%d()(64bit)", (n+i)%dbHeaders, i)})
		b.Provides = append(b.Provides, rpm.Dep{Name: fmt.Sprintf("lib%d.so.%d()(64bit)", n, i)})
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(b.Write(w)) }()
	defer r.Close()
	p, err := rpm.Open(r, rpm.Options{})
	if err != nil {
		return rpmdb.Entry{}, err
	}
	return rpmdb.NewEntry(p.Signature, p.Header, rpmdb.InstallInfo{Time: 1, TID: 1})
}

// peerWriteDB copies the tables of the database $1 to the new database $2.
const peerWriteDB = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[2], isolation_level=None)
db.execute("ATTACH ? AS old", (sys.argv[1],))
db.execute("BEGIN")
rows = db.execute("SELECT name, type, sql FROM old.sqlite_schema WHERE sql NOT NULL AND name NOT LIKE 'sqlite_%'").fetchall()
for name, kind, sql in rows:
    db.execute(sql)
for name, kind, sql in rows:
    if kind == 'table':
        cells = db.execute('SELECT * FROM old."%s"' % name).fetchall()
        if cells:
            db.executemany('INSERT INTO main."%s" VALUES(%s)' % (name, ",".join("?" * len(cells[0]))), cells)
db.execute("COMMIT")
`

func writeDB(_ context.Context, in *input, s side, dir string) (command, error) {
	from, err := in.database()
	if err != nil {
		return nil, err
	}
	old, to := filepath.Join(from, rpmdb.SQLiteName), filepath.Join(dir, rpmdb.SQLiteName)
	if s == theirs {
		return command{"python3", "-c", peerWriteDB, old, to}, nil
	}
	self, err := os.Executable()
	return command{self, "-rewrite-rpmdb", old, to}, err
}

func rebuildDB(ctx context.Context, in *input, s side, dir string) (command, error) {
	if s == ours {
		return writeDB(ctx, in, s, dir)
	}
	from, err := in.database()
	if err != nil {
		return nil, err
	}
	to := filepath.Join(dir, "db")
	return command{"rpmdb", "--dbpath", to, "--rebuilddb"}, do(ctx, "cp", "-r", from, to)
}

// rewriteDB reads a database and writes the same to another file.
func rewriteDB(from, to string) error {
	db, err := rpmdb.Open(from)
	if err != nil {
		return err
	}
	return rpmdb.Write(to, db.Entries(), rpmdb.Options{})
}
