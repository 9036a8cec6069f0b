// Package httpd is ostree-trivial-httpd, a web server for tests of programs that pull from a
// repository. It serves the files below a directory, and fails as it is told to.
package httpd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rpmostree/internal/background"
	"rpmostree/internal/goption"
	"rpmostree/internal/manual"
)

// options are those of the command line.
type options struct {
	daemonize, autoexit bool
	port                int
	portFile, logFile   string
	faults              faults
}

func (o *options) set() goption.Set {
	var s goption.Set
	f := &o.faults
	f.errors = [2]unlucky{{status: http.StatusInternalServerError, max: 100}, {status: http.StatusRequestTimeout, max: 100}}
	s.Flag(&o.daemonize, "daemonize", 'd', "Fork into background when ready")
	s.Flag(&o.autoexit, "autoexit", 0, "Automatically exit when directory is deleted")
	s.Int(&o.port, "port", 'P', "PORT", "Use the specified TCP port")
	s.File(&o.portFile, "port-file", 'p', "PATH", "Write port number to PATH (- for standard output)")
	s.Flag(&f.ranges, "force-range-requests", 0, "Force range requests by only serving half of files")
	s.Flag(&f.auth, "require-basic-auth", 0, "Require username foouser, password barpw")
	for i := range f.errors {
		e := &f.errors[i]
		name := fmt.Sprintf("random-%ds", e.status)
		s.Int(&e.percent, name, 0, "PERCENTAGE", fmt.Sprintf("Generate random HTTP %d errors approximately for PERCENTAGE requests", e.status))
		s.Int(&e.max, name+"-max", 0, "MAX", fmt.Sprintf("Limit HTTP %d errors to MAX (default 100)", e.status))
	}
	s.File(&o.logFile, "log-file", 0, "PATH", "Put logs here (use - for stdout)")
	s.Func(pair(&f.cookies), "expected-cookies", 0, "KEY=VALUE", "Expect given cookies in the http request")
	s.Func(pair(&f.headers), "expected-header", 0, "KEY=VALUE", "Expect given headers in the http request")
	return s
}

// pair appends an option's KEY=VALUE to a list.
func pair(list *[][2]string) func(string) error {
	return func(s string) error {
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("Missing '=' in KEY=VALUE '%s'", s)
		}
		*list = append(*list, [2]string{k, v})
		return nil
	}
}

// Page returns the manual page.
func Page() manual.Page {
	return manual.Page{
		Name: "ostree-trivial-httpd", About: "Simple webserver for tests", Synopsis: "[OPTION...] [DIR]", Options: new(options).set(),
		Text: `Serves the files below DIR, or the current directory, over HTTP: what everybody may read, with ETag and Last-Modified, conditional requests and ranges. Some options make it fail in ways that programs which pull from a repository have to cope with.

It is meant for tests, not for the service of anything else.`,
		SeeAlso: []string{"ostree pull"},
	}
}

// Main runs the program with the arguments after its name and returns its exit status.
func Main(args []string, stdout, stderr io.Writer) int {
	err := run(args, stdout)
	switch {
	case err == nil, errors.Is(err, errHelp):
		return 0
	case !errors.Is(err, background.ErrFailed):
		fmt.Fprintf(stderr, "error: %v\n", err)
	}
	return 1
}

var errHelp = errors.New("help was printed")

func parse(args []string, stdout io.Writer) (o options, dir string, err error) {
	set := o.set()
	help := func(string) error {
		fmt.Fprint(stdout, "Usage:\n  ostree-trivial-httpd [OPTION…] [DIR] - Simple webserver\n\n")
		set.PrintHelp(stdout, set.Width())
		return errHelp
	}
	all := set
	all.Func(help, "help", 'h', "", "")
	all.Func(help, "help-all", '?', "", "")
	rest, err := all.Parse(args)
	if err != nil {
		return o, "", err
	}
	for _, e := range o.faults.errors {
		if e.percent < 0 || e.percent > 99 {
			return o, "", fmt.Errorf("Invalid --random-%ds=%d", e.status, e.percent)
		}
	}
	if o.daemonize && o.logFile == "-" {
		return o, "", errors.New("Cannot use --log-file=- and --daemonize at the same time")
	}
	if len(rest) == 0 {
		return o, ".", nil
	}
	return o, rest[0], nil
}

func run(args []string, stdout io.Writer) error {
	o, dir, err := parse(args, stdout)
	if err != nil {
		return err
	}
	child := background.Started()
	if o.daemonize && child == nil {
		if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
			return fmt.Errorf("opening directory %s: %w", dir, errors.Join(err, notDir(fi)))
		}
		return background.Start()
	}
	s, err := newServer(dir, o, stdout)
	if err != nil {
		return err
	}
	if child != nil {
		err = child.Ready()
	} else {
		// A server of tests must not outlive them.
		err = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0, 0, 0)
	}
	if err != nil {
		return err
	}
	return s.serve()
}

func notDir(fi os.FileInfo) error {
	if fi != nil && !fi.IsDir() {
		return syscall.ENOTDIR
	}
	return nil
}

// A server is one that listens already.
type server struct {
	options
	dir, root string // as given, and absolute
	listener  net.Listener
	log       *logger
}

func newServer(dir string, o options, stdout io.Writer) (*server, error) {
	root, err := openRoot(dir)
	if err != nil {
		return nil, err
	}
	s := &server{options: o, dir: dir, root: root, log: &logger{}}
	switch o.logFile {
	case "":
	case "-":
		s.log.w = stdout
	default:
		if s.log.w, err = os.OpenFile(o.logFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return nil, err
		}
	}
	if s.listener, err = net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(o.port))); err != nil {
		return nil, err
	}
	return s, s.announce(stdout)
}

// announce writes the number of the port.
func (s *server) announce(stdout io.Writer) error {
	port := []byte(fmt.Sprintln(s.listener.Addr().(*net.TCPAddr).Port))
	switch s.portFile {
	case "":
		return nil
	case "-":
		_, err := stdout.Write(port)
		return err
	}
	// Who waits for the file finds a number in it.
	tmp := s.portFile + ".tmp"
	if err := os.WriteFile(tmp, port, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, s.portFile)
}

func (s *server) serve() error {
	h := &http.Server{Handler: &handler{root: s.root, faults: s.faults, log: s.log}}
	if s.autoexit {
		go func() {
			waitGone(s.root)
			s.log.printf("root directory removed, exiting")
			h.Close()
		}()
	}
	s.log.printf("serving at root %s", s.dir)
	if err := h.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// waitGone returns when another directory, or none, has the path. It looks, for the
// kernel tells of the end of a directory only when nobody has it open.
func waitGone(path string) {
	var first, now unix.Stat_t
	if unix.Lstat(path, &first) != nil {
		return
	}
	for unix.Lstat(path, &now) == nil && now.Ino == first.Ino && now.Dev == first.Dev {
		time.Sleep(300 * time.Millisecond)
	}
}
