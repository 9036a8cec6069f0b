package rpmostree

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"rpmostree/rpmmd"
	"rpmostree/rpmmd/createrepo"
)

// repoCreate are the options of "repo create". Their names are createrepo_c's.
type repoCreate struct {
	createrepo.Options
	group, updateinfo, modules    string
	revision                      string
	setTimestamp, xz, uniqueNames bool
	pkglist, readList, baseDir    string
	retainOld                     int
	verbose                       bool
	distro, include               []string
}

// repoCreateCommand has the name "createrepo", too, by which it is known elsewhere.
func (a *app) repoCreateCommand() *cobra.Command {
	o := &repoCreate{}
	c := &cobra.Command{
		Use: "create DIRECTORY", Aliases: []string{"createrepo"}, Short: "Write the metadata of a directory of packages",
		Args: exactly("DIRECTORY", 1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.repoCreate(cmd, o, args[0]) },
	}
	f := c.Flags()
	f.StringVarP(&o.OutputDir, "outputdir", "o", "", "Write repodata below DIR")
	f.StringArrayVarP(&o.Exclude, "excludes", "x", nil, "Leave out files and directories that match the PATTERN; may be repeated")
	f.BoolVarP(&o.SkipSymlinks, "skip-symlinks", "S", false, "Leave out symbolic links")
	f.StringVarP(&o.pkglist, "pkglist", "i", "", "Index only the packages that FILE lists, one a line")
	f.StringArrayVarP(&o.include, "includepkg", "n", nil, "Index only this PACKAGE; may be repeated")
	f.StringVarP(&o.BaseURL, "baseurl", "u", "", "Base URL of all packages")
	f.StringVar(&o.LocationPrefix, "location-prefix", "", "Put PREFIX before the location of each package")
	f.IntVar(&o.CutDirs, "cut-dirs", 0, "Leave out the first NUM directories of the location of each package")
	f.StringVar(&o.baseDir, "basedir", "", "DIRECTORY is below DIR")
	f.StringVarP(&o.group, "groupfile", "g", "", "Add the comps FILE, of DIRECTORY if it is there")
	f.StringVar(&o.updateinfo, "updateinfo", "", "Add the updateinfo FILE")
	f.StringVar(&o.modules, "modules", "", "Add the modules FILE")
	f.StringVarP(&o.ChecksumType, "checksum", "s", "sha256", "TYPE of the checksums of packages and metadata")
	f.StringVar(&o.RepomdChecksumType, "repomd-checksum", "", "TYPE of the checksums of metadata")
	f.StringVar(&o.Compression, "compress-type", "gz", "Compress metadata: gz, zstd, xz, bz2 or none")
	f.StringVar(&o.Compression, "general-compress-type", "gz", "The same")
	f.BoolVar(&o.xz, "xz", false, "Compress metadata with xz")
	f.BoolVar(&o.Zchunk, "zck", false, "Write zchunk files besides")
	f.BoolVar(&o.Update, "update", false, "Use old metadata for packages that have not changed")
	f.StringArrayVar(&o.UpdatePaths, "update-md-path", nil, "With --update: use the metadata below DIR, too; may be repeated")
	f.BoolVar(&o.SkipStat, "skip-stat", false, "With --update: a file of the same name has not changed")
	f.StringVar(&o.readList, "read-pkgs-list", "", "Write to FILE which packages were read")
	f.BoolVar(&o.KeepAll, "keep-all-metadata", false, "Keep old metadata that does not come from packages")
	f.IntVar(&o.retainOld, "retain-old-md", 0, "Leave all old metadata where they are if NUM is not 0")
	f.IntVar(&o.ChangelogLimit, "changelog-limit", createrepo.DefaultChangelogLimit, "List only the last NUM changes of each package")
	f.BoolVar(&o.uniqueNames, "unique-md-filenames", false, "Put checksums into the names of files (the default)")
	f.BoolVar(&o.SimpleNames, "simple-md-filenames", false, "Leave checksums out of the names of files")
	f.StringArrayVar(&o.distro, "distro", nil, "Distribution, as [CPEID,]NAME; may be repeated")
	f.StringArrayVar(&o.ContentTags, "content", nil, "Tag of the content; may be repeated")
	f.StringArrayVar(&o.RepoTags, "repo", nil, "Tag of the repository; may be repeated")
	f.StringVar(&o.revision, "revision", "", "Revision of the repository (default: the time of the newest package)")
	f.BoolVar(&o.setTimestamp, "set-timestamp-to-revision", false, "The revision is the time of the metadata")
	f.IntVar(&o.Workers, "workers", 0, "Read NUM packages at once")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "Tell which packages are read")
	f.BoolP("pretty", "p", true, "Ignored: the metadata always have lines")
	f.Bool("no-database", true, "Ignored: no databases are written")
	c.MarkFlagsMutuallyExclusive("unique-md-filenames", "simple-md-filenames")
	c.MarkFlagsMutuallyExclusive("compress-type", "general-compress-type", "xz")
	return c
}

