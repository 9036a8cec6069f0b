package repo

import "fmt"

// A Mode says how a repository stores files.
type Mode uint8

const (
	// Bare stores files as themselves, with owner, mode and extended
	// attributes. Writing foreign owners needs root.
	Bare Mode = iota
	// BareUser stores files as the caller's own, with the metadata in the
	// extended attribute user.ostreemeta and symbolic links as regular files.
	BareUser
	// BareUserOnly stores the content and the permission bits only. Files read
	// back as owned by root, without extended attributes.
	BareUserOnly
	// Archive stores every file compressed with its metadata in front, for
	// serving over HTTP.
	Archive
	// BareSplitXattrs is Bare with the extended attributes of files in objects
	// of their own. As upstream, it is for reading: what is written lacks those.
	BareSplitXattrs
)

// modeNames are the values of the configuration key core.mode; the archive
// mode is called archive-z2 there for compatibility with old readers.
var modeNames = [...]string{"bare", "bare-user", "bare-user-only", "archive-z2", "bare-split-xattrs"}

// String returns the name of the mode as it is written to a configuration.
func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return fmt.Sprintf("mode(%d)", uint8(m))
}

// ParseMode reads the name of a mode.
func ParseMode(s string) (Mode, error) {
	if s == "archive" {
		return Archive, nil
	}
	for i, name := range modeNames {
		if s == name {
			return Mode(i), nil
		}
	}
	return 0, fmt.Errorf("Invalid mode '%s' in repository configuration", s)
}

// owners tells whether files on disk have the owner and mode of the object.
func (m Mode) owners() bool { return m == Bare || m == BareSplitXattrs }

// links tells whether symbolic links are stored as such.
func (m Mode) links() bool { return m.owners() || m == BareUserOnly }
