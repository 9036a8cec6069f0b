package download

import (
	"context"
	"io"

	"rpmostree/rpmmd"
)

// Advisories calls fn for each advisory of the repository; there are none if it has
// no updateinfo.
func (s *Snapshot) Advisories(ctx context.Context, fn func(*rpmmd.Advisory) error) error {
	if !s.Has("updateinfo") {
		return nil
	}
	return s.parse(ctx, "updateinfo", func(r io.Reader) error { return rpmmd.ParseUpdateinfo(r, fn) })
}

// Modules returns the module streams of the repository, or nil if it has none.
func (s *Snapshot) Modules(ctx context.Context) (m *rpmmd.Modules, err error) {
	if !s.Has("modules") {
		return nil, nil
	}
	err = s.parse(ctx, "modules", func(r io.Reader) error {
		m, err = rpmmd.ParseModules(r)
		return err
	})
	return m, err
}

// Comps returns the groups of the repository; they are empty if it has none, or
// its configuration says not to use them.
func (s *Snapshot) Comps(ctx context.Context) (c *rpmmd.Comps, err error) {
	if !s.Has("group") || !s.Config.EnableGroups {
		return &rpmmd.Comps{}, nil
	}
	err = s.parse(ctx, "group", func(r io.Reader) error {
		c, err = rpmmd.ParseComps(r)
		return err
	})
	return c, err
}

// Changelogs calls fn with the changes of each package. They are valid until fn
// returns.
func (s *Snapshot) Changelogs(ctx context.Context, fn func(*rpmmd.Changelogs) error) error {
	return s.parse(ctx, "other", func(r io.Reader) error { return rpmmd.ParseOther(r, fn) })
}
