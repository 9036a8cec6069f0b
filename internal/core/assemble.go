package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"rpmostree/internal/core/assemble"
	"rpmostree/internal/core/importer"
	"rpmostree/internal/core/passwd"
	"rpmostree/internal/core/postprocess"
	"rpmostree/internal/core/scripts"
	"rpmostree/internal/core/tmpfiles"
	"rpmostree/internal/failpoint"
	"rpmostree/internal/sandbox"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
	"rpmostree/rpm"
	"rpmostree/rpm/rpmdb"
)

// A Built is a tree made of packages. It is not yet a commit. It must be closed.
type Built struct {
	Tree     tree.Tree
	Packages []*rpm.Header // all that are installed
	plan     *Plan
	stage    stage // what is on disk of the tree, for more programs to run in it
}

// Close removes from disk what Assemble put there for programs to see.
func (b *Built) Close() { b.stage.close() }

// Assemble makes the tree. Everything it stores goes into tx; the caller
// commits or aborts.
func (c *Core) Assemble(ctx context.Context, tx *repo.Transaction, f *Fetched) (*Built, error) {
	a := &assembly{stage: stage{core: c, tx: tx}, plan: f.plan}
	for i, p := range f.packages {
		a.added = append(a.added, p.Header)
		a.change.Add = append(a.change.Add, assemble.Package{
			Header: p.Header, Tree: p.Tree, Overwrite: f.plan.Install[i].Overwrite,
		})
	}
	a.fetched = f
	a.change.Remove = installedHeaders(f.plan.Remove)
	if b := f.plan.spec.Base; b != nil {
		for _, p := range b.Packages {
			if !slices.ContainsFunc(f.plan.Remove, func(r rpmdb.Installed) bool { return r.HeaderNum == p.HeaderNum }) {
				a.change.Keep = append(a.change.Keep, p.Header)
			}
		}
		a.onDisk = b.OnDisk
	}
	a.installed = slices.Concat(a.change.Keep, a.added)
	if err := a.steps(ctx); err != nil {
		a.close()
		return nil, err
	}
	return &Built{Tree: a.tree, Packages: a.installed, plan: f.plan, stage: a.stage}, nil
}

// steps does all there is to do, in order.
func (a *assembly) steps(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		a.files, a.users, a.own, a.volatile, a.scripts, a.kernel, a.finish, a.database, a.label,
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// An assembly is the state of Assemble: the tree so far.
type assembly struct {
	stage
	plan      *Plan
	fetched   *Fetched
	change    assemble.Change
	added     []*rpm.Header
	installed []*rpm.Header
}

// files puts the packages' files into the tree.
func (a *assembly) files(context.Context) error {
	if err := a.runner(sandbox.Root{}).Check(a.packages()); err != nil {
		return err
	}
	task := a.core.progress().Begin("Checking out packages")
	var base tree.Tree
	if b := a.plan.spec.Base; b != nil {
		base = b.Tree
	} else {
		var err error
		if base, err = postprocess.Skeleton(a.tx, a.plan.spec.Shape); err != nil {
			return err
		}
	}
	t, err := assemble.Files(base, a.change)
	if err != nil {
		return err
	}
	a.tree = t
	if err := a.storePolicies(); err != nil {
		return err
	}
	task.End("")
	return failpoint.At("core.files")
}

// storePolicies makes the tools of SELinux keep policies in /etc, before scripts call
// them.
func (a *assembly) storePolicies() error {
	text, err := ReadFile(a.tx.Objects, a.tree, postprocess.SemanageConf)
	var below *tree.NotDirError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &below) {
		return nil
	} else if err != nil {
		return err
	}
	if changed := postprocess.StoreInEtc(string(text)); changed != string(text) {
		e := postprocess.Edit(a.tree, a.tx)
		e.File(postprocess.SemanageConf, 0o644, changed)
		a.tree, err = e.Tree()
	}
	return err
}

// What tells that packages declare users, and that the tree can make them.
const (
	sysusersDir  = "usr/lib/sysusers.d"
	sysusersProg = "usr/bin/systemd-sysusers"
)

