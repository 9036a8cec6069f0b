package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"rpmostree/internal/core/importer"
	"rpmostree/internal/core/pkgcache"
	"rpmostree/internal/core/sack"
	"rpmostree/internal/failpoint"
	"rpmostree/ostree/repo"
	"rpmostree/rpm"
)

// A Fetched is a plan whose packages are all in the repository.
type Fetched struct {
	plan     *Plan
	packages []*pkgcache.Package // one for each step of the plan
}

// Fetch brings the plan's packages into the repository: those that are not
// there are downloaded, verified and imported in one pass. Everything is stored
// through tx.
func (c *Core) Fetch(ctx context.Context, tx *repo.Transaction, plan *Plan) (*Fetched, error) {
	f := &Fetched{plan: plan, packages: make([]*pkgcache.Package, len(plan.Install))}
	var todo []int
	for i, s := range plan.Install {
		p, err := c.cached(tx, s, plan.spec)
		if err != nil {
			return nil, err
		}
		if p == nil {
			todo = append(todo, i)
		}
		f.packages[i] = p
	}
	if err := c.importAll(ctx, tx, plan, todo, f.packages); err != nil {
		return nil, err
	}
	for i := range plan.Install {
		plan.Install[i].header = f.packages[i].Header
	}
	return f, failpoint.At("core.fetched")
}

// cached returns the package of a step if it was imported before, else nil. As upstream's,
// imported packages are not told apart by whether signatures were verified then: the
// checksum says that it is the file which the repository names, gpgcheck=1 that was
// switched on later does not make it be imported again.
func (c *Core) cached(tx *repo.Transaction, s Step, spec Spec) (*pkgcache.Package, error) {
	sum, err := c.Repo.ResolveRev(pkgcache.Ref(s.NEVRA()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	p, err := pkgcache.Load(tx.Objects, sum)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	same := false
	if l := s.Source.Local; l != nil {
		same = p.SHA256 == l.SHA256
	} else {
		same = p.RepoChecksum == s.Source.Package().Checksum.String()
	}
	if !same || p.NoDocs != spec.NoDocs || p.IMA != spec.IMA {
		return nil, nil // another build of the same name
	}
	return p, nil
}

func (c *Core) importAll(ctx context.Context, tx *repo.Transaction, plan *Plan, todo []int, into []*pkgcache.Package) error {
	if len(todo) == 0 {
		return nil
	}
	var total uint64
	steps := make([]Step, len(todo))
	for k, i := range todo {
		steps[k] = plan.Install[i]
		total += uint64(size(steps[k]))
	}
	if err := plan.repos.loadKeys(ctx, c.Root, steps); err != nil {
		return err
	}
	plural := "s"
	if len(todo) == 1 {
		plural = ""
	}
	if total > 0 {
		c.progress().Message(fmt.Sprintf("Will download: %d package%s (%s)", len(todo), plural, formatSize(total)))
	}
	task := c.progress().Begin("Importing packages")
	var done atomic.Uint64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0) + 1)
	// The largest first, so that none is left over at the end.
	slices.SortFunc(todo, func(a, b int) int { return int(size(plan.Install[b]) - size(plan.Install[a])) })
	for _, i := range todo {
		group.Go(func() error {
			p, err := c.importOne(ctx, tx, plan, plan.Install[i])
			for tries := 1; err != nil && plan.repos.retry(plan.Install[i].Source, err, tries); tries++ {
				p, err = c.importOne(ctx, tx, plan, plan.Install[i])
			}
			if err != nil {
				return err
			}
			into[i] = p
			task.Update(done.Add(1), uint64(len(todo)))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	task.End("")
	return nil
}

func size(s Step) int64 {
	if s.Source.Remote() {
		return max(s.Source.Package().Size, 0)
	}
	return 0
}

// importOne streams one package into the repository. Digests, signatures and
// the checksum that the repository's metadata name are verified on the way;
// the package gets its ref only if all are right.
func (c *Core) importOne(ctx context.Context, tx *repo.Transaction, plan *Plan, s Step) (*pkgcache.Package, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in, opt, origin, err := c.open(ctx, plan, s)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	p, err := rpm.Open(in, opt)
	if err != nil {
		return nil, damaged(in, s, err)
	}
	if got := sack.NEVRA(p.Header); got.String() != s.NEVRA().String() {
		return nil, fmt.Errorf("Importing package '%s': the file is package %s", s.NEVRA(), got)
	}
	if l := s.Source.Local; l != nil && pkgcache.SHA256(p) != l.SHA256 {
		return nil, fmt.Errorf("Importing package '%s': the file has changed", s.NEVRA())
	}
	t, err := importer.Import(p, tx, importer.Options{NoDocs: plan.spec.NoDocs, IMA: plan.spec.IMA})
	if err != nil {
		return nil, damaged(in, s, err)
	}
	if err := damaged(in, s, nil); err != nil {
		return nil, err
	}
	origin.NoDocs, origin.IMA = plan.spec.NoDocs, plan.spec.IMA
	return pkgcache.Save(tx, p, t, origin)
}

// damaged reads a package to its end, which makes the stream compare its
// checksum. If that is wrong it is the error, since it explains any other one
// that came before: err, which is returned otherwise.
func damaged(in io.Reader, s Step, err error) error {
	if _, e := io.Copy(io.Discard, in); e != nil {
		err = e
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("Importing package '%s': %w", s.NEVRA(), err)
}

// open returns the stream of a package file, and how it must be verified.
func (c *Core) open(ctx context.Context, plan *Plan, s Step) (io.ReadCloser, rpm.Options, pkgcache.Origin, error) {
	if l := s.Source.Local; l != nil {
		f, err := os.Open(l.Path)
		return f, rpm.Options{}, pkgcache.Origin{}, err
	}
	in, opt, err := plan.repos.open(ctx, s.Source)
	if err != nil {
		return nil, opt, pkgcache.Origin{}, err
	}
	p := s.Source.Package()
	return in, opt, pkgcache.Origin{
		RepoID: s.Source.Repo, RepoTimestamp: plan.repos.timestamp(s.Source.Repo), RepoChecksum: p.Checksum.String(),
	}, nil
}

// formatSize writes a number of bytes as upstream does: decimal units, a
// no-break space.
func formatSize(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d\u00a0bytes", n)
	}
	f, units := float64(n)/1000, []string{"kB", "MB", "GB", "TB", "PB", "EB"}
	i := 0
	for ; f >= 999.95 && i < len(units)-1; i++ {
		f /= 1000
	}
	return fmt.Sprintf("%.1f\u00a0%s", f, units[i])
}

// OpenLocal reads the headers of a package file.
func OpenLocal(path string) (*sack.Local, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := rpm.Open(f, rpm.Options{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if p.Header.IsSource() {
		return nil, fmt.Errorf("%s: is a source package", path)
	}
	return &sack.Local{Path: path, Header: p.Header, SHA256: pkgcache.SHA256(p)}, nil
}
