package ostree

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// ValidateName checks a name in a directory: one path component of valid UTF-8.
func ValidateName(name string) error {
	switch {
	case name == ".":
		return fmt.Errorf("Invalid self-referential filename '.'")
	case name == "..":
		return fmt.Errorf("Invalid path uplink filename '..'")
	case name == "":
		return fmt.Errorf("Invalid empty filename")
	case strings.IndexByte(name, '/') >= 0:
		return fmt.Errorf("Invalid / in filename %s", name)
	case !utf8.ValidString(name):
		return fmt.Errorf("Invalid UTF-8 in filename %s", name)
	case strings.IndexByte(name, 0) >= 0:
		return fmt.Errorf("Invalid NUL in filename %q", name)
	}
	return nil
}
