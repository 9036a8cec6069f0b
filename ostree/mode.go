package ostree

// Bits of a file mode, as in st_mode.
const (
	ModeType    = 0o170000
	ModeDir     = 0o040000
	ModeRegular = 0o100000
	ModeSymlink = 0o120000
	ModePerm    = 0o7777
)

// IsDir reports whether an st_mode is that of a directory.
func IsDir(mode uint32) bool { return mode&ModeType == ModeDir }

// IsRegular reports whether an st_mode is that of a regular file.
func IsRegular(mode uint32) bool { return mode&ModeType == ModeRegular }

// IsSymlink reports whether an st_mode is that of a symbolic link.
func IsSymlink(mode uint32) bool { return mode&ModeType == ModeSymlink }
