package rpmostree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"rpmostree/internal/core/passwd"
	"rpmostree/internal/core/sack"
	"rpmostree/internal/core/scripts"
	"rpmostree/internal/sandbox"
	"rpmostree/rpm"
	"rpmostree/rpm/rpmdb"
)

// databaseDirs are where a system may have its package database.
var databaseDirs = []string{"usr/share/rpm", "usr/lib/sysimage/rpm", "var/lib/rpm"}

// verifySkips are what "db verify" can be told not to compare, by rpm's option.
var verifySkips = []struct {
	option, what string
	attribute    rpm.VerifyFlags
	files        rpm.FileFlags
}{
	{"nofiledigest", "the files' digests", rpm.VerifyDigest, 0},
	{"nosize", "the files' sizes", rpm.VerifySize, 0},
	{"nolinkto", "the targets of symbolic links", rpm.VerifyLink, 0},
	{"nouser", "the files' users", rpm.VerifyUser, 0},
	{"nogroup", "the files' groups", rpm.VerifyGroup, 0},
	{"nomtime", "the files' times, which a deployment does not keep", rpm.VerifyMtime, 0},
	{"nomode", "the files' modes", rpm.VerifyMode, 0},
	{"nordev", "device numbers", rpm.VerifyRdev, 0},
	{"nocaps", "the files' capabilities", rpm.VerifyCaps, 0},
	{"noconfig", "configuration files", 0, rpm.FileConfig},
	{"noghost", "ghost files", 0, rpm.FileGhost},
}

func (a *app) dbVerifyCommand() *cobra.Command {
	var root string
	var skip skips
	off := make([]bool, len(verifySkips))
	c := &cobra.Command{
		Use: "verify [PACKAGE...]", Short: "Compare the files of installed packages with what their packages say",
		Long: "Compare the files of installed packages, and what the packages require, with the system, and print what differs, in the form of \"rpm -V\".\n" +
			"Without PACKAGE all are compared, as by \"rpm -Va\". %verify scripts run in the system, which they cannot change.\n" +
			"The exit code is 1 if anything differs, 0 if nothing does.",
		RunE: func(cmd *cobra.Command, args []string) error {
			opt := rpmdb.VerifyOptions{}
			for i, s := range verifySkips {
				if off[i] {
					opt.Omit |= s.attribute
					opt.Skip |= s.files
				}
			}
			return a.verify(cmd.Context(), root, args, opt, skip)
		},
	}
	c.Flags().StringVarP(&root, "root", "r", "/", "Work on the system below DIR")
	c.Flags().BoolVar(&skip.deps, "nodeps", false, "Do not verify dependencies")
	c.Flags().BoolVar(&skip.files, "nofiles", false, "Do not verify files")
	c.Flags().BoolVar(&skip.scripts, "noscripts", false, "Do not run %verify scripts")
	for i, s := range verifySkips {
		c.Flags().BoolVar(&off[i], s.option, false, "Do not verify "+s.what)
	}
	return c
}

// skips are parts of a verification that are not wanted.
type skips struct{ deps, files, scripts bool }

// verify prints what differs. The exit code is 1 if anything does; rpm's is a number of
// problems, which could be any.
func (a *app) verify(ctx context.Context, root string, names []string, opt rpmdb.VerifyOptions, skip skips) error {
	fsys := os.DirFS(root)
	db, err := openDatabase(fsys)
	if err != nil {
		return fmt.Errorf("%s: %w", root, err)
	}
	if opt.Names, err = users(fsys); err != nil {
		return fmt.Errorf("%s: %w", root, err)
	}
	failed := false
	for _, b := range db.Bad() {
		fmt.Fprintf(a.err, "error: rpmdb header %d: %v -- skipped\n", b.HeaderNum, b.Err)
		failed = true
	}
	var pkgs []rpmdb.Installed
	for _, n := range names {
		found := db.ByName(n)
		if len(found) == 0 {
			fmt.Fprintf(a.out, "package %s is not installed\n", n)
			failed = true
		}
		pkgs = append(pkgs, found...)
	}
	if len(names) == 0 {
		pkgs = db.Packages()
	}
	v, err := db.NewVerifier(root, opt)
	if err != nil {
		return err
	}
	defer v.Close()
	for _, p := range pkgs {
		for _, line := range v.Report(p.Header, !skip.deps, !skip.files) {
			fmt.Fprintln(a.out, line)
			failed = true
		}
		if skip.scripts {
			continue
		}
		if err := a.verifyScript(ctx, root, p.Header); err != nil {
			fmt.Fprintf(a.err, "error: %v\n", err)
			failed = true
		}
	}
	if failed {
		return exitError(exitFailure)
	}
	return nil
}

// verifyScript runs the %verify script of a package, if it has one.
func (a *app) verifyScript(ctx context.Context, root string, h *rpm.Header) error {
	if _, ok := h.Script(rpm.VerifyScript); !ok {
		return nil
	}
	dir, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	r := scripts.Runner{
		Root: sandbox.Root{Dir: dir, ReadOnly: true, ShowDatabase: true}, Lua: self(),
		Macros: map[string]string{"_arch": hostArch(), "_target_cpu": hostArch(), "_install_langs": "all"},
		Log:    func(_, line string) { fmt.Fprintln(a.out, line) },
	}
	err = r.Run(ctx, scripts.Package{Header: h}, rpm.VerifyScript)
	var exit *sandbox.ExitError
	switch {
	case !errors.As(err, &exit):
		return err
	case exit.NotStarted:
		return fmt.Errorf("%%verify(%s) scriptlet could not be started; --noscripts leaves such scripts out", sack.NEVRA(h))
	case exit.Signal != 0:
		return fmt.Errorf("%%verify(%s) scriptlet failed, signal %d", sack.NEVRA(h), exit.Signal)
	}
	return fmt.Errorf("%%verify(%s) scriptlet failed, exit status %d", sack.NEVRA(h), exit.Code)
}

// openDatabase opens the package database of a system.
func openDatabase(fsys fs.FS) (*rpmdb.DB, error) {
	for _, dir := range databaseDirs {
		db, err := rpmdb.OpenFS(fsys, dir)
		if !errors.Is(err, fs.ErrNotExist) {
			return db, err
		}
	}
	return nil, errors.New("No RPM database found")
}

// users reads the users and groups of a system, those that the image brings included.
func users(fsys fs.FS) (db passwd.Database, err error) {
	for _, dir := range []string{"etc", "usr/lib"} {
		var text [2][]byte
		for i, name := range []string{"passwd", "group"} {
			text[i], err = fs.ReadFile(fsys, path.Join(dir, name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return db, err
			}
		}
		more, err := passwd.Parse(text[0], text[1])
		if err != nil {
			return db, fmt.Errorf("%s: %w", dir, err)
		}
		db = db.Merge(more)
	}
	return db, nil
}
