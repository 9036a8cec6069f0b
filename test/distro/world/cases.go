package world

import (
	"fmt"
	"strings"

	"rpmostree/rpm"
)

// cases returns the packages that exist to be layered by tests, one a property.
func cases() []*rpm.Builder {
	all := []*rpm.Builder{
		hello("1.0"), plain("1.0"), fifty(),
		scripts(), luaScripts(), triggers(), programScript(),
		failing("lab-fail-pre", rpm.PreIn), failing("lab-fail-post", rpm.PostIn), failing("lab-fail-posttrans", rpm.PostTrans),
		optVar(), sysusers(), config(), library(),
	}
	all = append(all, clashes()...)
	all = append(all, dependencyCases()...)
	for _, b := range all {
		addScriptRequires(b)
	}
	return all
}

// caseUpdates returns newer builds of some of the cases.
func caseUpdates() []*rpm.Builder {
	renamed := made("lab-new-name", "2.0", "1", "What lab-old-name became")
	renamed.Provides = []rpm.Dep{{Name: "lab-old-name", Flags: rpm.DepEqual, EVR: "2.0-1"}}
	renamed.Obsoletes = []rpm.Dep{{Name: "lab-old-name", Flags: rpm.DepLess, EVR: "2.0"}}
	addFile(renamed, program("lab-name", "echo new name"))
	dep := made("lab-update-dep", "1.0", "1", "What updated packages need")
	addFile(dep, regular("/usr/share/lab-update-dep/data", 0o644, "needed\n"))
	all := []*rpm.Builder{hello("2.0"), plain("1.1"), renamed, dep, release("2")}
	for _, b := range all {
		addScriptRequires(b)
	}
	return all
}

func program(name, body string) rpm.BuildFile {
	return regular("/usr/bin/"+name, 0o755, "#!/bin/sh\n"+body+"\n")
}

// hello is small, with a script, a program and a service that starts at boot.
func hello(ver string) *rpm.Builder {
	b := made("lab-hello", ver, "1", "A program, a service and a script")
	addFile(b, program("lab-hello", "echo hello from lab-hello "+ver))
	addFile(b, regular("/usr/lib/systemd/system/lab-hello.service", 0o644, `[Unit]
Description=Greeting of lab-hello
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/lab-hello
[Install]
WantedBy=multi-user.target
`))
	addFile(b, regular("/etc/lab-hello.conf", 0o644, "greeting=hello\n# of "+ver+"\n"))
	script(b, rpm.PostIn).Body = "mkdir -p /usr/lib/lab-hello\necho \"configured " + ver + " $1\" >/usr/lib/lab-hello/configured\n"
	b.Files = append(b.Files, rpm.BuildFile{File: rpm.File{
		Path: "/usr/lib/lab-hello/configured", Mode: rpm.ModeRegular | 0o644, Flags: rpm.FileGhost, Mtime: madeTime}})
	addScriptlets(b)
	needCoreutils(b)
	return b
}

// plain is small and has no script.
func plain(ver string) *rpm.Builder {
	b := made("lab-plain", ver, "1", "Files and nothing else")
	addFile(b, program("lab-plain", "cat /usr/share/lab-plain/data"))
	addFile(b, directory("/usr/share/lab-plain", 0o755))
	addFile(b, regular("/usr/share/lab-plain/data", 0o644, "data of lab-plain "+ver+"\n"))
	return b
}

// fifty has fifty files in a few directories.
func fifty() *rpm.Builder {
	b := made("lab-fifty", "1.0", "1", "Fifty files")
	for i := range 50 {
		addFile(b, regular(fmt.Sprintf("/usr/share/lab-fifty/%d/file-%02d", i%5, i), 0o644, strings.Repeat(fmt.Sprintln("line of file", i), 20*i+1)))
	}
	return b
}

// needCoreutils makes that what the scripts call is there when they run.
func needCoreutils(b *rpm.Builder) {
	b.Requires = append(b.Requires, rpm.Dep{Name: "coreutils", Flags: rpm.DepPre | rpm.DepPost | rpm.DepPostTrans})
}

// logLine is a script that leaves a trace in the tree: which one ran, with what arguments.
func logLine(pkg, what string) string {
	return fmt.Sprintf("mkdir -p /usr/lib/%[1]s\necho \"%[2]s $*\" >>/usr/lib/%[1]s/log\n", pkg, what)
}

