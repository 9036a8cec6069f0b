package line

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rpmostree/test/distro/world"
)

// What the first boot leaves behind, and what shows it later.
const (
	edit   = "echo '# edited by me' >>/etc/profile; echo mine >/etc/mine.conf"
	data   = "mkdir -p /var/lib/mydata; echo kept >/var/lib/mydata/file"
	edited = "tail -n1 /etc/profile; cat /etc/mine.conf /var/lib/mydata/file"
	kept   = "# edited by me\nmine\nkept\n"
)

func (l *Line) distribution(ctx context.Context) (err error) {
	l.note("from Debian 12 packages, converted; downloads are kept in the cache of the user")
	l.world, err = world.Make(ctx, filepath.Join(l.Dir, "world"), world.Options{Log: l.Out})
	if err != nil {
		return err
	}
	for _, dir := range []string{l.world.Base, l.world.Updates} {
		files, err := nevras(dir)
		if err != nil {
			return err
		}
		l.checked("%s: %d packages", l.short(dir), len(files))
	}
	return nil
}

// nevras returns the packages of a repository by the names of their files, sorted.
func nevras(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.rpm"))
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".rpm")
	}
	slices.Sort(files)
	return files, err
}

// packageName cuts version, release and architecture off.
func packageName(nevra string) string {
	for range 2 {
		nevra = nevra[:max(0, strings.LastIndexByte(nevra, '-'))]
	}
	return nevra
}

func (l *Line) compose(ctx context.Context) error {
	if err := l.run(ctx, "ostree", "init", "--repo="+l.Repo(), "--mode=bare"); err != nil {
		return err
	}
	if err := l.composeTree(ctx, l.world.Treefile); err != nil {
		return err
	}
	composed, err := l.composed(ctx)
	if err != nil {
		return err
	}
	available, err := nevras(l.world.Base)
	if err != nil {
		return err
	}
	var names []string
	for _, nevra := range composed {
		if _, ok := slices.BinarySearch(available, nevra); !ok {
			return fmt.Errorf("the commit has %s, which is no package of %s", nevra, l.world.Base)
		}
		names = append(names, packageName(nevra))
	}
	for _, name := range l.world.Packages {
		if !slices.Contains(names, name) {
			return fmt.Errorf("the commit lacks %s, which the treefile names", name)
		}
	}
	l.packages = composed
	l.checked("all %d packages are the distribution's, and what the treefile names is among them", len(composed))
	return nil
}

func (l *Line) composeTree(ctx context.Context, treefile string) error {
	cache := filepath.Join(l.Dir, "cache")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	l.note("with a kernel an initramfs is made by dracut, which takes most of the time")
	if err := l.run(ctx, "rpm-ostree", "compose", "tree", "--repo="+l.Repo(), "--cachedir="+cache, treefile); err != nil {
		return err
	}
	return l.checkRepo(ctx, l.Repo())
}

// composed returns the packages of the commit that was composed last.
func (l *Line) composed(ctx context.Context) ([]string, error) {
	text, err := output(ctx, l.program("rpm-ostree"), "db", "list", "--repo="+l.Repo(), l.world.Ref)
	if err != nil {
		return nil, err
	}
	var list []string
	for row := range strings.Lines(text) {
		if nevra, ok := strings.CutPrefix(row, " "); ok {
			list = append(list, withoutEpoch(strings.TrimSpace(nevra)))
		}
	}
	slices.Sort(list)
	return list, nil
}

// withoutEpoch turns name-epoch:version-release.arch into what rpm -qa prints.
func withoutEpoch(nevra string) string {
	front, back, ok := strings.Cut(nevra, ":")
	if !ok {
		return nevra
	}
	return front[:strings.LastIndexByte(front, '-')+1] + back
}

func (l *Line) deploy(ctx context.Context) error {
	if err := os.MkdirAll(l.Sysroot(), 0o755); err != nil {
		return err
	}
	args := []string{"admin", "deploy", "--sysroot=" + l.Sysroot(), "--os=" + Stateroot}
	for _, a := range kernelArgs {
		args = append(args, "--karg="+a)
	}
	for _, c := range [][]string{
		{"admin", "init-fs", "--modern", l.Sysroot()},
		{"admin", "os-init", "--sysroot=" + l.Sysroot(), Stateroot},
		{"remote", "add", "--repo=" + l.sysrootRepo(), "--no-gpg-verify", Stateroot, "file://" + l.Repo()},
		{"pull", "--repo=" + l.sysrootRepo(), Stateroot, l.world.Ref},
		append(args, Stateroot+":"+l.world.Ref),
	} {
		if err := l.run(ctx, "ostree", c...); err != nil {
			return err
		}
	}
	return l.checkSysroot(ctx)
}

func (l *Line) bootFirst(ctx context.Context) error {
	return l.boot(ctx, func(ctx context.Context, in *inside) error {
		for _, c := range []string{edit, data, "systemctl is-active dbus systemd-logind ssh", "systemctl start polkit"} {
			if _, err := in.run(ctx, c); err != nil {
				return err
			}
		}
		return in.want(ctx, "touch /usr/x 2>/dev/null || echo /usr is read-only", "/usr is read-only\n")
	})
}

