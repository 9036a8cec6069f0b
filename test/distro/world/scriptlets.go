package world

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"rpmostree/rpm"
)

// script returns the package's script of a kind, a new empty shell script if need be.
func script(b *rpm.Builder, kind rpm.ScriptKind) *rpm.Script {
	for i := range b.Scripts {
		if b.Scripts[i].Kind == kind {
			return &b.Scripts[i]
		}
	}
	b.Scripts = append(b.Scripts, rpm.Script{Kind: kind, Interp: []string{rpm.Shell}})
	return &b.Scripts[len(b.Scripts)-1]
}

// units returns the names of the package's systemd units that can be enabled.
func units(b *rpm.Builder) []string {
	var out []string
	for _, f := range b.Files {
		dir, name := path.Split(f.Path)
		switch path.Ext(name) {
		case ".service", ".socket", ".path", ".timer":
		default:
			continue
		}
		if dir == "/usr/lib/systemd/system/" && !strings.Contains(name, "@") && bytes.Contains(f.Data, []byte("\n[Install]")) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// addScriptlets adds what the systemd macros of Fedora's packages expand to.
func addScriptlets(b *rpm.Builder) {
	names := units(b)
	if len(names) == 0 || b.Name == "systemd" {
		return
	}
	list := strings.Join(names, " ")
	script(b, rpm.PostIn).Body += "if [ $1 -eq 1 ] && [ -x /usr/bin/systemctl ]; then\n" +
		"  systemctl --no-reload preset " + list + " || :\nfi\n"
	script(b, rpm.PreUn).Body += "if [ $1 -eq 0 ] && [ -x /usr/bin/systemctl ]; then\n" +
		"  systemctl --no-reload disable --now " + list + " || :\nfi\n"
}

// addScriptRequires adds the requirements that rpmbuild derives from scriptlets and
// configuration files.
func addScriptRequires(b *rpm.Builder) {
	if slices.ContainsFunc(b.Files, func(f rpm.BuildFile) bool { return f.Flags&rpm.FileConfig != 0 }) {
		d := rpm.Dep{Name: "config(" + b.Name + ")", EVR: builderEVR(b), Flags: rpm.DepEqual | rpm.DepConfig}
		b.Provides, b.Requires = append(b.Provides, d), append(b.Requires, d)
	}
	when := map[rpm.ScriptKind]rpm.DepFlags{
		rpm.PreIn: rpm.DepPre, rpm.PostIn: rpm.DepPost, rpm.PreUn: rpm.DepPreUn, rpm.PostUn: rpm.DepPostUn,
		rpm.PreTrans: rpm.DepPreTrans, rpm.PostTrans: rpm.DepPostTrans, rpm.VerifyScript: rpm.DepVerify,
	}
	for _, s := range b.Scripts {
		if s.Interp[0] != rpm.InterpLua {
			b.Requires = append(b.Requires, rpm.Dep{Name: s.Interp[0], Flags: rpm.DepInterp | when[s.Kind]})
		}
	}
	for _, t := range slices.Concat(b.Triggers, b.FileTriggers, b.TransFileTriggers) {
		if t.Interp[0] != rpm.InterpLua {
			b.Requires = append(b.Requires, rpm.Dep{Name: t.Interp[0], Flags: rpm.DepInterp})
		}
	}
}