// scripts has every kind of shell script that can be run while a tree is assembled.
func scripts() *rpm.Builder {
	b := made("lab-scripts", "1.0", "1", "Every kind of script")
	for _, k := range []struct {
		kind rpm.ScriptKind
		name string
	}{
		{rpm.PreIn, "pre"}, {rpm.PostIn, "post"}, {rpm.PreUn, "preun"}, {rpm.PostUn, "postun"}, {rpm.PostTrans, "posttrans"},
	} {
		script(b, k.kind).Body = logLine("lab-scripts", k.name)
	}
	script(b, rpm.PostIn).Interp = []string{"/bin/bash", "-e"}
	script(b, rpm.VerifyScript).Body = "exit 0\n"
	addFile(b, regular("/usr/share/lab-scripts/data", 0o644, "here\n"))
	needCoreutils(b)
	return b
}

// luaScripts has scripts for rpm's built-in interpreter, and the one kind that runs before
// anything is unpacked.
func luaScripts() *rpm.Builder {
	b := made("lab-lua", "1.0", "1", "Scripts in Lua")
	script(b, rpm.PreTrans).Interp = []string{rpm.InterpLua}
	script(b, rpm.PreTrans).Body = "-- nothing to move out of the way\n"
	script(b, rpm.PostIn).Interp = []string{rpm.InterpLua}
	script(b, rpm.PostIn).Body = "local f = io.open('/usr/share/lab-lua/made', 'w')\nf:write('by lua\\n')\nf:close()\n"
	addFile(b, directory("/usr/share/lab-lua", 0o755))
	return b
}

// programScript has a %post that is a program without a text.
func programScript() *rpm.Builder {
	b := made("lab-ldconfig", "1.0", "1", "A script that is only a program")
	b.Scripts = []rpm.Script{{Kind: rpm.PostIn, Interp: []string{"/usr/sbin/ldconfig"}}}
	addFile(b, regular("/usr/share/lab-ldconfig/data", 0o644, "here\n"))
	return b
}

// triggers has every kind of trigger.
func triggers() *rpm.Builder {
	b := made("lab-triggers", "1.0", "1", "Every kind of trigger")
	events := []struct {
		flag rpm.DepFlags
		name string
	}{
		{rpm.DepTriggerPreIn, "prein"}, {rpm.DepTriggerIn, "in"}, {rpm.DepTriggerUn, "un"}, {rpm.DepTriggerPostUn, "postun"},
	}
	trigger := func(kind, on string, flag rpm.DepFlags, priority uint32) rpm.Trigger {
		return rpm.Trigger{Interp: []string{rpm.Shell}, Body: logLine("lab-triggers", kind), Priority: priority,
			Conditions: []rpm.Dep{{Name: on, Flags: flag}}}
	}
	for _, e := range events {
		b.Triggers = append(b.Triggers, trigger("trigger"+e.name, "lab-plain", e.flag, 0))
		if e.flag == rpm.DepTriggerPreIn {
			continue // there are none for files
		}
		b.FileTriggers = append(b.FileTriggers, trigger("filetrigger"+e.name, "/usr/share/lab-plain", e.flag, rpm.DefaultPriority))
		b.TransFileTriggers = append(b.TransFileTriggers, trigger("transfiletrigger"+e.name, "/usr/share/lab-plain", e.flag, rpm.DefaultPriority))
	}
	b.FileTriggers = append(b.FileTriggers, trigger("filetriggerin-late", "/usr/share/lab-fifty", rpm.DepTriggerIn, 100))
	addFile(b, regular("/usr/share/lab-triggers/data", 0o644, "here\n"))
	needCoreutils(b)
	return b
}

// failing has a script that ends with an error.
func failing(name string, kind rpm.ScriptKind) *rpm.Builder {
	b := made(name, "1.0", "1", "A script that fails")
	script(b, kind).Body = "echo this script fails >&2\nexit 3\n"
	addFile(b, regular("/usr/share/"+name+"/data", 0o644, "never to be seen\n"))
	return b
}

// optVar has content in /opt and /var, which a deployment does not take as it is.
func optVar() *rpm.Builder {
	b := made("lab-optvar", "1.0", "1", "Content in /opt and /var")
	addFile(b, directory("/opt/lab", 0o755))
	addFile(b, regular("/opt/lab/bin/lab-opt", 0o755, "#!/bin/sh\necho from opt\n"))
	addFile(b, directory("/var/lib/lab-optvar", 0o750))
	addFile(b, regular("/var/lib/lab-optvar/state", 0o640, "initial\n"))
	addFile(b, directory("/var/cache/lab-optvar", 0o755))
	addFile(b, symlink("/var/lib/lab-optvar/link", "../../cache/lab-optvar"))
	addFile(b, regular("/usr/lib/tmpfiles.d/lab-optvar.conf", 0o644, "d /var/log/lab-optvar 0755 root root -\n"))
	return b
}

