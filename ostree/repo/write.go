package repo

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"
	"unsafe"

	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

// A CorruptError reports an object whose content is not what its name says.
type CorruptError struct {
	Name   ostree.ObjectName
	Actual ostree.Checksum
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("Corrupted %s object; checksum expected='%s' actual='%s'", e.Name.Type, e.Name.Checksum, e.Actual)
}

var hashes = sync.Pool{New: func() any { return sha256.New() }}

// WriteFile adds a file object and returns its checksum. The content, which may
// be nil for a symbolic link, must have exactly size bytes; it is read once.
// WriteFile may be called from several goroutines.
func (tx *Transaction) WriteFile(h ostree.FileHeader, size int64, content io.Reader) (ostree.Checksum, error) {
	return tx.writeFile(nil, h, size, content)
}

// WriteFileChecked is WriteFile for content that must have the checksum want,
// else nothing is added and the error is a *CorruptError. It does not look first
// whether the object is there, as whoever knows its checksum can do with Has
// before the content is read.
func (tx *Transaction) WriteFileChecked(want ostree.Checksum, h ostree.FileHeader, size int64, content io.Reader) error {
	_, err := tx.writeFile(&want, h, size, content)
	return err
}

// WriteFileAsIs adds the file object c, which the content is known to be. As
// WriteFileChecked, it does not look whether the object is there.
func (tx *Transaction) WriteFileAsIs(c ostree.Checksum, h ostree.FileHeader, size int64, content io.Reader) error {
	if err := tx.checkHeader(h); err != nil {
		return refused(&c, h, size, content, err)
	}
	tx.stats.contentTotal.Add(1)
	if ostree.IsSymlink(h.Mode) {
		return tx.storeSymlink(c, h)
	}
	if err := tx.reserve(size); err != nil {
		return err
	}
	t, err := tx.createTmp()
	if err != nil {
		return err
	}
	defer t.drop()
	body := func(w io.Writer) error { return copyN(w, content, size) }
	if tx.mode == Archive {
		err = tx.deflate(t, h, size, body)
	} else {
		err = body(t)
	}
	if err != nil {
		return shortContent(err)
	}
	return tx.finishReserved(t, c, h, size)
}

func (tx *Transaction) writeFile(want *ostree.Checksum, h ostree.FileHeader, size int64, content io.Reader) (ostree.Checksum, error) {
	if err := tx.checkHeader(h); err != nil {
		return ostree.Checksum{}, refused(want, h, size, content, err)
	}
	tx.stats.contentTotal.Add(1)
	switch {
	case ostree.IsSymlink(h.Mode):
		return tx.writeSymlink(want, h)
	case size <= bigBuf-maxInlineHeader:
		return tx.writeSmall(want, h, size, content)
	}
	return tx.writeLarge(want, h, size, content)
}

// maxInlineHeader is the size of the largest header that is hashed in one
// buffer with the content.
const maxInlineHeader = 8 << 10

// bareUserOnlyBits are the permission bits that bare-user-only keeps.
const bareUserOnlyBits = 0o775

// checkHeader refuses what the mode of the repository cannot store.
func (tx *Transaction) checkHeader(h ostree.FileHeader) error {
	if err := h.Validate(); err != nil {
		return err
	}
	if tx.mode == BareSplitXattrs && os.Getenv("OSTREE_EXP_WRITE_BARE_SPLIT_XATTRS") == "" {
		return errors.New("Not allowed due to repo mode")
	}
	if tx.mode != BareUserOnly {
		return nil
	}
	if err := CheckBareUserOnly(h); err != nil {
		return err
	}
	if h.UID != 0 || h.GID != 0 || len(h.Xattrs) > 0 || ostree.IsSymlink(h.Mode) && h.Mode != unix.S_IFLNK|0o777 {
		return errors.New("bare-user-only repository cannot store owner, extended attributes or mode of a symbolic link")
	}
	return nil
}

// refused says which object could not be stored.
func refused(want *ostree.Checksum, h ostree.FileHeader, size int64, content io.Reader, err error) error {
	if want == nil {
		sum, hashErr := ostree.FileChecksum(h, io.LimitReader(content, size))
		if hashErr != nil {
			return err
		}
		want = &sum
	}
	return fmt.Errorf("Content object %s: %w", want, err)
}

