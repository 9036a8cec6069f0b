package line

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// checkRepo lets ours and, if it is there, the C program look at every object.
func (l *Line) checkRepo(ctx context.Context, repo string) error {
	judges := []string{"our ostree fsck"}
	if _, err := output(ctx, l.program("ostree"), "fsck", "--repo="+repo); err != nil {
		return err
	}
	if theirs, err := exec.LookPath("ostree"); err == nil {
		judges = append(judges, "the C ostree fsck")
		if _, err := output(ctx, theirs, "fsck", "--quiet", "--repo="+repo); err != nil {
			return err
		}
	}
	l.checked("%s: every object is sound (%s)", l.short(repo), strings.Join(judges, ", "))
	return nil
}

// checkSysroot judges the sysroot and its default deployment.
func (l *Line) checkSysroot(ctx context.Context) error {
	if err := l.checkRepo(ctx, l.sysrootRepo()); err != nil {
		return err
	}
	names, err := l.deployments(ctx)
	if err != nil {
		return err
	}
	if err := l.checkStatus(ctx, names); err != nil {
		return err
	}
	root := filepath.Join(l.Sysroot(), "ostree/deploy", Stateroot, "deploy", names[0])
	if err := l.checkPackages(ctx, root); err != nil {
		return err
	}
	return l.checkFiles(ctx, root)
}

// deployments returns what our status lists, the default first, as directories are named.
func (l *Line) deployments(ctx context.Context) ([]string, error) {
	text, err := output(ctx, l.program("rpm-ostree"), "status", "--json", "--sysroot="+l.Sysroot())
	if err != nil {
		return nil, err
	}
	var status struct {
		Deployments []struct {
			Checksum string
			Serial   int
		}
	}
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		return nil, fmt.Errorf("rpm-ostree status --json: %w", err)
	}
	var names []string
	for _, d := range status.Deployments {
		names = append(names, fmt.Sprintf("%s.%d", d.Checksum, d.Serial))
	}
	if len(names) == 0 {
		return nil, errors.New("rpm-ostree status lists no deployment")
	}
	return names, nil
}

// checkStatus compares the deployments with those that the C program finds.
func (l *Line) checkStatus(ctx context.Context, names []string) error {
	theirs, err := exec.LookPath("ostree")
	if err != nil {
		l.note("not compared with the C ostree, which is not installed")
		return nil
	}
	status, err := output(ctx, theirs, "admin", "status", "--sysroot="+l.Sysroot())
	if err != nil {
		return err
	}
	var found []string
	for row := range strings.Lines(status) {
		if f := strings.Fields(row); len(f) >= 2 && f[0] == Stateroot {
			found = append(found, f[1])
		}
	}
	if !slices.Equal(found, names) {
		return fmt.Errorf("rpm-ostree status has the deployments %q, but ostree admin status says\n%s", names, status)
	}
	l.checked("C ostree admin status: the same %d deployment(s) in the same order", len(names))
	return nil
}

// rpm runs Debian's rpm on a root directory; its own idea of the database's place differs.
func rpm(ctx context.Context, root string, args ...string) (string, error) {
	return output(ctx, "rpm", append([]string{"--root", root, "--dbpath", "/usr/share/rpm"}, args...)...)
}

// installed returns what rpm -qa says, sorted.
func installed(ctx context.Context, root string) ([]string, error) {
	text, err := rpm(ctx, root, "-qa")
	if err != nil {
		return nil, err
	}
	list := strings.Fields(text)
	slices.Sort(list)
	return list, nil
}

func (l *Line) checkPackages(ctx context.Context, root string) error {
	found, err := installed(ctx, root)
	if err != nil {
		return err
	}
	if err := sameSet(found, l.packages); err != nil {
		return fmt.Errorf("rpm -qa in %s: %w", root, err)
	}
	l.checked("rpm -qa: exactly the %d packages that it must be", len(found))
	return nil
}

// sameSet compares two sorted lists.
func sameSet(got, want []string) error {
	var errs []error
	for _, g := range got {
		if _, ok := slices.BinarySearch(want, g); !ok {
			errs = append(errs, fmt.Errorf("there is %s, which must not be", g))
		}
	}
	for _, w := range want {
		if _, ok := slices.BinarySearch(got, w); !ok {
			errs = append(errs, fmt.Errorf("%s is missing", w))
		}
	}
	return errors.Join(errs...)
}

// checkFiles compares each file with what its package says.
func (l *Line) checkFiles(ctx context.Context, root string) error {
	// it fails if anything differs, and the times always do
	text, err := rpm(ctx, root, "-Va")
	if text == "" || ctx.Err() != nil {
		return fmt.Errorf("rpm -Va of %s looked at nothing: %w", root, errors.Join(err, ctx.Err()))
	}
	config, odd := verify(text, expectedOnDisk)
	if len(odd) > 0 {
		return fmt.Errorf("rpm -Va of %s: what nothing explains:\n%s", root, strings.Join(odd, "\n"))
	}
	l.checked("rpm -Va: modes, owners, links and content are as packaged (edited configuration: %s)", strings.Join(config, " "))
	return nil
}

// Unexplained returns the lines of rpm -Va, run in a booted system, that tell of more than
// edited configuration. No line at all is unexplained too.
func Unexplained(text string) []string {
	if text == "" {
		return []string{"rpm -Va has looked at nothing"}
	}
	_, odd := verify(text, expectedRunning)
	return odd
}

// verify sorts the lines of rpm -Va: configuration that was edited, and what is neither that
// nor expected. A line is nine flags, perhaps an attribute letter, and a path; or "missing".
func verify(text string, expected func(flags, path string) bool) (config, odd []string) {
	for row := range strings.Lines(text) {
		f := strings.Fields(row)
		if len(f) < 2 {
			odd = append(odd, strings.TrimSpace(row))
			continue
		}
		flags, path := f[0], f[len(f)-1]
		// a checkout has no times: all files are of 1970
		flags = strings.Replace(flags, "T", ".", 1)
		switch {
		case flags == ".........":
		case len(f) == 3 && f[1] == "c" && flags == "S.5......":
			config = append(config, path)
		case !expected(flags, path):
			odd = append(odd, strings.TrimSpace(row))
		}
	}
	return config, odd
}

// expectedOnDisk says whether a difference must be in a deployment that is not running: its
// /var is empty until tmpfiles.d(5) fills it at boot, and some directories are links to it.
func expectedOnDisk(flags, path string) bool {
	switch flags {
	case "missing":
		return strings.HasPrefix(path, "/var/")
	case "....L....":
		return slices.Contains([]string{"/home", "/media", "/mnt", "/opt", "/root", "/srv", "/usr/local"}, path)
	}
	return false
}

// expectedRunning says whether a difference must be in a running system.
func expectedRunning(flags, path string) bool {
	// the kernel's file systems have the kernel's modes
	return flags == ".M......." && (path == "/proc" || path == "/sys") ||
		flags == "....L...." && expectedOnDisk(flags, path)
}