func (a *app) repoCreate(cmd *cobra.Command, o *repoCreate, dir string) error {
	if o.baseDir != "" && !filepath.IsAbs(dir) {
		dir = filepath.Join(o.baseDir, dir)
	}
	if st, err := os.Stat(dir); err != nil {
		return err
	} else if !st.IsDir() {
		return fmt.Errorf("%s: not a directory", dir)
	}
	if err := o.complete(cmd, dir); err != nil {
		return err
	}
	var mu sync.Mutex
	var read []string
	o.Read = func(path string) {
		mu.Lock()
		defer mu.Unlock()
		path = filepath.Join(dir, path)
		if read = append(read, path); o.verbose {
			fmt.Fprintln(a.err, path)
		}
	}
	md, err := createrepo.Write(cmd.Context(), dir, o.Options)
	if err != nil {
		return err
	}
	if o.readList != "" {
		if err := os.WriteFile(o.readList, []byte(strings.Join(append(read, ""), "\n")), 0o644); err != nil {
			return err
		}
	}
	if !a.quiet {
		fmt.Fprintf(a.out, "%s: revision %s, %d packages read\n", filepath.Join(cmp.Or(o.OutputDir, dir), "repodata"), md.Revision, len(read))
	}
	return nil
}

// complete sets the options that are not taken as they are written.
func (o *repoCreate) complete(cmd *cobra.Command, dir string) error {
	o.RetainOld = o.retainOld != 0
	if o.xz {
		o.Compression = "xz"
	}
	if o.ChangelogLimit == 0 {
		o.ChangelogLimit = -1 // none
	}
	if o.Revision = o.revision; o.setTimestamp {
		n, err := strconv.ParseInt(o.revision, 10, 64)
		if err != nil || n <= 0 {
			return fmt.Errorf("--set-timestamp-to-revision: --revision=%s is not a time in seconds since 1970", o.revision)
		}
		o.Timestamp = time.Unix(n, 0)
	}
	for _, d := range o.distro {
		cpe, name, ok := strings.Cut(d, ",")
		if !ok {
			cpe, name = "", d
		}
		o.DistroTags = append(o.DistroTags, rpmmd.DistroTag{CPEID: cpe, Value: name})
	}
	if below := filepath.Join(dir, o.group); o.group != "" && !filepath.IsAbs(o.group) {
		if _, err := os.Stat(below); err == nil {
			o.group = below
		}
	}
	for _, x := range []struct{ typ, file string }{{"group", o.group}, {"updateinfo", o.updateinfo}, {"modules", o.modules}} {
		if x.file == "" {
			continue
		}
		b, err := os.ReadFile(x.file)
		if err != nil {
			return err
		}
		o.Extra = append(o.Extra, createrepo.Extra{Type: x.typ, Name: filepath.Base(x.file), Data: b})
	}
	return o.packages(cmd)
}

// packages sets which packages are indexed.
func (o *repoCreate) packages(cmd *cobra.Command) error {
	if !cmd.Flags().Changed("pkglist") && len(o.include) == 0 {
		return nil
	}
	o.Paths = append([]string{}, o.include...)
	if o.pkglist == "" {
		return nil
	}
	f, err := os.Open(o.pkglist)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			o.Paths = append(o.Paths, line)
		}
	}
	return errors.Join(lines.Err(), f.Close())
}
