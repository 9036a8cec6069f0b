// Package mini makes a distribution of a dozen tiny packages in a second, for
// tests of the whole line that need no network and no boot. It has a real
// shell (the host's dash, with its libraries), so that scripts run.
package mini

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"rpmostree/rpm"
	"rpmostree/rpmmd/createrepo"
)

// ErrNoShell tells that the host has no dash to take.
var ErrNoShell = errors.New("the host has no /bin/dash")

// Make writes to dir the repositories base and updates, the treefile host.yaml
// (of base) and host-updates.yaml (of both), and lab.repo. The directory extra has
// packages that are in neither.
func Make(dir string) error {
	shell, err := shellFiles()
	if err != nil {
		return err
	}
	for name, pkgs := range map[string][]rpm.Builder{"base": base(shell), "updates": updates(), "extra": extra()} {
		d := filepath.Join(dir, name)
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
		for _, b := range pkgs {
			if err := write(d, b); err != nil {
				return fmt.Errorf("%s: %w", b.Name, err)
			}
		}
		if _, err := createrepo.Write(context.Background(), d, createrepo.Options{}); err != nil {
			return err
		}
	}
	return writeManifests(dir)
}

func writeManifests(dir string) error {
	repo := ""
	for _, name := range []string{"base", "updates"} {
		repo += fmt.Sprintf("[%s]\nname=%s\nbaseurl=file://%s\nenabled=1\ngpgcheck=0\nmetadata_expire=0\n\n", name, name, filepath.Join(dir, name))
	}
	manifest := func(repos string) string {
		return `ref: mini/x86_64/host
repos: [` + repos + `]
releasever: "1"
automatic-version-prefix: "1"
selinux: false
boot-location: modules
no-initramfs: true
units: [hello.service]
add-files:
  - ["lab.repo", "/etc/yum.repos.d/lab.repo"]
packages: [setup, shell, kernel, boot-tools, release, tool]
`
	}
	for name, text := range map[string]string{
		"lab.repo": repo, "host.yaml": manifest("base"), "host-updates.yaml": manifest("base, updates"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func write(dir string, b rpm.Builder) error {
	if b.Version == "" {
		b.Version = "1"
	}
	b.Release, b.Arch = "1", "noarch"
	b.BuildTime = 1700000000
	var buf bytes.Buffer
	if err := b.Write(&buf); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, b.Name+"-"+b.Version+"-1.noarch.rpm"), buf.Bytes(), 0o644)
}

// shellFiles returns dash and the libraries it needs, at their places.
func shellFiles() ([]rpm.BuildFile, error) {
	const dash = "/bin/dash"
	if _, err := os.Stat(dash); err != nil {
		return nil, ErrNoShell
	}
	out, err := exec.Command("ldd", dash).Output()
	if err != nil {
		return nil, fmt.Errorf("ldd %s: %w", dash, err)
	}
	paths := append(regexp.MustCompile(`/\S+`).FindAllString(string(out), -1), dash)
	files := []rpm.BuildFile{
		{File: rpm.File{Path: "/usr/bin/sh", Mode: 0o120777, User: "root", Group: "root", LinkTo: "dash"}},
	}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(p, "/usr/") {
			p = "/usr" + p
		}
		files = append(files, file(p, 0o100755, string(data)))
	}
	return files, nil
}

func file(path string, mode uint32, content string) rpm.BuildFile {
	return rpm.BuildFile{File: rpm.File{Path: path, Mode: mode, User: "root", Group: "root", Mtime: 1700000000}, Data: []byte(content)}
}

func config(path, content string) rpm.BuildFile {
	f := file(path, regular, content)
	f.Flags = rpm.FileConfig | rpm.FileNoReplace
	return f
}

func script(kind rpm.ScriptKind, body string) rpm.Script {
	return rpm.Script{Kind: kind, Interp: []string{"/bin/sh"}, Body: body}
}

func requires(names ...string) (deps []rpm.Dep) {
	for _, n := range names {
		deps = append(deps, rpm.Dep{Name: n})
	}
	return deps
}

const (
	regular = 0o100644
	program = 0o100755
)

// kver is the version of the kernel, which is no real one.
const kver = "1.0-mini"

