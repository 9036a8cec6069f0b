package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"rpmostree/internal/core"
	"rpmostree/internal/core/pkgcache"
	"rpmostree/internal/core/sack"
	"rpmostree/internal/failpoint"
	"rpmostree/internal/origin"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/rpm/evr"
	"rpmostree/rpm/rpmdb"
)

// BaseTmpRef keeps the base of a commit in the making.
const (
	baseRefPrefix = "rpmostree/base/"
	baseTmpRef    = baseRefPrefix + "tmp"
)

// inactive are the requests of an origin that have no effect on a base.
type inactive struct {
	requests map[string]string // request to the base package that meets it
	removals []string
	replaced []string // names, and NEVRAs of local replacements
}

// active returns the spec for the requests that have an effect on the base.
func (h *Host) active(o *origin.Origin, base *core.Base, locals map[string]*sack.Local) (core.Spec, inactive, error) {
	args, err := h.initramfsArgs(o, base.Commit)
	if err != nil {
		return core.Spec{}, inactive{}, err
	}
	spec := core.Spec{Base: base, Initramfs: o.RegenerateInitramfs, InitramfsArgs: args}
	off := inactive{requests: map[string]string{}}
	inBase := func(name string) bool {
		return slices.ContainsFunc(base.Packages, func(p rpmdb.Installed) bool {
			return p.Header.Name() == name || sack.NEVRA(p.Header).String() == name
		})
	}
	for _, name := range o.Remove {
		if inBase(name) {
			spec.Remove = append(spec.Remove, name)
		} else {
			off.removals = append(off.removals, name)
		}
	}
	for _, p := range o.ReplaceLocal {
		l, err := h.local(p, locals)
		if err != nil {
			return spec, off, err
		}
		if inBase(l.Header.Name()) {
			spec.Replace = append(spec.Replace, l)
		} else {
			off.replaced = append(off.replaced, p.NEVRA)
		}
	}
	for _, from := range slices.Sorted(maps.Keys(o.ReplaceRemote)) {
		name, ok := strings.CutPrefix(from, "repo=")
		if !ok {
			return spec, off, fmt.Errorf("Parsing override source '%s': only repo=NAME is known", from)
		}
		f := core.FromRepo{Repo: name}
		for _, p := range o.ReplaceRemote[from] {
			if inBase(p) {
				f.Packages = append(f.Packages, p)
			} else {
				off.replaced = append(off.replaced, p)
			}
		}
		if f.Packages != nil {
			spec.ReplaceRemote = append(spec.ReplaceRemote, f)
		}
	}
	for _, group := range []struct {
		from []origin.LocalPackage
		to   *[]*sack.Local
	}{{o.LocalPackages, &spec.Local}, {o.LocalOverwrite, &spec.Overwrite}} {
		for _, p := range group.from {
			l, err := h.local(p, locals)
			if err != nil {
				return spec, off, err
			}
			if n := nevraOf(l); inBase(n) {
				off.requests[n] = n
				continue
			}
			*group.to = append(*group.to, l)
		}
	}
	provided := core.Provided(h.Arch, base.Packages, spec.Remove, o.Packages)
	for _, p := range o.Packages {
		if by, ok := provided[p]; ok {
			off.requests[p] = by
		} else {
			spec.Install = append(spec.Install, p)
		}
	}
	return spec, off, nil
}

// initramfsArgs returns the arguments for dracut: those of the origin if it wants
// an initramfs of this machine's own, else those that the base was made with.
func (h *Host) initramfsArgs(o *origin.Origin, base ostree.Checksum) ([]string, error) {
	if o.RegenerateInitramfs {
		return o.InitramfsArgs, nil
	}
	c, err := h.Sysroot.Repo().Commit(base)
	if err != nil {
		return nil, err
	}
	var args []string
	list, _ := c.Metadata.Lookup("rpmostree.initramfs-args")
	for i := range list.Len() {
		args = append(args, list.Index(i).Str())
	}
	return args, nil
}

