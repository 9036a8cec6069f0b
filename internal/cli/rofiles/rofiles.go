// Package rofiles is rofiles-fuse, a file system that shows a directory of hard links to
// the files of a repository so that programs can work on it: directories change as they
// wish, and a file that has other links, whose change would damage the repository, is read-only
// or, with --copyup, gets a copy of its own first.
package rofiles

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"rpmostree/internal/background"
	"rpmostree/internal/dirfd"
	"rpmostree/internal/manual"
)

const usage = `usage: rofiles-fuse basepath mountpoint [options]

   Makes basepath visible at mountpoint such that files are read-only, directories are writable

general options:
   -o opt,[opt...]     mount options
   -h  --help          print help
   -V  --version       print version
   --copyup            copy a file that has other links before it changes
   -f                  foreground operation
   -d                  enable debug output (implies -f)
   -s                  disable multi-threaded operation
`

// version is the release of libostree whose rofiles-fuse this one replaces.
const version = "2026.4"

// options are those of the command line.
type options struct {
	base, at           string
	copyUp, foreground bool
	help, version      bool
	fuse               fuse.MountOptions
}

// Page returns the manual page.
func Page() manual.Page {
	return manual.Page{
		Name: "rofiles-fuse", About: "Use hard links to the files of a repository without changing them", Synopsis: "SRC MNT [OPTION...]",
		Text: `Shows the directory SRC at MNT. New files can be made there, and all names can be moved and removed. But a regular file or symbolic link that has more than one hard link, as those of "ostree checkout -H" have, is read-only, since a change of it would change the repository. With --copyup such a file is replaced with a copy of its own before it changes.

The program goes into the background. "fusermount -u MNT" ends it.

   ostree checkout -H exampleos checkout
   rofiles-fuse checkout mnt
   chroot mnt ldconfig
   fusermount -u mnt
   ostree commit --branch=exampleos --link-checkout-speedup checkout`,
		Sections: []manual.Section{{Title: "FUSE OPTIONS", Items: []manual.Item{
			{Name: "-o OPTION[,OPTION...]", Text: "Mount options, such as allow_other and fsname=NAME."},
			{Name: "--copyup", Text: "Copy a file that has other links before it changes."},
			{Name: "-f", Text: "Stay in the foreground."},
			{Name: "-d", Text: "Print what is asked of the file system; implies -f."},
			{Name: "-s", Text: "Do one thing at a time."},
			{Name: "-V, --version", Text: "Print the version."},
		}}},
		SeeAlso: []string{"ostree checkout", "ostree commit"},
	}
}

// Main runs the program with the arguments after its name and returns its exit status.
func Main(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "%v\nsee `rofiles-fuse -h' for usage\n", err)
		return 1
	case o.help:
		fmt.Fprint(stdout, usage)
		return 0
	case o.version:
		fmt.Fprintf(stdout, "rofiles-fuse %s\n", version)
		return 0
	}
	if err := run(o); err != nil {
		if !errors.Is(err, background.ErrFailed) {
			fmt.Fprintf(stderr, "rofiles-fuse: %v\n", err)
		}
		return 1
	}
	return 0
}

func parse(args []string) (o options, err error) {
	o.fuse.Name, o.fuse.FsName = "rofiles-fuse", "rofiles-fuse"
	o.fuse.DirectMount = true // root needs no fusermount
	var paths []string
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "-h" || arg == "--help":
			o.help = true
		case arg == "-V" || arg == "--version":
			o.version = true
		case arg == "--copyup":
			o.copyUp = true
		case arg == "-f":
			o.foreground = true
		case arg == "-d" || arg == "--debug":
			o.foreground, o.fuse.Debug = true, true
		case arg == "-s":
			o.fuse.SingleThreaded = true
		case arg == "-o" && len(args) > 0:
			o.mountOptions(args[0])
			args = args[1:]
		case strings.HasPrefix(arg, "-o") && len(arg) > 2:
			o.mountOptions(arg[2:])
		case strings.HasPrefix(arg, "-"):
			return o, fmt.Errorf("Invalid argument %s", arg)
		default:
			paths = append(paths, arg)
		}
	}
	switch {
	case o.help || o.version:
	case len(paths) == 0:
		return o, errors.New("Missing basepath")
	case len(paths) == 1:
		return o, errors.New("Missing mountpoint")
	case len(paths) > 2:
		return o, fmt.Errorf("Invalid argument %s", paths[2])
	default:
		o.base, o.at = paths[0], paths[1]
	}
	return o, nil
}

// mountOptions reads the value of "-o". What it does not know is for the kernel or
// fusermount, which refuse what they do not know.
func (o *options) mountOptions(list string) {
	for word := range strings.SplitSeq(list, ",") {
		name, ok := strings.CutPrefix(word, "fsname=")
		switch {
		case word == "":
		case word == "allow_other":
			o.fuse.AllowOther = true
		case ok:
			o.fuse.FsName = name
		case strings.HasPrefix(word, "subtype="):
			o.fuse.Name = strings.TrimPrefix(word, "subtype=")
		default:
			o.fuse.Options = append(o.fuse.Options, word)
		}
	}
}

func run(o options) error {
	child := background.Started()
	if !o.foreground && child == nil {
		return background.Start()
	}
	base, err := dirfd.Open(o.base)
	if err != nil {
		return fmt.Errorf("opening rootfs %s: %w", o.base, err)
	}
	defer base.Close()
	at, err := filepath.Abs(o.at)
	if err != nil {
		return err
	}
	syscall.Umask(0) // the kernel has applied that of the program
	server, err := mount(base, at, o.copyUp, o.fuse)
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for range stop {
			server.Unmount() // fails while in use; then the next signal may do
		}
	}()
	if child != nil {
		if err := errors.Join(os.Chdir("/"), child.Ready()); err != nil {
			return errors.Join(err, server.Unmount())
		}
	}
	server.Wait()
	return nil
}
