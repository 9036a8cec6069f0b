package treefile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// files writes files, given as name and content, to a new directory.
func files(t *testing.T, content ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i := 0; i < len(content); i += 2 {
		path := filepath.Join(dir, content[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(content[i+1], "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(content[i+1]), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func load(t *testing.T, content ...string) *Treefile {
	t.Helper()
	tf, err := Load(filepath.Join(files(t, content...), content[0]), Options{Arch: "x86_64"})
	if err != nil {
		t.Fatal(err)
	}
	return tf
}

func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: %s", what, d)
	}
}

const sample = `
# A comment.
ref: os/${basearch}/${releasever}/${stream}
releasever: 40
variables:
  stream: testing
  debug: false
metadata:
  name: os-${stream}
  deeper: {answer: 42, list: [a, 1.5, true]}
repovars: {mirror: local}
rojig: {name: "os-${stream}", summary: s, license: MIT}
repos: [base, updates]
packages:
  - bash coreutils
  - 'systemd >= 250'
  - "'foo >= 1' bar"
packages-x86_64: [grub2 grub2-tools]
packages-s390x: [zipl]
bootstrap_packages: [setup]
repo-packages:
  - {repo: updates, packages: [kernel kernel-core, bash]}
selinux: false
boot_location: modules
automatic-version-prefix: ${releasever}.<date:%Y%m%d>
mutate-os-release: ${releasever}
edition: 2024
check-passwd:
  type: data
  entries: {root: 0, bin: [1], daemon: [2, 3]}
check-groups: {type: none}
ignore-removed-users: [b, a, b]
remove-from-packages:
  - [bash, /usr/share/doc/.*, /x]
  - [glibc, /y]
add-commit-metadata: {a.b: "v${releasever}", n: 12345678901234567890}
opt-usrlocal: stateoverlay
rpmdb: b-d-b
container-cmd: [/usr/bin/bash]
`

func TestParse(t *testing.T) {
	tf, err := Parse([]byte(sample), YAML, "x86_64")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "ref", "os/x86_64/40/testing", tf.Ref)
	equal(t, "packages", []string{"250", ">=", "bar", "bash", "coreutils", "foo >= 1", "grub2", "grub2-tools", "setup", "systemd"}, tf.Packages)
	equal(t, "repo-packages", []RepoPackage{{"updates", []string{"bash", "kernel", "kernel-core"}}}, tf.RepoPackages)
	equal(t, "rojig", "os-testing", tf.Rojig.Name)
	equal(t, "metadata", "os-testing", tf.Metadata["name"].(string))
	equal(t, "add-commit-metadata", "v40", tf.AddCommitMetadata["a.b"].(string))
	equal(t, "version", "40.<date:%Y%m%d>", tf.AutomaticVersionPrefix)
	equal(t, "repovars", map[string]string{"mirror": "local"}, tf.RepoVars)
	equal(t, "switches", []bool{false, true, true, false, true}, []bool{tf.SELinux.Enabled(), tf.Recommends.Enabled(),
		tf.MachineIDCompat.Enabled(), tf.Container.Enabled(), tf.TmpIsDir.Enabled()})
	equal(t, "users", map[string][2]uint32{"root": {0, 0}, "bin": {1, 1}, "daemon": {2, 3}}, func() map[string][2]uint32 {
		out := map[string][2]uint32{}
		for name, id := range tf.CheckPasswd.Entries {
			out[name] = [2]uint32{id.UID, id.GID}
		}
		return out
	}())
	equal(t, "enums", []string{"modules", "state-overlay", "bdb", "2024", "none"}, []string{string(tf.BootLocation), string(tf.OptUsrLocal),
		string(tf.RPMDB), string(tf.Edition), string(tf.CheckGroups.Type)})
	equal(t, "remove", []string{"/usr/share/doc/.*", "/x"}, tf.FilesToRemove("bash"))

	b, err := tf.JSON()
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "packages": [
    "250",
    ">=",
    "bar",
    "bash",
    "coreutils",
    "foo >= 1",
    "grub2",
    "grub2-tools",
    "setup",
    "systemd"
  ],
  "repo-packages": [
    {
      "repo": "updates",
      "packages": [
        "bash",
        "kernel",
        "kernel-core"
      ]
    }
  ],
  "edition": "2024",
  "ref": "os/x86_64/40/testing",
  "metadata": {
    "deeper": {
      "answer": 42,
      "list": [
        "a",
        1.5,
        true
      ]
    },
    "name": "os-testing"
  },
  "basearch": "x86_64",
  "rojig": {
    "name": "os-testing",
    "summary": "s",
    "license": "MIT",
    "description": null
  },
  "repos": [
    "base",
    "updates"
  ],
  "selinux": false,
  "boot-location": "modules",
  "tmp-is-dir": true,
  "opt-usrlocal": "state-overlay",
  "releasever": 40,
  "automatic-version-prefix": "40.<date:%Y%m%d>",
  "mutate-os-release": "40",
  "check-passwd": {
    "type": "data",
    "entries": {
      "bin": [
        1
      ],
      "daemon": [
        2,
        3
      ],
      "root": 0
    }
  },
  "check-groups": {
    "type": "none"
  },
  "ignore-removed-users": [
    "a",
    "b"
  ],
  "remove-from-packages": [
    [
      "bash",
      "/usr/share/doc/.*",
      "/x"
    ],
    [
      "glibc",
      "/y"
    ]
  ],
  "add-commit-metadata": {
    "a.b": "v40",
    "n": 12345678901234567890
  },
  "rpmdb": "bdb",
  "container-cmd": [
    "/usr/bin/bash"
  ]
}`
	equal(t, "json", want, string(b))
}

func TestInvalid(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{"nonsense: 1\nfoo: 2", "Unknown fields: foo, nonsense"},
		{"Ref: x", "Unknown fields: Ref"},
		{"ref: [x]", "ref: invalid type: array, expected text"},
		{"ref: 30", "ref: invalid type: number, expected text"},
		{"packages: bash", "packages: invalid type: string, expected a list"},
		{"packages: [1]", "packages: invalid type: number, expected text"},
		{"selinux: maybe", "selinux: expected a boolean"},
		{"packages-hal9000: true", "Invalid field packages-hal9000: expected array of strings"},
		{"packages-hal9000: [12]", "Invalid field packages-hal9000: expected array of strings"},
		{"gpg-key: a\ngpg_key: b", "Cannot use new and legacy forms of gpg_key"},
		{"basearch: s390x", "Invalid basearch s390x on x86_64: cross-composes are not supported"},
		{"variables: {basearch: x}", "cannot define reserved variable 'basearch'"},
		{"variables: {x: [1]}", "variables: expected text, a natural number or a boolean"},
		{"variables: {x: -1}", "variables: expected text, a natural number or a boolean"},
		{"variables: {x: '${y}'}", "invalid variable 'x'"},
		{"releasever: true", "releasever: expected text or a number"},
		{"repovars: {releasever: '9'}", `Treefile repo var "releasever" invalid; use "releasever" field instead`},
		{"repovars: {basearch: '9'}", `Treefile repo var "basearch" invalid; it is automatically filled in`},
		{"packages: [\"'foo >= 1\"]", "Missing terminating quote: 'foo >= 1"},
		{"selinux-label-version: 2", "Invalid selinux-label-version: 2"},
		{"selinux-label-version: -1", "selinux-label-version: invalid type: number -1, expected a natural number"},
		{"automatic-version-suffix: ab", "Invalid automatic-version-suffix, must be exactly one ASCII character: ab"},
		{"automatic-version-suffix: ä", "Invalid automatic-version-suffix, must be exactly one ASCII character: ä"},
		{"boot-location: both", `boot-location: unknown value "both"`},
		{"check-passwd: {type: file}", "check-passwd: missing field `filename`"},
		{"check-passwd: {filename: x}", "check-passwd: missing field `type`"},
		{"check-groups: {type: data}", "check-groups: missing field `entries`"},
		{"check-groups: {type: data, entries: {a: [1]}}", "check-groups: invalid type"},
		{"check-passwd: {type: data, entries: {a: [1, 2, 3]}}", "check-passwd: expected a number or a list of one or two"},
		{"repo-packages: [{packages: [x]}]", "repo-packages: missing field `repo`"},
		{"machineid-compat: false\nunits: [a.service]", "'units' directive is incompatible with machineid-compat = false"},
		{"remove-from-packages: [[]]", "remove-from-packages: empty list"},
		{"include: x.yaml", "include is only supported in files"},
		{"conditional-include: [{if: 'a', include: x}]", "conditional-include: invalid condition: a"},
		{"conditional-include: [{if: 'a ~= 1', include: x}]", "expected one of ==, !=, >, >=, <, <= but got ~="},
		{"a: 1\na: 2", "yaml: "},
		{"[1, 2]", "yaml: "},
		{"ref: 'x", "yaml: "},
		{"ref: a\n---\nref: b", "more than one document"},
		{"metadata: {a: &a [1], b: &b [*a]}", "aliases inside of anchors"},
		{strings.Repeat("#", MaxSize+1), "exceed the limit"},
		{"metadata: " + strings.Repeat("[", MaxSize/2), "yaml: limit exceeded: line 1: values are nested too deeply"},
		{"metadata: |\n" + strings.Repeat("\n", MaxSize/2), "yaml: limit exceeded: too many empty lines in succession"},
		{"metadata:\n  a: &a " + strings.Repeat("x", 10000) + "\n" + strings.Repeat("  - *a\n", 0) +
			"  b: [" + strings.Repeat("*a,", 1000) + "]", "aliases stand for"},
	} {
		_, err := Parse([]byte(c.yaml), YAML, "x86_64")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: got %v, want %q", c.yaml, err, c.want)
		}
	}
	for _, text := range []string{"", "{", "{} {}", "[]", "1", `{"ref": "a"} x`} {
		if _, err := Parse([]byte(text), JSON, ""); err == nil {
			t.Errorf("json %q: no error", text)
		}
	}
}

func TestJSONIgnoresUnknown(t *testing.T) {
	c, err := Parse([]byte(`{"comment-packages": "why", "Ref": "no", "packages": ["a b"], "packages-x86_64": ["c"], "packages-local": {"n": "sum"}}`), JSON, "x86_64")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "packages", []string{"a", "b", "c"}, c.Packages)
	equal(t, "ref", "", c.Ref)
	equal(t, "local", map[string]string{"n": "sum"}, c.PackagesLocal)
}

func TestInclude(t *testing.T) {
	tf := load(t, "top.yaml", `
include: [one.yaml, sub/two.json]
arch-include: {x86_64: arch.yaml, s390x: none.yaml}
ref: top
repos: [top]
packages: [top]
selinux: false
variables: {who: top}
add-commit-metadata: {top: "${who}", both: top}
repo-packages: [{repo: r1, packages: [p q]}]
check-groups: {type: file, filename: group}
ignore-removed-users: [z]
`, "group", "top:x:1:",
		"one.yaml", `
ref: one
documentation: false
repos: [one]
packages: [one top]
units: [one.service]
variables: {who: one, extra: true}
add-commit-metadata: {both: one, one: "1"}
check-groups: {type: file, filename: sub/group}
postprocess-script: one.sh
add-files: [[one.txt, usr/lib/one]]
`, "one.sh", "#!/bin/sh\none\n", "one.txt", "1", "sub/group", "wrong",
		"sub/two.json", `{"documentation": true, "selinux": true, "repos": ["two"], "packages": ["two"], "include": "../three.yaml",
"postprocess-script": "two.sh", "add-files": [["two.txt", "/etc/two"]], "repo-packages": [{"repo": "r2", "packages": ["q", "s"]}],
"check-passwd": {"type": "file", "filename": "passwd"}, "ignore-removed-users": ["a"], "container-cmd": ["two"]}`,
		"sub/two.sh", "not executable, but not used either", "sub/two.txt", "2", "sub/passwd", "two:x:2:2",
		"three.yaml", "repos: [three]\npostprocess: [three]\ncontainer-cmd: [three]",
		"arch.yaml", "repos: [arch]\npackages: [arch]",
		"finalize.d/10-a", "#!/bin/sh\n", "finalize.d/README", "no program", "sub/finalize.d/10-a", "#!/bin/sh\n", "sub/finalize.d/20-b", "#!/bin/sh\n")
	equal(t, "ref", "top", tf.Ref)
	equal(t, "selinux", false, tf.SELinux.Enabled())
	equal(t, "documentation", false, tf.Documentation.Enabled())
	equal(t, "repos", []string{"arch", "three", "two", "one", "top"}, tf.Repos)
	equal(t, "packages", []string{"arch", "one", "top", "two"}, tf.Packages)
	equal(t, "metadata", map[string]any{"top": "top", "both": "top", "one": "1"}, tf.AddCommitMetadata)
	equal(t, "repo-packages", []RepoPackage{{"r2", []string{"s"}}, {"r1", []string{"p", "q"}}}, tf.RepoPackages)
	equal(t, "group", "top:x:1:", string(tf.Group))
	equal(t, "passwd", "two:x:2:2", string(tf.Passwd))
	equal(t, "script", "#!/bin/sh\none\n", string(tf.Script.Data))
	equal(t, "ignored", []string{"a", "z"}, tf.IgnoreRemovedUsers)
	equal(t, "command", []string{"two"}, tf.ContainerCmd)
	equal(t, "extra", "true", tf.Variables["extra"].String())
	var added []string
	for _, f := range tf.Files {
		added = append(added, fmt.Sprintf("%s %s %s %v", f.Source, f.Dest, f.Data, f.Mode))
	}
	equal(t, "files", []string{"two.txt /etc/two 2 -rw-r--r--", "one.txt /usr/lib/one 1 -rw-r--r--"}, added)
	equal(t, "finalizers", []string{filepath.Join(tf.Dir, "finalize.d/10-a"), filepath.Join(tf.Dir, "sub/finalize.d/20-b")}, tf.FinalizerPaths())
	equal(t, "inputs", 5, len(tf.Inputs))
}

func TestConditionalInclude(t *testing.T) {
	const conditional = `
releasever: 40
variables: {debug: true, count: 3, name: "a b"}
conditional-include:
  - {if: debug == true, include: a.yaml}
  - {if: [debug != true, count > 2], include: [b.yaml]}
  - {if: [count>=3, 'name == "a b"', 'basearch == "x86_64"', releasever <= 40], include: [c.yaml]}
  - if: count < 4
    include: {packages: [inline one], packages-x86_64: [two], repos: [inline]}
`
	tf := load(t, "top.yaml", conditional+"repos: [top]", "a.yaml", "packages: [a]", "b.yaml", "packages: [b]", "c.yaml", "packages: [c]")
	equal(t, "packages", []string{"a", "c", "inline", "one", "two"}, tf.Packages)
	equal(t, "repos", []string{"inline", "top"}, tf.Repos)

	dir := files(t, "top.yaml", conditional, "a.yaml", "packages: [a]", "b.yaml", "packages: [b]", "c.yaml", "packages: [c]")
	tf, err := Load(filepath.Join(dir, "top.yaml"), Options{Arch: "x86_64", Variables: map[string]Var{"debug": Bool(false), "count": Number(9)}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "packages with other variables", []string{"b", "c"}, tf.Packages)

	for _, c := range []struct{ cond, want string }{
		{`'nothing == 1'`, "undefined variable 'nothing'"},
		{`'debug == 1'`, "debug is not same type as 1"},
		{`'debug > true'`, "invalid op for values 'true' and 'true'"},
		{`'debug == false && x'`, "invalid condition"},
		{`['debug == false', 'nothing == 1']`, "undefined variable 'nothing'"},
	} {
		dir := files(t, "top.yaml", "variables: {debug: true}\nconditional-include: [{if: "+c.cond+", include: a.yaml}]")
		_, err := Load(filepath.Join(dir, "top.yaml"), Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.cond, err, c.want)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	deep := []string{"0.yaml", "include: 1.yaml"}
	for i := 1; i < 60; i++ {
		deep = append(deep, fmt.Sprintf("%d.yaml", i), fmt.Sprintf("include: %d.yaml", i+1))
	}
	for _, c := range []struct {
		want  string
		files []string
	}{
		{`Can't open file "DIR/b.yaml" for reading: no such file`, []string{"a.yaml", "include: b.yaml"}},
		{"Include loop detected; DIR/a.yaml was already included", []string{"a.yaml", "include: b.yaml", "b.yaml", "include: a.yaml"}},
		{"Include loop detected; DIR/b.yaml was already included", []string{"a.yaml", "include: [b.yaml, c.yaml]", "b.yaml", "", "c.yaml", "include: b.yaml"}},
		{"Reached maximum include depth 50", deep},
		{"Parsing DIR/b.yaml: Unknown fields: x", []string{"a.yaml", "include: b.yaml", "b.yaml", "x: 1"}},
		{"Can't open file \"DIR/s\" for reading", []string{"a.yaml", "postprocess-script: s"}},
		{"postprocess-script must be executable", []string{"a.yaml", "postprocess-script: s", "s", "echo"}},
		{"Can't open file \"DIR/f\" for reading", []string{"a.yaml", "add-files: [[f, /usr/f]]"}},
		{"Unsupported path in add-files: /usr/local/f", []string{"a.yaml", "add-files: [[f, /usr/local/f]]", "f", ""}},
		{"Unsupported path in add-files: /var/f", []string{"a.yaml", "add-files: [[f, /var/f]]", "f", ""}},
		{"Unsupported path in add-files: /usr/../f", []string{"a.yaml", "add-files: [[f, /usr/../f]]", "f", ""}},
		{"not a regular file", []string{"a.yaml", "include: d", "d/x", ""}},
		{"add-files: invalid type", []string{"a.yaml", "add-files: [f]"}},
		{"add-files is not supported here", []string{"a.yaml", "variables: {v: 1}\nconditional-include: [{if: v == 1, include: {add-files: [[f, /usr/f]]}}]"}},
		{"Unknown fields: y", []string{"a.yaml", "variables: {v: 1}\nconditional-include: [{if: v == 1, include: {y: 1}}]"}},
		{"missing field `include`", []string{"a.yaml", "variables: {v: 1}\nconditional-include: [{if: v == 1}]"}},
	} {
		dir := files(t, c.files...)
		_, err := Load(filepath.Join(dir, c.files[0]), Options{Arch: "x86_64"})
		want := strings.ReplaceAll(c.want, "DIR", dir)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestKickstart(t *testing.T) {
	tf := load(t, "top.yaml", "include: k/base.ks\npackages: [top]",
		"k/base.ks", "# comment\n%include 'sub/more.ks'\n\n%packages --exclude-weakdeps\nbash\n  @core group\n-nano\n%end\n",
		"k/sub/more.ks", "%packages\nmore\n# not this\n%end\n%packages\nbash\n%end\n")
	equal(t, "packages", []string{"@core group", "bash", "more", "top"}, tf.Packages)
	equal(t, "excluded", []string{"nano"}, tf.ExcludePackages)
	equal(t, "recommends", false, tf.Recommends.Enabled())
	for text, want := range map[string]string{
		"%packages\nbash": "Missing %end for %packages", "%packages --nocore\n%end": "unknown argument", "%include": "Missing path for %include",
		"%include a b": "Too many arguments for %include", "lang en": "Unhandled verb: lang", "%include 'x": "Invalid syntax",
		"%include self.ks": "Recursive include", "%include none": "Can't open file",
	} {
		dir := files(t, "self.ks", text)
		if _, err := Load(filepath.Join(dir, "self.ks"), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestContainer(t *testing.T) {
	c, err := Parse([]byte("container: true"), YAML, "")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "implied", []bool{false, true, false}, []bool{c.SELinux.Enabled(), c.TmpIsDir.Enabled(), c.PreservePasswd.Enabled()})
	equal(t, "checks", CheckNone, c.CheckPasswd.Type)
	equal(t, "warnings", 0, len(c.Warnings()))
	if c, err = Parse([]byte("cliwrap: true\ninitramfs-args: [x]"), YAML, ""); err != nil {
		t.Fatal(err)
	}
	equal(t, "warnings", []string{`boot-location: "new" is deprecated, use boot-location: modules`,
		"initramfs-args is deprecated, use /etc/dracut.conf.d", "cliwrap is deprecated and slated for removal"}, c.Warnings())
}

func TestRefuse(t *testing.T) {
	derive, err := Parse([]byte("override-remove: [b, a]\npackages: [x]\nrepos: [r]\nreleasever: '9'"), YAML, "x86_64")
	if err != nil {
		t.Fatal(err)
	}
	if err := derive.RefuseBase(); err != nil {
		t.Error(err)
	}
	want := "the following derivation fields are not supported:\n{\n  \"override-remove\": [\n    \"a\",\n    \"b\"\n  ]\n}"
	if err := derive.RefuseDerive(); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	base, err := Parse([]byte("ref: x\npackages: [x]"), YAML, "x86_64")
	if err != nil {
		t.Fatal(err)
	}
	if err := base.RefuseDerive(); err != nil {
		t.Error(err)
	}
	want = "the following base fields are not supported:\n{\n  \"ref\": \"x\",\n  \"basearch\": \"x86_64\"\n}"
	if err := base.RefuseBase(); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestHash(t *testing.T) {
	hash := func(content ...string) string {
		h, err := load(t, content...).Hash()
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	base := hash("a.yaml", "ref: x\npackages: [b, a]\nmetadata: {x: 1}\nadd-files: [[f, /usr/f]]\nostree-layers: [l]", "f", "content")
	// printf '%s' '{"packages":["a","b"],"ref":"x","basearch":"x86_64","add-files":[["f","/usr/f"]]}content' | sha256sum
	equal(t, "hash", "f8937dbee571990a6793a1452e6926cc27c151ff7378de745b94644df2b627cd", base)
	for name, same := range map[string]string{
		"order and comments": hash("a.yaml", "# c\nadd-files: [[f, /usr/f]]\npackages: [a b]\nref: x", "f", "content"),
		"json":               hash("a.json", `{"ref": "x", "packages": ["a", "b"], "add-files": [["f", "/usr/f"]], "comment": 1}`, "f", "content"),
		"include":            hash("a.yaml", "include: sub/b.yaml\npackages: [b]", "sub/b.yaml", "ref: x\npackages: [a]\nadd-files: [[f, /usr/f]]", "sub/f", "content"),
	} {
		equal(t, name, base, same)
	}
	for name, other := range map[string]string{
		"file":    hash("a.yaml", "ref: x\npackages: [b, a]\nadd-files: [[f, /usr/f]]", "f", "Content"),
		"package": hash("a.yaml", "ref: x\npackages: [b, a, c]\nadd-files: [[f, /usr/f]]", "f", "content"),
	} {
		if other == base {
			t.Errorf("%s: hash did not change", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample), true)
	f.Add([]byte(`{"packages": ["a 'b c'"], "initramfs": {"regenerate": true, "etc": ["/b", "/a"]}, "check-passwd": {"type": "previous"}}`), false)
	f.Add([]byte("override-remove: [x]\nex-override-replace: [{from: {repo: r}, packages: [a b]}]\nmetadata: {a: &x [1, {b: c}], d: *x}"), true)
	f.Fuzz(func(t *testing.T, data []byte, isYAML bool) {
		format := JSON
		if isYAML {
			format = YAML
		}
		c, err := Parse(data, format, "")
		if err != nil {
			return
		}
		// The serialization is a fixed point, once quoted packages are split.
		var texts []string
		for range 3 {
			b, err := c.JSON()
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(b))
			if c, err = Parse(b, JSON, ""); err != nil {
				t.Fatalf("%v in %s", err, b)
			}
		}
		if texts[1] != texts[2] {
			t.Errorf("serialized as %s, then as %s", texts[1], texts[2])
		}
	})
}

func TestDropIns(t *testing.T) {
	dir := files(t, "10-a.yaml", "packages: [a]\noverride-remove: [x]\nbase-refspec: one", "20-b.yaml", "packages: [b]\nbase-refspec: two",
		"README", "no manifest")
	c, err := LoadDropIns(dir, Options{Arch: "x86_64"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "packages", []string{"a", "b"}, c.Packages)
	equal(t, "refspec", "two", c.BaseRefspec)
	equal(t, "removed", []string{"x"}, c.OverrideRemove)
	if c, err = LoadDropIns(filepath.Join(dir, "none"), Options{}); err != nil || c.HasPackages() {
		t.Errorf("no directory: %v, %v", c, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "30.yaml"), []byte("units: [x]"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadDropIns(dir, Options{}); err == nil || !strings.Contains(err.Error(), "base fields are not supported") {
		t.Errorf("got %v", err)
	}
}
