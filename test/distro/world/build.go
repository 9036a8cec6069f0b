package world

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"rpmostree/rpm"
	"rpmostree/rpmmd/createrepo"
	"rpmostree/test/distro/deb"
)

// build converts and makes all packages of both repositories, and their metadata.
func build(ctx context.Context, w *World, f *fetcher, c closure, log io.Writer) error {
	start := time.Now()
	conv := &converter{f.lists, baseDirectories()}
	system, err := conv.system()
	if err != nil {
		return err
	}
	fmt.Fprintf(log, "converting %d + %d packages\n", len(c.Base), len(c.Updates))
	if err := conv.repository(ctx, w.Base, f, c.Base, slices.Concat(system, cases()), nil); err != nil {
		return err
	}
	newest := newestOf(c)
	if err := conv.repository(ctx, w.Updates, f, c.Updates, caseUpdates(), newest); err != nil {
		return err
	}
	fmt.Fprintf(log, "made the distribution in %.1f s\n", time.Since(start).Seconds())
	return nil
}

// packageName returns the name in a file name NAME_VERSION_ARCH.deb.
func packageName(file string) string {
	name, _, _ := strings.Cut(file, "_")
	return name
}

// newestOf returns the files of all packages, an update in the place of what it updates.
func newestOf(c closure) []string {
	byName := map[string]string{}
	for _, file := range slices.Concat(c.Base, c.Updates) {
		byName[packageName(file)] = file
	}
	var out []string
	for _, file := range byName {
		out = append(out, file)
	}
	slices.Sort(out)
	return out
}

// repository writes one repository: the files converted, the packages made, and synthetic
// updates of those in update that the lists name.
func (c *converter) repository(ctx context.Context, dir string, f *fetcher, files []string, more []*rpm.Builder, update []string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	convert := func(file string, synthetic bool) {
		g.Go(func() error {
			if err := gctx.Err(); err != nil {
				return err
			}
			p, err := deb.Open(f.path(file))
			if err != nil {
				return err
			}
			b, err := c.convert(p)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if synthetic {
				if err := c.synthesize(b, packageName(file)); err != nil {
					return err
				}
			}
			return writePackage(dir, b)
		})
	}
	for _, file := range files {
		convert(file, false)
	}
	for _, file := range update {
		if _, _, ok := c.lists.update(packageName(file)); ok {
			convert(file, true)
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return writeRepository(ctx, dir, more)
}

// writePackage writes a package under its usual file name.
func writePackage(dir string, b *rpm.Builder) error {
	name := fmt.Sprintf("%s-%s-%s.%s.rpm", b.Name, b.Version, b.Release, b.Arch)
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := b.Write(f); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	// the file's time is part of the metadata, which should not depend on the day
	built := time.Unix(int64(b.BuildTime), 0)
	return os.Chtimes(f.Name(), built, built)
}

// writeRepository adds packages to a directory and makes it a repository.
func writeRepository(ctx context.Context, dir string, more []*rpm.Builder) error {
	for _, b := range more {
		if err := writePackage(dir, b); err != nil {
			return err
		}
	}
	_, err := createrepo.Write(ctx, dir, createrepo.Options{})
	return err
}
