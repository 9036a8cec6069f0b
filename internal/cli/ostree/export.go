package ostree

import (
	"archive/tar"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"rpmostree/ostree"
	"rpmostree/ostree/tree"
)

// exporter writes a tree as a tar file.
type exporter struct {
	*env
	noXattrs                bool
	subpath, prefix, output string
	tar                     *gnuTar
	time                    time.Time
	written                 map[ostree.Checksum]string // names of the regular files
}

func exportCommand() *command {
	c := &command{name: "export", args: "COMMIT", about: "Stream COMMIT to stdout in tar format", scope: repoScope}
	var x exporter
	c.flag(&x.noXattrs, "no-xattrs", 0, "Skip output of extended attributes")
	c.file(&x.subpath, "subpath", 0, "PATH", "Checkout sub-directory PATH")
	c.file(&x.prefix, "prefix", 0, "PATH", "Add PATH as prefix to archive pathnames")
	c.file(&x.output, "output", 'o', "PATH", "Output to PATH")
	c.run = func(e *env) error {
		x.env = e
		if len(e.args) == 0 {
			return usagef("A COMMIT argument is required")
		}
		return x.run(e.args[0])
	}
	return c
}

func (x *exporter) run(rev string) error {
	sum, err := x.repo.ResolveRev(rev)
	if err != nil {
		return err
	}
	commit, err := x.repo.Commit(sum)
	if err != nil {
		return err
	}
	t, err := x.tree(sum.String())
	if err != nil {
		return err
	}
	root, err := lookup(t, path.Clean("/"+x.subpath))
	if err != nil {
		return err
	}
	if !root.IsDir {
		return errors.New("Not a directory")
	}
	x.time, x.written = commit.Time(), map[ostree.Checksum]string{}
	if x.output == "" {
		return x.writeTo(x.out, root)
	}
	f, err := os.Create(x.output)
	if err != nil {
		return err
	}
	return errors.Join(x.writeTo(f, root), f.Close())
}

func (x *exporter) writeTo(out io.Writer, root tree.Entry) error {
	x.tar = &gnuTar{out: out}
	if err := x.write("", root); err != nil {
		return err
	}
	return x.tar.close()
}

// write adds an entry, of which name is the path below the exported directory, and all that is
// in it.
func (x *exporter) write(name string, entry tree.Entry) error {
	if !entry.IsDir {
		return x.writeFile(x.prefix+name, entry)
	}
	h, _, err := x.header(entry)
	if err != nil {
		return err
	}
	dir := x.prefix + name
	if dir == "" {
		dir = "."
	}
	if err := x.tar.header(x.tarHeader(strings.TrimSuffix(dir, "/")+"/", tar.TypeDir, h, 0)); err != nil {
		return err
	}
	children, err := inOrder(entry)
	if err != nil {
		return err
	}
	for _, c := range children {
		if err := x.write(path.Join(name, c.Name), c); err != nil {
			return err
		}
	}
	return nil
}

func (x *exporter) writeFile(name string, entry tree.Entry) error {
	h, size, content, err := x.repo.File(entry.Checksum)
	if err != nil {
		return err
	}
	defer content.Close()
	kind := byte(tar.TypeReg)
	if ostree.IsSymlink(h.Mode) {
		kind, size = tar.TypeSymlink, 0
	} else if first, ok := x.written[entry.Checksum]; ok {
		h.Target = first
		return x.tar.header(x.tarHeader(name, tar.TypeLink, h, 0))
	} else {
		x.written[entry.Checksum] = name
	}
	if err := x.tar.header(x.tarHeader(name, kind, h, size)); err != nil {
		return err
	}
	if kind == tar.TypeSymlink {
		return nil
	}
	n, err := io.Copy(x.tar, content)
	if err == nil && n != size {
		err = fmt.Errorf("%s: %d bytes instead of %d", name, n, size)
	}
	if err != nil {
		return err
	}
	return x.tar.pad(tarBlock)
}

func (x *exporter) tarHeader(name string, kind byte, h ostree.FileHeader, size int64) *tar.Header {
	out := &tar.Header{
		Typeflag: kind, Name: name, Linkname: h.Target, Size: size, Mode: int64(h.Mode & ostree.ModePerm),
		Uid: int(h.UID), Gid: int(h.GID), ModTime: x.time,
	}
	if !x.noXattrs && len(h.Xattrs) > 0 {
		out.PAXRecords = map[string]string{}
		for _, a := range h.Xattrs {
			if strings.Contains(a.Name, "=") { // which ends a key
				name := strings.NewReplacer("%", "%25", "=", "%3D").Replace(a.Name)
				out.PAXRecords["LIBARCHIVE.xattr."+name] = base64.RawStdEncoding.EncodeToString(a.Value)
				continue
			}
			out.PAXRecords["SCHILY.xattr."+a.Name] = string(a.Value)
		}
	}
	return out
}