func base(shell []rpm.BuildFile) []rpm.Builder {
	many := rpm.Builder{Name: "fifty"}
	for i := range 50 {
		many.Files = append(many.Files, file(fmt.Sprintf("/usr/share/fifty/%d", i), regular, fmt.Sprint(i)))
	}
	return []rpm.Builder{
		{Name: "setup", Files: []rpm.BuildFile{
			file("/etc/passwd", regular, "root:x:0:0:root:/root:/bin/sh\n"),
			file("/etc/group", regular, "root:x:0:\n"),
		}},
		{Name: "shell", Files: shell, Provides: requires("/bin/sh")},
		{Name: "kernel", Files: []rpm.BuildFile{
			file("/usr/lib/modules/"+kver+"/vmlinuz", program, "a kernel\n"),
			file("/usr/lib/modules/"+kver+"/initramfs.img", regular, "an initramfs\n"),
		}},
		{Name: "boot-tools", Files: []rpm.BuildFile{
			file("/usr/bin/depmod", program, "#!/bin/sh\necho depmod $* > /usr/lib/modules/$2/modules.dep\n"),
			file("/usr/bin/dracut", program, "#!/bin/sh\nargs=$*\nwhile test $1 != -f; do shift; done\necho dracut $args > $2\n"),
		}},
		{Name: "release", Files: []rpm.BuildFile{
			file("/usr/lib/os-release", regular, "NAME=Mini\nID=mini\nVERSION_ID=1\nPRETTY_NAME=\"Mini 1\"\n"),
			{File: rpm.File{Path: "/etc/os-release", Mode: 0o120777, User: "root", Group: "root", LinkTo: "../usr/lib/os-release"}},
		}, Triggers: []rpm.Trigger{{
			Interp: []string{rpm.InterpLua}, Body: "print('triggered', arg[2], arg[3])\n",
			Conditions: []rpm.Dep{{Name: "lua", Flags: rpm.DepTriggerIn}},
		}}},
		{Name: "tool", Files: []rpm.BuildFile{
			file("/usr/bin/tool", program, "#!/bin/sh\necho tool 1\n"), config("/etc/tool.conf", "tool 1\n"),
		}},
		{Name: "plain", Files: []rpm.BuildFile{file("/usr/share/plain", regular, "plain\n")}},
		many,
		{
			Name: "hello", Summary: "A program that greets", Requires: requires("/bin/sh", "plain"),
			Files: []rpm.BuildFile{
				file("/usr/bin/hello", program, "#!/bin/sh\necho hello\n"), config("/etc/hello.conf", "hello\n"),
				file("/usr/lib/systemd/system/hello.service", regular, "[Service]\nExecStart=/usr/bin/hello\n"),
				{File: rpm.File{Path: "/usr/share/hello.owned", Mode: 0o100640, User: "hello", Group: "hello"}, Data: []byte("owned\n")},
				file("/var/lib/hello", 0o040750, ""),
			},
			Scripts: []rpm.Script{
				script(rpm.PreIn, "echo pre $1\necho 'hello:x:500:500::/:/bin/false' >> /etc/passwd\necho 'hello:x:500:' >> /etc/group\n"),
				script(rpm.PostIn, "echo post $1\necho generated > /usr/share/hello.generated\n"),
				script(rpm.PostTrans, "echo posttrans $1\n"),
			},
			TransFileTriggers: []rpm.Trigger{{
				Interp: []string{"/bin/sh"}, Body: "while read f; do echo $f; done > /usr/share/hello.triggered\n",
				Conditions: []rpm.Dep{{Name: "/usr/share/fifty", Flags: rpm.DepTriggerIn}},
			}},
		},
		{Name: "fails", Requires: requires("/bin/sh"), Scripts: []rpm.Script{script(rpm.PostIn, "echo about to fail\nexit 3\n")}},
		{Name: "broken", Requires: requires("does-not-exist")},
		{Name: "clash", Files: []rpm.BuildFile{file("/usr/share/plain", regular, "not plain\n")}},
		{Name: "lua", Scripts: []rpm.Script{{Kind: rpm.PostIn, Interp: []string{rpm.InterpLua}, Body: luaScript}}},
		{Name: "checks", Requires: requires("/bin/sh"), Scripts: []rpm.Script{script(rpm.VerifyScript, "echo checks $1\ntest -e /etc/fine && ! touch /etc/touched\n")}},
		{Name: "lua-new", Scripts: []rpm.Script{{Kind: rpm.PostIn, Interp: []string{rpm.InterpLua}, Body: "print(7 // 2)\n"}}},
	}
}

// luaScript writes a file and runs a program.
const luaScript = `local f = io.open("/usr/share/lua.made", "w")
f:write("by lua ", arg[2], "\n")
f:close()
local pid = posix.fork()
if pid == 0 then
  posix.exec("/bin/sh", "-c", "echo ran a program")
elseif pid > 0 then
  posix.wait(pid)
end
`

func updates() []rpm.Builder {
	return []rpm.Builder{
		{Name: "tool", Version: "2", Requires: requires("newdep"), Files: []rpm.BuildFile{
			file("/usr/bin/tool", program, "#!/bin/sh\necho tool 2\n"), config("/etc/tool.conf", "tool 2\n"),
		}},
		{Name: "newdep", Version: "2", Files: []rpm.BuildFile{file("/usr/share/newdep", regular, "new\n")}},
		{Name: "plain", Version: "2", Files: []rpm.BuildFile{file("/usr/share/plain", regular, "plain 2\n")}},
	}
}

// extra has a kernel of another version.
func extra() []rpm.Builder {
	return []rpm.Builder{{Name: "kernel", Version: "2", Files: []rpm.BuildFile{
		file("/usr/lib/modules/2.0-mini/vmlinuz", program, "another kernel\n"),
		file("/usr/lib/modules/2.0-mini/kernel/driver.ko", regular, "a driver\n"),
	}}}
}