// users makes the users and groups that packages bring, by sysusers and %pre.
func (a *assembly) users(ctx context.Context) error {
	sysusers := a.hasSysusers()
	if !sysusers && !a.hasScripts(rpm.PreIn) {
		return nil
	}
	u, err := openUsers(a.tx, a.tree)
	if err != nil {
		return err
	}
	if a.tree, err = u.show(a.tree, a.tx); err != nil {
		return err
	}
	err = a.run(ctx, func(root sandbox.Root) error {
		if sysusers {
			task := a.core.progress().Begin("Running systemd-sysusers")
			var out logBuffer
			if err := sandbox.Run(ctx, root, sandbox.Command{Args: []string{"systemd-sysusers"}, Output: &out}); err != nil {
				return fmt.Errorf("Running systemd-sysusers: %w\n%s", err, out.String())
			}
			task.End("")
		}
		return a.runScripts(ctx, root, "Running pre scripts", rpm.PreIn)
	})
	if err != nil {
		return err
	}
	var previous passwd.Database
	if b := a.plan.spec.Base; b != nil {
		previous = b.Users
	}
	a.tree, err = u.keep(a.tree, a.tx, previous)
	return err
}

// hasSysusers reports whether an added package declares users, and the tree can
// make them.
func (a *assembly) hasSysusers() bool {
	if ok, err := a.tree.Exists(sysusersProg); err != nil || !ok {
		return false
	}
	return slices.ContainsFunc(a.added, func(h *rpm.Header) bool {
		return slices.ContainsFunc(h.Strings(rpm.TagDirNames), func(d string) bool {
			return strings.Trim(d, "/") == sysusersDir
		})
	})
}

// own gives the packages' files to their owners.
func (a *assembly) own(context.Context) error {
	users, err := readUsers(a.tx, a.tree)
	if err != nil {
		return err
	}
	a.tree, err = assemble.Own(a.tree, a.change.Add, users, rewriter{a.tx})
	return err
}

// Paths of the tmpfiles.d lines that stand for the packages' /var.
const (
	packageTmpfiles = "usr/lib/rpm-ostree/tmpfiles.d"
	autovar         = "usr/lib/tmpfiles.d/rpm-ostree-autovar.conf"
)

// volatile gathers the packages' tmpfiles.d lines in one file, without those
// that the tree's own files cover.
func (a *assembly) volatile(context.Context) error {
	covered := map[string]bool{}
	for _, dir := range []string{"usr/lib/tmpfiles.d", "usr/etc/tmpfiles.d"} {
		err := a.eachFile(dir, func(name string, text []byte) {
			if path.Join(dir, name) != autovar {
				for _, p := range tmpfiles.Paths(text) {
					covered[p] = true
				}
			}
		})
		if err != nil {
			return err
		}
	}
	var lines []string
	err := a.eachFile(packageTmpfiles, func(_ string, text []byte) {
		for line := range strings.Lines(string(text)) {
			if p := tmpfiles.Paths([]byte(line)); len(p) == 1 && !covered[p[0]] {
				covered[p[0]] = true
				lines = append(lines, line)
			}
		}
	})
	if err != nil {
		return err
	}
	e := postprocess.Edit(a.tree, a.tx)
	if len(lines) > 0 {
		slices.Sort(lines)
		e.File(autovar, 0o644, "# Generated by rpm-ostree from the packages' files in /var, /run and /opt\n"+strings.Join(lines, ""))
	} else {
		e.Remove(autovar)
	}
	a.tree, err = e.Tree()
	return err
}

// scripts runs what comes after the files are in place and owned.
func (a *assembly) scripts(ctx context.Context) error {
	triggers := scripts.HasFileTriggers(a.installed, a.added, a.change.Remove)
	if !triggers && !a.hasScripts(rpm.PostIn) && !a.hasScripts(rpm.PostTrans) {
		return nil
	}
	return a.run(ctx, func(root sandbox.Root) error {
		if err := a.runScripts(ctx, root, "Running post scripts", rpm.PostIn); err != nil {
			return err
		}
		if err := a.runScripts(ctx, root, "Running posttrans scripts", rpm.PostTrans); err != nil {
			return err
		}
		if !triggers {
			return nil
		}
		task := a.core.progress().Begin("Running file triggers")
		if err := a.runner(root).FileTriggers(ctx, a.installed, a.added, a.change.Remove); err != nil {
			return err
		}
		task.End("")
		return nil
	})
}

func (a *assembly) runner(root sandbox.Root) scripts.Runner {
	return scripts.Runner{
		Root:   root,
		Lua:    a.core.Lua,
		Macros: map[string]string{"_arch": a.core.Arch, "_target_cpu": a.core.Arch, "_install_langs": "all", "_dbpath": "/usr/share/rpm"},
		Log:    func(id, line string) { a.core.progress().Message(id + ": " + line) },
	}
}