// known compares the checksum of an object with the wanted one. If none was wanted, it
// tells whether the object is there already.
func (tx *Transaction) known(want *ostree.Checksum, got ostree.Checksum) (bool, error) {
	if want == nil {
		return tx.Has(ostree.ObjectFile, got)
	}
	if *want != got {
		return false, &CorruptError{ostree.ObjectName{Type: ostree.ObjectFile, Checksum: *want}, got}
	}
	return false, nil
}

// Has tells whether the object is in the repository or was written by the
// transaction.
func (tx *Transaction) Has(t ostree.ObjectType, c ostree.Checksum) (bool, error) {
	return tx.Objects.Has(t, c)
}

// writeSmall reads all content, so that an object that exists costs no write.
func (tx *Transaction) writeSmall(want *ostree.Checksum, h ostree.FileHeader, size int64, content io.Reader) (ostree.Checksum, error) {
	if size < 0 {
		return ostree.Checksum{}, errors.New("negative size of file content")
	}
	buf := bigBufs.Get().(*[]byte)
	defer bigBufs.Put(buf)
	header := ostree.Framed(h.Marshal())
	b := *buf
	if len(header) > maxInlineHeader {
		b = make([]byte, len(header)+int(size))
	}
	n := copy(b, header)
	data := b[n : n+int(size)]
	if size > 0 {
		if _, err := io.ReadFull(content, data); err != nil {
			return ostree.Checksum{}, shortContent(err)
		}
	}
	sum := ostree.Checksum(sha256.Sum256(b[:n+int(size)]))
	if ok, err := tx.known(want, sum); ok || err != nil {
		return sum, err
	}
	return sum, tx.storeBytes(sum, h, data)
}

func shortContent(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("content of file is shorter than its size")
	}
	return err
}

// storeBytes writes a regular file whose content is in memory.
func (tx *Transaction) storeBytes(sum ostree.Checksum, h ostree.FileHeader, data []byte) error {
	if err := tx.reserve(int64(len(data))); err != nil {
		return err
	}
	t, err := tx.createTmp()
	if err != nil {
		return err
	}
	defer t.drop()
	switch {
	case tx.mode == Archive && len(data) <= maxTiny:
		header := ostree.Framed(ostree.ZFileHeader{Size: uint64(len(data)), FileHeader: h}.Marshal())
		_, err = t.Write(appendTiny(header, data))
	case tx.mode == Archive:
		err = tx.deflate(t, h, int64(len(data)), func(w io.Writer) error {
			_, err := w.Write(data)
			return err
		})
	case len(data) > 0:
		_, err = t.Write(data)
	}
	if err != nil {
		return err
	}
	return tx.finishReserved(t, sum, h, int64(len(data)))
}

// deflate writes an archived file: header, then what body writes, compressed.
func (tx *Transaction) deflate(t io.Writer, h ostree.FileHeader, size int64, body func(io.Writer) error) error {
	if _, err := t.Write(ostree.Framed(ostree.ZFileHeader{Size: uint64(size), FileHeader: h}.Marshal())); err != nil {
		return err
	}
	if !ostree.IsRegular(h.Mode) {
		return nil
	}
	z := tx.zip.get(t)
	defer tx.zip.put(z)
	if err := body(z); err != nil {
		return err
	}
	return z.Close()
}

// writeLarge hashes the content while it is written.
func (tx *Transaction) writeLarge(want *ostree.Checksum, h ostree.FileHeader, size int64, content io.Reader) (ostree.Checksum, error) {
	var sum ostree.Checksum
	if err := tx.reserve(size); err != nil {
		return sum, err
	}
	t, err := tx.createTmp()
	if err != nil {
		return sum, err
	}
	defer t.drop()
	digest := hashes.Get().(hash.Hash)
	defer hashes.Put(digest)
	digest.Reset()
	digest.Write(ostree.Framed(h.Marshal()))
	body := func(w io.Writer) error {
		return copyN(io.MultiWriter(digest, w), content, size)
	}
	if tx.mode == Archive {
		err = tx.deflate(t, h, size, body)
	} else {
		err = body(t)
	}
	if err != nil {
		return sum, shortContent(err)
	}
	digest.Sum(sum[:0])
	if ok, err := tx.known(want, sum); ok || err != nil {
		tx.budget.credit(size)
		return sum, err
	}
	return sum, tx.finishReserved(t, sum, h, size)
}