// host runs a command of rpm-ostree on the sysroot.
func (l *Line) host(ctx context.Context, args ...string) error {
	return l.run(ctx, "rpm-ostree", append(args, "--sysroot="+l.Sysroot())...)
}

// change changes the sysroot, shows the result and has it checked.
func (l *Line) change(ctx context.Context, args ...string) error {
	if err := l.host(ctx, args...); err != nil {
		return err
	}
	if err := l.host(ctx, "status"); err != nil {
		return err
	}
	return l.checkSysroot(ctx)
}

func (l *Line) install(ctx context.Context) error {
	l.packages = with(l.packages, "lab-hello-1.0-1.noarch")
	if err := l.change(ctx, "install", "lab-hello"); err != nil {
		return err
	}
	names, err := l.deployments(ctx)
	if err != nil {
		return err
	}
	if len(names) != 2 {
		return fmt.Errorf("there are %d deployments after the first change, not two", len(names))
	}
	commit := func(name string) string { return strings.Split(name, ".")[0] }
	return l.host(ctx, "db", "diff", commit(names[1]), commit(names[0]))
}

// with returns a sorted list with one more package, in place of one of the same name.
func with(packages []string, nevra string) []string {
	out := slices.DeleteFunc(slices.Clone(packages), func(p string) bool { return packageName(p) == packageName(nevra) })
	out = append(out, nevra)
	slices.Sort(out)
	return out
}

func (l *Line) bootLayered(ctx context.Context) error {
	return l.boot(ctx, func(ctx context.Context, in *inside) error {
		if err := in.old(ctx); err != nil {
			return err
		}
		// the new builds of what is layered come from a repository that this enables
		_, err := in.run(ctx, "sed -i s/enabled=0/enabled=1/ /etc/yum.repos.d/lab.repo; echo '# my greeting' >>/etc/lab-hello.conf")
		return err
	})
}

// old checks a system with the layered package, before the upgrade.
func (in *inside) old(ctx context.Context) error {
	for _, c := range [][2]string{
		{"lab-hello", "hello from lab-hello 1.0\n"},
		{"cat /usr/lib/lab-hello/configured; systemctl is-active lab-hello", "configured 1.0 1\nactive\n"},
		{"rpm -q lab-hello lab-release", "lab-hello-1.0-1.noarch\nlab-release-12-1.noarch\n"},
		{"test ! -e /usr/share/lab-update/bash", ""},
		{edited, kept},
	} {
		if err := in.want(ctx, c[0], c[1]); err != nil {
			return err
		}
	}
	return nil
}

func (l *Line) composeUpdates(ctx context.Context) error {
	was, err := l.composed(ctx)
	if err != nil {
		return err
	}
	if err := l.composeTree(ctx, l.world.UpdateTreefile); err != nil {
		return err
	}
	composed, err := l.composed(ctx)
	if err != nil {
		return err
	}
	updates, err := nevras(l.world.Updates)
	if err != nil {
		return err
	}
	newer := 0
	for _, nevra := range updates {
		name := packageName(nevra)
		same := func(p string) bool { return packageName(p) == name }
		switch i := slices.IndexFunc(composed, same); {
		case i < 0 && slices.ContainsFunc(was, same):
			return fmt.Errorf("the new commit lacks %s", name)
		case i >= 0 && composed[i] != nevra:
			return fmt.Errorf("the new commit has %s, but there is %s", composed[i], nevra)
		case i >= 0:
			newer++
		}
	}
	if newer == 0 {
		return fmt.Errorf("no package of %s is in the new commit", l.world.Updates)
	}
	l.before = l.packages
	l.packages = with(composed, "lab-hello-2.0-1.noarch")
	l.checked("%d packages of the new commit are from the updates, and none of the others has a newer build", newer)
	return nil
}

func (l *Line) upgrade(ctx context.Context) error { return l.change(ctx, "upgrade") }

func (l *Line) bootUpgraded(ctx context.Context) error {
	return l.boot(ctx, func(ctx context.Context, in *inside) error {
		for _, c := range [][2]string{
			{"lab-hello", "hello from lab-hello 2.0\n"},
			{"cat /usr/lib/lab-hello/configured; systemctl is-active lab-hello", "configured 2.0 1\nactive\n"},
			{"rpm -q lab-hello lab-release", "lab-hello-2.0-1.noarch\nlab-release-12-2.noarch\n"},
			{"cat /usr/share/lab-update/bash /etc/lab-update.d/bash.conf", "added by the update\n# a new default of bash\n"},
			{"tail -n1 /etc/bash.bashrc", "# changed by the update\n"}, // a default that nobody had edited
			{"tail -n1 /etc/lab-hello.conf; tail -n1 /usr/etc/lab-hello.conf", "# my greeting\n# of 2.0\n"},
			{edited, kept},
		} {
			if err := in.want(ctx, c[0], c[1]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *Line) rollback(ctx context.Context) error {
	l.packages = l.before
	return l.change(ctx, "rollback")
}

func (l *Line) bootRolledBack(ctx context.Context) error {
	return l.boot(ctx, func(ctx context.Context, in *inside) error {
		if err := in.old(ctx); err != nil {
			return err
		}
		return in.want(ctx, "tail -n1 /etc/lab-hello.conf", "# my greeting\n")
	})
}
