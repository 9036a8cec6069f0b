package repo

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"rpmostree/ostree"
)

// VerifyBindings compares what a commit was made for with where it came from. The collection
// and the ref are "" if that is not known; a commit of a collection must be bound to a ref of it.
func VerifyBindings(c *ostree.Commit, collection, ref string) error {
	refs, ok := c.Metadata.Lookup(ostree.KeyRefBinding)
	if !ok || refs.Type() != "as" {
		if collection == "" {
			return nil
		}
		return errors.New("Expected commit metadata to have ref binding information, found none")
	}
	if bound := refs.StrArray(); ref != "" && !slices.Contains(bound, ref) {
		text := "no refs"
		if len(bound) > 0 {
			text = "‘" + strings.Join(bound, "’, ‘") + "’"
		}
		return fmt.Errorf("Commit has no requested ref ‘%s’ in ref binding metadata (%s)", ref, text)
	}
	if collection == "" {
		return nil
	}
	bound, ok := c.Metadata.Lookup(ostree.KeyCollectionBinding)
	if !ok || bound.Type() != "s" {
		return errors.New("Expected commit metadata to have collection ID binding information, found none")
	}
	if bound.Str() != collection {
		return fmt.Errorf("Commit has collection ID ‘%s’ in collection binding metadata, while the remote it came from has collection ID ‘%s’", bound.Str(), collection)
	}
	return nil
}