// finishReserved is finishFile for a file for which space was reserved.
func (tx *Transaction) finishReserved(t tmpObject, sum ostree.Checksum, h ostree.FileHeader, size int64) error {
	isNew, err := tx.finishFile(t, sum, h, size)
	if err == nil && !isNew {
		tx.budget.credit(size)
	}
	return err
}

// finishFile gives a complete file its metadata and name. It reports whether the transaction did
// not have the object before.
func (tx *Transaction) finishFile(t tmpObject, sum ostree.Checksum, h ostree.FileHeader, size int64) (isNew bool, err error) {
	if tx.sharesPayload(h, size) {
		payload, err := payloadSum(int(t.fdFile), size)
		if err == nil {
			err = tx.clonePayload(t, payload)
		}
		if err == nil {
			err = tx.linkPayload(payload, sum)
		}
		if err != nil {
			return false, fmt.Errorf("Writing content object %s: %w", sum, err)
		}
	}
	if err := tx.setMetadata(int(t.fdFile), h); err != nil {
		return false, fmt.Errorf("Writing content object %s: %w", sum, err)
	}
	isNew, err = tx.link(t, ostree.ObjectFile, sum)
	if isNew {
		tx.countContent(size)
	}
	return isNew, err
}

func (tx *Transaction) countContent(size int64) {
	tx.stats.contentWritten.Add(1)
	tx.stats.contentBytes.Add(uint64(size))
}

// setMetadata gives a regular file, or the regular file that stands for a
// symbolic link, what the mode of the repository keeps outside the content.
func (tx *Transaction) setMetadata(fd int, h ostree.FileHeader) error {
	switch tx.mode {
	case Archive:
		return fchmod(fd, 0o644)
	case BareUser:
		meta := ostree.DirMeta{UID: h.UID, GID: h.GID, Mode: h.Mode, Xattrs: h.Xattrs}.Marshal()
		if err := unix.Fsetxattr(fd, bareUserMeta, meta, 0); err != nil {
			return fmt.Errorf("fsetxattr(%s): %w", bareUserMeta, errnoText(err))
		}
		mode := h.Mode&bareUserOnlyBits | unix.S_IRUSR
		if ostree.IsSymlink(h.Mode) {
			mode = 0o644
		}
		if err := fchmod(fd, mode); err != nil {
			return err
		}
	case BareUserOnly:
		if err := fchmod(fd, h.Mode&unix.S_IFMT^h.Mode); err != nil {
			return err
		}
	default:
		if err := tx.setBareMetadata(fd, h); err != nil {
			return err
		}
	}
	return resetTimes(fd)
}

// setBareMetadata sets the owner first, because that clears set-id bits and
// capabilities.
func (tx *Transaction) setBareMetadata(fd int, h ostree.FileHeader) error {
	if err := unix.Fchown(fd, int(h.UID), int(h.GID)); err != nil {
		return fmt.Errorf("fchown: %w", errnoText(err))
	}
	if !tx.disableXattrs && tx.mode == Bare {
		for _, x := range h.Xattrs {
			if err := unix.Fsetxattr(fd, x.Name, x.Value, 0); err != nil {
				return fmt.Errorf("fsetxattr(%s): %w", x.Name, errnoText(err))
			}
		}
	}
	return fchmod(fd, h.Mode&ostree.ModePerm)
}

func fchmod(fd int, mode uint32) error {
	if err := unix.Fchmod(fd, mode); err != nil {
		return fmt.Errorf("fchmod: %w", errnoText(err))
	}
	return nil
}

// resetTimes sets access and modification time to 1970: two files with the same
// checksum are then the same.
func resetTimes(fd int) error {
	var ts [2]unix.Timespec
	// A null path makes utimensat(2) work on the descriptor; the wrapper in
	// x/sys cannot pass one.
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("futimens: %w", errnoText(errno))
	}
	return nil
}

func (tx *Transaction) writeSymlink(want *ostree.Checksum, h ostree.FileHeader) (ostree.Checksum, error) {
	sum := h.Checksum()
	if ok, err := tx.known(want, sum); ok || err != nil {
		return sum, err
	}
	return sum, tx.storeSymlink(sum, h)
}

func (tx *Transaction) storeSymlink(sum ostree.Checksum, h ostree.FileHeader) error {
	if tx.mode.links() {
		return tx.storeLink(sum, h)
	}
	t, err := tx.createTmp()
	if err != nil {
		return err
	}
	defer t.drop()
	if tx.mode == Archive {
		err = tx.deflate(t, h, 0, nil)
	} else {
		_, err = t.Write(append([]byte(h.Target), 0))
	}
	if err != nil {
		return err
	}
	_, err = tx.finishFile(t, sum, h, 0)
	return err
}

