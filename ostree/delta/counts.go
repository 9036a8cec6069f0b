package delta

// A PartInfo says what is in a part, for people.
type PartInfo struct {
	Modes, Xattrs, BlobSize, ProgramSize int
	Counts                               Counts
}

// Describe reads a part without making its objects.
func Describe(meta *PartMeta, file []byte) (PartInfo, error) {
	p, err := ParsePart(file, meta.USize)
	if err != nil {
		return PartInfo{}, err
	}
	info := PartInfo{Modes: len(p.modes), Xattrs: len(p.xattrs), BlobSize: len(p.blob), ProgramSize: len(p.program)}
	info.Counts, err = p.objects(meta.Objects, func(*object) error { return nil })
	return info, err
}
