package download

import "fmt"

// A RepoError says that a repository cannot be used.
type RepoError struct {
	ID  string
	Err error
}

func (e *RepoError) Error() string { return fmt.Sprintf("cannot update repo '%s': %v", e.ID, e.Err) }

// Unwrap returns the cause.
func (e *RepoError) Unwrap() error { return e.Err }

// A PackageError says that a package cannot be had.
type PackageError struct {
	ID      string // of the repository
	Package string // NEVRA
	Err     error
}

func (e *PackageError) Error() string {
	return fmt.Sprintf("cannot download %s from repo '%s': %v", e.Package, e.ID, e.Err)
}

// Unwrap returns the cause.
func (e *PackageError) Unwrap() error { return e.Err }

// A causeError puts words before an error. They are librepo's and libdnf's, which
// begin with a capital letter, because programs and people look for them.
type causeError struct {
	words string
	err   error // may be nil
}

func because(words string, err error) error { return &causeError{words, err} }

func (e *causeError) Error() string {
	if e.err == nil {
		return e.words
	}
	return e.words + ": " + e.err.Error()
}

func (e *causeError) Unwrap() error { return e.err }