// local returns a package that an origin names by checksum: one just given, or
// one of the package cache.
func (h *Host) local(p origin.LocalPackage, locals map[string]*sack.Local) (*sack.Local, error) {
	if l, ok := locals[p.SHA256]; ok {
		return l, nil
	}
	n, err := evr.ParseNEVRA(p.NEVRA)
	if err != nil {
		return nil, err
	}
	r := h.Sysroot.Repo()
	sum, err := r.ResolveRev(pkgcache.Ref(n))
	if err == nil {
		var cached *pkgcache.Package
		if cached, err = pkgcache.Load(r.Objects, sum); err == nil && cached.SHA256 == p.SHA256 {
			return &sack.Local{Header: cached.Header, SHA256: p.SHA256}, nil
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return nil, fmt.Errorf("The package file of %s is not in the package cache any more; give it again: rpm-ostree install FILE", p.NEVRA)
}

// report tells which requests are without effect.
func (h *Host) report(off inactive) {
	if len(off.requests) > 0 {
		h.progress().Message("Inactive requests:")
		for _, r := range slices.Sorted(maps.Keys(off.requests)) {
			h.progress().Message(fmt.Sprintf("  %s (already provided by %s)", r, off.requests[r]))
		}
	}
	for _, list := range []struct {
		title string
		names []string
	}{{"Inactive base removals:", off.removals}, {"Inactive base replacements:", off.replaced}} {
		if len(list.names) > 0 {
			h.progress().Message(list.title)
			for _, n := range list.names {
				h.progress().Message("  " + n)
			}
		}
	}
}

// hasEffect reports whether a spec makes anything but its base.
func hasEffect(s core.Spec) bool {
	return len(s.Install)+len(s.Local)+len(s.Overwrite)+len(s.Remove)+len(s.Replace)+len(s.ReplaceRemote) > 0 || s.Initramfs
}

// layer makes the commit of a spec, or finds that a deployment has it already.
func (h *Host) layer(ctx context.Context, t *target, spec core.Spec, requested []string, r *Request) (ostree.Checksum, error) {
	c, err := h.core(t, spec.Base.Tree, r.CacheOnly)
	if err != nil {
		return ostree.Checksum{}, err
	}
	if spec.Repos, err = h.repos(t, c.Vars); err != nil {
		return ostree.Checksum{}, err
	}
	plan, err := c.Prepare(ctx, spec)
	if err != nil {
		return ostree.Checksum{}, err
	}
	if sum, ok, err := h.same(t, plan); ok || err != nil {
		return sum, err
	}
	if r.DryRun {
		return ostree.Checksum{}, &dryRun{plan}
	}
	repository := h.Sysroot.Repo()
	tx, err := repository.Begin(ctx, repo.TransactionOptions{})
	if err != nil {
		return ostree.Checksum{}, err
	}
	defer tx.Abort()
	fetched, err := c.Fetch(ctx, tx, plan)
	if err != nil {
		return ostree.Checksum{}, err
	}
	if r.DownloadOnly {
		_, err := tx.Commit()
		return ostree.Checksum{}, errors.Join(err, errDownloaded)
	}
	built, err := c.Assemble(ctx, tx, fetched)
	if err != nil {
		return ostree.Checksum{}, err
	}
	defer built.Close()
	return h.commit(tx, spec.Base.Commit, built, requested)
}

// commit writes the layered commit.
func (h *Host) commit(tx *repo.Transaction, baseSum ostree.Checksum, built *core.Built, requested []string) (ostree.Checksum, error) {
	task := h.progress().Begin("Writing OSTree commit")
	base, err := tx.Repo().Commit(baseSum)
	if err != nil {
		return ostree.Checksum{}, err
	}
	root, meta, err := built.Tree.Write(tx)
	if err != nil {
		return ostree.Checksum{}, err
	}
	sum, err := tx.WriteCommit(&ostree.Commit{
		Metadata: built.LayerMetadata(base, requested).Value(), Parent: baseSum,
		Timestamp: h.Epoch, Tree: root, Meta: meta,
	})
	if err != nil {
		return ostree.Checksum{}, err
	}
	if err := tx.SetRef("", baseTmpRef, baseSum); err != nil {
		return ostree.Checksum{}, err
	}
	if err := failpoint.At("upgrade.commit"); err != nil {
		return ostree.Checksum{}, err
	}
	if _, err := tx.Commit(); err != nil {
		return ostree.Checksum{}, err
	}
	task.End("")
	return sum, nil
}

// same returns the commit of a deployment that was made from the same plan.
func (h *Host) same(t *target, plan *core.Plan) (ostree.Checksum, bool, error) {
	want := plan.StateHash()
	for _, d := range t.state.Deployments {
		c, err := h.Sysroot.Repo().Commit(d.Checksum)
		if err != nil {
			return ostree.Checksum{}, false, err
		}
		if c.MetadataString("rpmostree.state-sha512") == want {
			return d.Checksum, true, nil
		}
	}
	return ostree.Checksum{}, false, nil
}

// errDownloaded ends an operation that was only to download.
var errDownloaded = errors.New("downloaded")

// A dryRun ends an operation that was only to find out what would change.
type dryRun struct{ plan *core.Plan }

func (*dryRun) Error() string { return "dry run" }