// storeLink makes a real symbolic link. It gets its name last, when it has its
// owner and attributes.
func (tx *Transaction) storeLink(sum ostree.Checksum, h ostree.FileHeader) error {
	path, err := tx.stagingPath(ostree.ObjectFile, sum)
	if err != nil {
		return err
	}
	dir := tx.staging.dir
	name := tmpName()
	if err := dir.Symlink(h.Target, name); err != nil {
		return err
	}
	defer unix.Unlinkat(dir.FD(), name, 0)
	if tx.mode.owners() {
		if err := dir.Chown(name, h.UID, h.GID); err != nil {
			return err
		}
		for _, x := range h.Xattrs {
			if tx.disableXattrs || tx.mode != Bare {
				break
			}
			if err := dir.SetXattr(name, x.Name, x.Value); err != nil {
				return err
			}
		}
	}
	err = dir.RenameNoReplace(name, dir, path)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	if err == nil {
		tx.countContent(0)
	}
	return err
}

// WriteArchived adds the file object want from its archived form, as an archive
// repository stores and serves it, and verifies it on the way. As WriteFileChecked, it does
// not look whether the object is there.
func (tx *Transaction) WriteArchived(want ostree.Checksum, src io.Reader) error {
	return tx.WriteArchivedFunc(want, src, func(ostree.FileHeader) error { return nil })
}

// WriteArchivedFunc is WriteArchived with a check of the header, whose error
// ends it.
func (tx *Transaction) WriteArchivedFunc(want ostree.Checksum, src io.Reader, check func(ostree.FileHeader) error) error {
	if tx.mode != Archive {
		h, size, content, err := readArchived(src)
		if err != nil {
			return err
		}
		defer content.Close()
		if err := check(h); err != nil {
			return err
		}
		if err := tx.WriteFileChecked(want, h, size, content); err != nil {
			return err
		}
		if _, err := content.Read(nil); err != io.EOF { // the end of the stream is part of it
			return fmt.Errorf("end of archived file: %w", err)
		}
		return nil
	}
	tx.stats.contentTotal.Add(1)
	t, err := tx.createTmp()
	if err != nil {
		return err
	}
	defer t.drop()
	tee := io.TeeReader(src, t)
	h, size, content, err := readArchived(tee)
	if err != nil {
		return err
	}
	defer content.Close()
	if err := check(h); err != nil {
		return err
	}
	if err := tx.reserve(size); err != nil {
		return err
	}
	sum, err := ostree.FileChecksum(h, content)
	if err != nil {
		return err
	}
	// The buffer in front of the decompressor may not have seen the end.
	n, err := io.Copy(io.Discard, io.LimitReader(tee, 1))
	if n += int64(content.buf.Buffered()); err != nil || n > 0 {
		return errors.Join(err, errors.New("data after the end of archived file"))
	}
	if ok, err := tx.known(&want, sum); ok || err != nil {
		tx.budget.credit(size)
		return err
	}
	return tx.finishReserved(t, sum, h, size)
}

// WriteArchivedAsIs adds a file object to an archive repository from its archived
// form, which is not looked at.
func (tx *Transaction) WriteArchivedAsIs(c ostree.Checksum, src io.Reader) error {
	tx.stats.contentTotal.Add(1)
	t, err := tx.createTmp()
	if err != nil {
		return err
	}
	defer t.drop()
	n, err := io.Copy(t, src)
	if err != nil {
		return err
	}
	if err := tx.reserve(n); err != nil {
		return err
	}
	return tx.finishReserved(t, c, ostree.FileHeader{}, n)
}

// CloneFile adds a file object with the content of another one and a new
// header, and returns its checksum. The content is read once, to hash it; it is
// not written where the file system can share blocks.
func (tx *Transaction) CloneFile(c ostree.Checksum, h ostree.FileHeader) (ostree.Checksum, error) {
	old, size, content, err := tx.File(c)
	if err != nil {
		return ostree.Checksum{}, err
	}
	defer content.Close()
	if old.Equal(h) {
		return c, nil
	}
	if ostree.IsSymlink(h.Mode) != ostree.IsSymlink(old.Mode) {
		return ostree.Checksum{}, errors.New("cannot change the type of a file")
	}
	fd, plain := content.(fdFile)
	if !plain || tx.mode == Archive || tx.noClone.Load() || size <= bigBuf-maxInlineHeader {
		return tx.WriteFile(h, size, content)
	}
	return tx.cloneLarge(h, size, fd)
}

