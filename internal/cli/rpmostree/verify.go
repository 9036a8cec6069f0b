package rpmostree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/spf13/cobra"

	"rpmostree/internal/core/passwd"
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
	var nodeps, nofiles bool
	off := make([]bool, len(verifySkips))
	c := &cobra.Command{
		Use: "verify [PACKAGE...]", Short: "Compare the files of installed packages with what their packages say",
		Long: "Compare the files of installed packages, and what the packages require, with the system, and print what differs, in the form of \"rpm -V\".\n" +
			"Without PACKAGE all are compared, as by \"rpm -Va\". %verify scripts are not run.",
		RunE: func(_ *cobra.Command, args []string) error {
			opt := rpmdb.VerifyOptions{}
			for i, s := range verifySkips {
				if off[i] {
					opt.Omit |= s.attribute
					opt.Skip |= s.files
				}
			}
			return a.verify(root, args, opt, nodeps, nofiles)
		},
	}
	c.Flags().StringVarP(&root, "root", "r", "/", "Work on the system below DIR")
	c.Flags().BoolVar(&nodeps, "nodeps", false, "Do not verify dependencies")
	c.Flags().BoolVar(&nofiles, "nofiles", false, "Do not verify files")
	for i, s := range verifySkips {
		c.Flags().BoolVar(&off[i], s.option, false, "Do not verify "+s.what)
	}
	return c
}

// verify prints what differs. As with rpm, the exit code is 1 if anything does.
func (a *app) verify(root string, names []string, opt rpmdb.VerifyOptions, nodeps, nofiles bool) error {
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
		for _, line := range v.Report(p.Header, !nodeps, !nofiles) {
			fmt.Fprintln(a.out, line)
			failed = true
		}
	}
	if failed {
		return exitError(exitFailure)
	}
	return nil
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