// sysusers brings a user by a sysusers.d file, which owns a file.
func sysusers() *rpm.Builder {
	b := made("lab-sysusers", "1.0", "1", "A user of its own")
	addFile(b, regular("/usr/lib/sysusers.d/lab-sysusers.conf", 0o644, "u labuser 812 \"Lab user\" /var/lib/labuser /usr/sbin/nologin\ng labgroup 813\n"))
	b.Provides = []rpm.Dep{{Name: "user(labuser)"}, {Name: "group(labuser)"}, {Name: "group(labgroup)"}}
	script(b, rpm.PreIn).Body = "getent group labgroup >/dev/null || groupadd -g 813 -r labgroup\n" +
		"getent group labuser >/dev/null || groupadd -g 812 -r labuser\n" +
		"getent passwd labuser >/dev/null || useradd -r -u 812 -g labuser -d /var/lib/labuser -s /usr/sbin/nologin -c 'Lab user' labuser\n"
	requirePre(b, "passwd")
	owned := regular("/usr/share/lab-sysusers/owned", 0o640, "mine\n")
	owned.User, owned.Group = "labuser", "labgroup"
	addFile(b, owned)
	return b
}

// config has a file of every kind and flag.
func config() *rpm.Builder {
	b := made("lab-config", "1.0", "1", "Every kind of file")
	two := uint32(2)
	b.Epoch = &two
	addFile(b, regular("/etc/lab-config/keep.conf", 0o600, "default=1\n"))
	replace := regular("/etc/lab-config/replace.conf", 0o644, "default=1\n")
	addFile(b, replace)
	b.Files[len(b.Files)-1].Flags = rpm.FileConfig
	addFile(b, regular("/etc/lab-config/plain", 0o644, "not marked\n"))
	b.Files[len(b.Files)-1].Flags = 0
	addFile(b, symlink("/etc/lab-config/link.conf", "keep.conf"))
	addFile(b, regular("/usr/bin/lab-setuid", 0o4755, "#!/bin/sh\nid -u\n"))
	addFile(b, regular("/usr/bin/lab-setgid", 0o2755, "#!/bin/sh\nid -g\n"))
	capable := regular("/usr/bin/lab-caps", 0o755, "#!/bin/sh\ntrue\n")
	capable.Caps = "cap_net_raw,cap_net_bind_service=ep"
	addFile(b, capable)
	for _, name := range []string{"one", "three", "two"} {
		linked := regular("/usr/share/lab-config/links/"+name, 0o644, "linked content\n")
		linked.LinkGroup = "links"
		addFile(b, linked)
	}
	addFile(b, directory("/usr/share/lab-config", 0o755))
	addFile(b, directory("/usr/share/lab-config/empty", 0o711))
	addFile(b, regular("/usr/share/lab-config/empty file with späces", 0o644, ""))
	addFile(b, regular("/usr/share/lab-config/big", 0o644, strings.Repeat("0123456789abcdef", 5<<16)))
	addFile(b, regular("/usr/share/doc/lab-config/README", 0o644, "documentation\n"))
	b.Files[len(b.Files)-1].Flags = rpm.FileDoc
	addFile(b, regular("/usr/share/licenses/lab-config/LICENSE", 0o644, "license\n"))
	b.Files[len(b.Files)-1].Flags = rpm.FileLicense
	addFile(b, regular("/usr/share/locale/de/LC_MESSAGES/lab-config.mo", 0o644, "deutsch\n"))
	b.Files[len(b.Files)-1].Lang = "de"
	addFile(b, rpm.BuildFile{File: rpm.File{Path: "/etc/lab-config/ghost", Mode: rpm.ModeRegular | 0o644, Flags: rpm.FileGhost, Mtime: madeTime}})
	return b
}

// library has a path that libc-bin's transaction file trigger watches.
func library() *rpm.Builder {
	b := made("lab-library", "1.0", "1", "A file that a transaction file trigger watches")
	addFile(b, regular("/usr/lib/lab-library/data", 0o644, "no real library\n"))
	b.Compressor = "xz"
	return b
}