// packages is the change as scripts see it.
func (a *assembly) packages() scripts.Change {
	return scripts.Change{Keep: a.change.Keep, Remove: a.change.Remove, Add: a.added}
}

// hasScripts reports whether a script of that kind, or a trigger that goes with it, is to be run.
func (a *assembly) hasScripts(kind rpm.ScriptKind) bool {
	return scripts.Has(a.added, kind) || kind != rpm.PostTrans && a.packages().HasTriggers(kind)
}

// runScripts runs the script of that kind of every added package, and the triggers that go with it.
func (a *assembly) runScripts(ctx context.Context, root sandbox.Root, title string, kind rpm.ScriptKind) error {
	if !a.hasScripts(kind) {
		return nil
	}
	task := a.core.progress().Begin(title)
	r, c := a.runner(root), a.packages()
	for i := range a.added {
		if err := r.Install(ctx, c, i, kind); err != nil {
			return err
		}
		task.Update(uint64(i+1), uint64(len(a.added)))
	}
	task.End("")
	return failpoint.At("core.scripts")
}

// finish gives a tree that began with nothing the files of every image, and
// takes away what programs left behind.
func (a *assembly) finish(context.Context) (err error) {
	if a.tree, err = postprocess.DropScratch(a.tree); err != nil || a.plan.spec.Base != nil {
		return err
	}
	a.tree, err = postprocess.Integrate(a.tree, a.tx)
	return err
}

// database writes the package database.
func (a *assembly) database(context.Context) error {
	task := a.core.progress().Begin("Writing rpmdb")
	var entries []rpmdb.Entry
	if b := a.plan.spec.Base; b != nil {
		for _, e := range b.Database {
			if !slices.ContainsFunc(a.plan.Remove, func(r rpmdb.Installed) bool { return r.HeaderNum == e.HeaderNum }) {
				entries = append(entries, e)
			}
		}
	}
	now := uint32(a.core.Epoch)
	for i, p := range a.fetched.packages {
		info := rpmdb.InstallInfo{Time: now, TID: now, Color: rpmdb.ArchColor(a.core.Arch), States: a.states(p.Header, p.NoDocs)}
		e, err := rpmdb.NewEntry(p.Signature, p.Header, info)
		if err != nil {
			return fmt.Errorf("%s: %w", a.plan.Install[i].NEVRA(), err)
		}
		entries = append(entries, e)
	}
	db, err := rpmdb.Encode(entries, rpmdb.Options{})
	if err != nil {
		return fmt.Errorf("Writing rpmdb: %w", err)
	}
	dir := postprocess.DatabaseDir // whatever packages may have elsewhere
	if a.plan.spec.Base != nil {
		if dir, err = databaseDir(a.tree); err != nil {
			return err
		}
	}
	if a.tree, err = postprocess.Database(a.tree, a.tx, dir, rpmdb.SQLiteName, string(db)); err != nil {
		return err
	}
	if a.plan.spec.Base == nil {
		a.tree, err = postprocess.BaseDatabase(a.tree)
	}
	task.End("")
	return err
}

// states says which files of a package are not in the tree; nil if all are.
func (a *assembly) states(h *rpm.Header, noDocs bool) []rpmdb.FileState {
	if !noDocs {
		return nil
	}
	opt := importer.Options{NoDocs: true}
	files := h.Files()
	states := make([]rpmdb.FileState, len(files))
	for i := range files {
		if opt.Skipped(&files[i]) && !files[i].IsGhost() {
			states[i] = rpmdb.FileNotInstalled
		}
	}
	return states
}

// maxSmallFile bounds the files that are read from a tree into memory, in bytes.
const maxSmallFile = 16 << 20

// eachFile calls fn with the content of every file in a directory of the tree.
func (a *assembly) eachFile(dir string, fn func(name string, text []byte)) error {
	entries, err := a.tree.ReadDir(dir)
	var below *tree.NotDirError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &below) {
		return nil
	} else if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir || !strings.HasSuffix(e.Name, ".conf") {
			continue
		}
		text, err := readRegular(a.tx.Objects, e)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", dir, e.Name, err)
		}
		fn(e.Name, text)
	}
	return nil
}
