package delta

import (
	"errors"
	"io"
)

// A PartInfo says what is in a part, for people.
type PartInfo struct {
	Modes, Xattrs, ProgramSize int
	BlobSize                   int64
	Counts                     Counts
}

// Describe reads the file of a part without making its objects.
func Describe(meta *PartMeta, file *io.SectionReader) (PartInfo, error) {
	u := new(Unpacker)
	defer u.Close()
	p, err := u.Unpack(file, meta.USize)
	if err != nil {
		return PartInfo{}, err
	}
	info := PartInfo{Modes: len(p.modes), Xattrs: len(p.xattrs), BlobSize: p.blob.Size(), ProgramSize: len(p.program)}
	info.Counts, err = p.objects(meta.Objects, func(*object) error { return nil })
	return info, errors.Join(err, p.Close())
}