// cloneLarge shares the blocks of the open file src with a new object.
func (tx *Transaction) cloneLarge(h ostree.FileHeader, size int64, src fdFile) (ostree.Checksum, error) {
	if err := tx.checkHeader(h); err != nil {
		return ostree.Checksum{}, err
	}
	t, err := tx.createTmp()
	if err != nil {
		return ostree.Checksum{}, err
	}
	defer t.drop()
	if unix.IoctlFileClone(int(t.fdFile), int(src)) != nil {
		tx.noClone.Store(true)
		return tx.WriteFile(h, size, src)
	}
	tx.stats.contentTotal.Add(1)
	sum, err := ostree.FileChecksum(h, io.LimitReader(src, size))
	if err != nil {
		return sum, err
	}
	if ok, err := tx.known(nil, sum); ok || err != nil {
		return sum, err
	}
	_, err = tx.finishFile(t, sum, h, size)
	return sum, err
}

// WriteMetadata adds a metadata object, of which data is the serialised form,
// and returns its checksum. The form is not validated.
func (tx *Transaction) WriteMetadata(t ostree.ObjectType, data []byte) (ostree.Checksum, error) {
	c := ostree.ChecksumOf(data)
	return c, tx.writeMetadata(t, c, data)
}

// WriteMetadataAsIs is WriteMetadata for data whose checksum is known to be that of the name.
// As WriteFileChecked, it does not look whether the object is there.
func (tx *Transaction) WriteMetadataAsIs(n ostree.ObjectName, data []byte) error {
	return tx.storeMetadata(n.Type, n.Checksum, data)
}

func (tx *Transaction) writeMetadata(typ ostree.ObjectType, c ostree.Checksum, data []byte) error {
	if ok, err := tx.Has(typ, c); ok || err != nil {
		tx.stats.metadataTotal.Add(1)
		return err
	}
	return tx.storeMetadata(typ, c, data)
}

func (tx *Transaction) storeMetadata(typ ostree.ObjectType, c ostree.Checksum, data []byte) error {
	if len(data) > ostree.MaxMetadataSize {
		return fmt.Errorf("Metadata object of type %s is %d bytes; maximum metadata size is %d", typ, len(data), ostree.MaxMetadataSize)
	}
	tx.stats.metadataTotal.Add(1)
	t, err := tx.createTmp()
	if err != nil {
		return err
	}
	defer t.drop()
	if _, err := t.Write(data); err != nil {
		return err
	}
	if err := fchmod(int(t.fdFile), 0o644); err != nil {
		return err
	}
	isNew, err := tx.link(t, typ, c)
	if isNew {
		tx.stats.metadataWritten.Add(1)
	}
	return err
}

// WriteDirTree adds a dirtree object.
func (tx *Transaction) WriteDirTree(d *ostree.DirTree) (ostree.Checksum, error) {
	return tx.WriteMetadata(ostree.ObjectDirTree, d.Marshal())
}

// WriteDirMeta adds a dirmeta object.
func (tx *Transaction) WriteDirMeta(d *ostree.DirMeta) (ostree.Checksum, error) {
	return tx.WriteMetadata(ostree.ObjectDirMeta, d.Marshal())
}

// WriteCommit adds a commit object.
func (tx *Transaction) WriteCommit(c *ostree.Commit) (ostree.Checksum, error) {
	return tx.WriteMetadata(ostree.ObjectCommit, c.Marshal())
}

// WriteDetachedMetadata replaces the detached metadata of a commit, an a{sv}
// such as its signatures, when the transaction commits.
func (tx *Transaction) WriteDetachedMetadata(commit ostree.Checksum, data []byte) error {
	if len(data) > ostree.MaxMetadataSize {
		return fmt.Errorf("detached metadata is %d bytes; maximum metadata size is %d", len(data), ostree.MaxMetadataSize)
	}
	path, err := tx.stagingPath(ostree.ObjectCommitMeta, commit)
	if err != nil {
		return err
	}
	d, err := tx.staging.dir.Open(path[:2])
	if err != nil {
		return err
	}
	defer d.Close()
	return d.WriteFileAtomic(path[3:], data, 0o644, tx.options.PerObjectFsync)
}
