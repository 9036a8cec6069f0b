package repo

import (
	"errors"
	"io/fs"
)

// isMissing tells whether an object, ref or file is not there.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
