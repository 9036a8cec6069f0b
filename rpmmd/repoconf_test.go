package rpmmd

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

func sampleRepos(t testing.TB) []RepoConfig {
	t.Helper()
	b, err := os.ReadFile("testdata/sample.repo")
	if err != nil {
		t.Fatal(err)
	}
	vars := NewVars("39.1", "x86_64")
	delete(vars, "releasever_major") // dnf 4 does not know it
	repos, err := ParseRepos("sample.repo", b, vars)
	if err != nil {
		t.Fatal(err)
	}
	return repos
}

// asDNF returns a configuration in the form of testdata/dnf_repos.py.
func asDNF(c RepoConfig) map[string]any {
	optional := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	list := func(l []string) []any {
		out := []any{}
		for _, s := range l {
			out = append(out, s)
		}
		return out
	}
	expire := c.MetadataExpire.Seconds()
	if c.MetadataExpire == NeverExpire {
		expire = -1
	}
	metalink, mirrorlist := c.Metalink, c.MirrorList
	if c.Options["mirrorlist"] != "" {
		metalink, mirrorlist = "", c.Options["mirrorlist"] // dnf leaves it to librepo to tell them apart
	}
	return map[string]any{
		"name": c.Name, "baseurl": list(c.BaseURL), "metalink": optional(metalink), "mirrorlist": optional(mirrorlist),
		"enabled": c.Enabled, "gpgcheck": c.GPGCheck, "repo_gpgcheck": c.RepoGPGCheck, "gpgkey": list(c.GPGKey),
		"skip_if_unavailable": c.SkipIfUnavailable, "module_hotfixes": c.ModuleHotfixes, "countme": c.CountMe,
		"priority": float64(c.Priority), "cost": float64(c.Cost),
		"excludepkgs": list(c.ExcludePkgs), "includepkgs": list(c.IncludePkgs), "metadata_expire": expire,
		"username": c.Username, "password": c.Password,
		"timeout":    cmp.Or(c.Timeout, 30*time.Second).Seconds(),
		"minrate":    float64(cmp.Or(c.MinRate, 1000)),
		"ip_resolve": map[int]string{0: "whatever", 4: "ipv4", 6: "ipv6"}[c.IPVersion],
		"proxy":      strings.TrimPrefix(c.Proxy, "_none_"), "sslverify": !c.SSL.Insecure, "sslcacert": c.SSL.CACert,
	}
}

// TestRepoConfigDNF compares each option with what dnf makes of it.
func TestRepoConfigDNF(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import dnf").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("dnf's Python module is not installed")
		}
		t.Skip("dnf's Python module is not installed")
	}
	out, err := exec.Command(python, "testdata/dnf_repos.py", "testdata").Output()
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]map[string]any
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	repos := sampleRepos(t)
	if len(repos) != len(want) {
		t.Errorf("%d repositories, want %d", len(repos), len(want))
	}
	for _, r := range repos {
		w := want[r.ID]
		w["ip_resolve"] = strings.ToLower(w["ip_resolve"].(string))
		if d := gocmp.Diff(w, asDNF(r)); d != "" {
			t.Errorf("%s (-dnf +ours):\n%s", r.ID, d)
		}
	}
}

func TestRepoConfig(t *testing.T) {
	repos := sampleRepos(t)
	byID := map[string]RepoConfig{}
	for _, r := range repos {
		byID[r.ID] = r
	}
	if m := byID["multi"]; m.Metalink != "http://x/metalink?x" || m.MirrorList != "" {
		t.Errorf("a mirrorlist that names a metalink is one: %q, %q", m.Metalink, m.MirrorList)
	}
	if w := byID["multi2"].Warnings; len(w) != 2 || w[0] != "Invalid configuration value: enabled=maybe in sample.repo" {
		t.Errorf("warnings %q", w)
	}
	if o := byID["multi"].Options["throttle"]; o != "50%" {
		t.Errorf("option throttle = %q", o)
	}
	if !byID["fedora"].Sources() || byID["units"].Sources() {
		t.Error("Sources is wrong")
	}
}

func TestParseReposRejects(t *testing.T) {
	for _, text := range []string{
		"[a]\nk=1\n\n  3\n", "[a]\nk 1\n", "k=1\n[a]\n", "[a]\n k=1\n", "[]\nk=\n", "[a]\n=v\n", "[a\n", strings.Repeat("#", MaxRepoFile+1),
	} {
		if _, err := ParseRepos("x.repo", []byte(text), nil); err == nil || !strings.HasPrefix(err.Error(), "x.repo: ") {
			t.Errorf("%.20q: error %v", text, err)
		}
	}
}

func TestLoadRepos(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	fsys := fstest.MapFS{
		"etc/yum.repos.d/b.repo":          file("[b]\nbaseurl=http://b/$x/\n"),
		"etc/yum.repos.d/a.repo":          file("[a]\n[main]\nfoo=1\n"),
		"etc/yum.repos.d/a.repo.rpmnew":   file("nonsense"),
		"usr/share/dnf5/repos.d/b.repo":   file("[replaced]\n"),
		"usr/share/dnf5/repos.d/c.repo":   file("[c]\n[a]\nname=again\n"),
		"etc/dnf/vars/x":                  file("value\nrest\n"),
		"etc/dnf/vars/not-a-var":          file("y"),
		"etc/yum/vars/x":                  file("later\r\n"),
		"etc/yum/vars/subdir/placeholder": file(""),
	}
	vars := Vars{}
	if err := vars.Load(fsys, "missing", "etc/dnf/vars", "etc/yum/vars"); err != nil {
		t.Fatal(err)
	}
	repos, err := LoadRepos(fsys, vars, "etc/yum.repos.d", "missing", "usr/share/dnf5/repos.d")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range repos {
		ids = append(ids, r.ID+"="+r.Name+strings.Join(r.BaseURL, ""))
	}
	if got := strings.Join(ids, " "); got != "a=a b=bhttp://b/later/ c=c" {
		t.Errorf("repositories %q", got)
	}
}

// What dnf.conf says holds for all repositories, what an override says comes last.
func TestLoadSystem(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	fsys := fstest.MapFS{
		"etc/dnf/dnf.conf":                        file("[main]\ngpgcheck=1\nretries=3\nexcludepkgs=kernel*\nincludepkgs=a b*\nname=no\nthrottle=50%\nbandwidth=1k\nsslverify=0\n[x]\ngpgcheck=0\n"),
		"etc/yum.repos.d/a.repo":                  file("[a]\nbaseurl=http://$v/\n[b]\nbaseurl=http://b/\ngpgcheck=0\nretries=7\nexcludepkgs=vim\n[c]\nbaseurl=http://c/\n"),
		"usr/share/dnf5/repos.override.d/10.repo": file("[*]\nretries=1\n"),
		"usr/share/dnf5/repos.override.d/20.repo": file("[b]\npriority=5\n"),
		"etc/dnf/repos.override.d/20.repo":        file("[c]\nenabled=0\ncost=$v\n"),
	}
	repos, err := LoadSystem(fsys, Vars{"v": "7"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range repos {
		got = append(got, fmt.Sprint(r.ID+" "+r.Name, r.BaseURL, r.Enabled, r.GPGCheck, r.Retries, r.ExcludePkgs, r.IncludePkgs, r.Priority, r.Cost, r.MaxRate, r.SSL.Insecure))
	}
	want := []string{
		"a a[http://7/] true true 1 [kernel*] [a b*] 99 1000 512 true",
		"b b[http://b/] true false 1 [vim kernel*] [a b*] 99 1000 512 true",
		"c c[http://c/] false true 1 [kernel*] [a b*] 99 7 512 true",
	}
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	changed := time.Unix(1700000000, 0)
	fsys["etc/yum.repos.d/a.repo"].ModTime = changed
	for conf, want := range map[string]time.Time{"": changed, "check_config_file_age=1": changed, "check_config_file_age=off": {}} {
		fsys["etc/dnf/dnf.conf"] = file("[main]\n" + conf + "\n")
		if repos, err := LoadSystem(fsys, nil); err != nil || !repos[0].FileTime.Equal(want) {
			t.Errorf("%s: time of the file is %v, %v", conf, repos[0].FileTime, err)
		}
	}
	fsys["etc/dnf/dnf.conf"] = file("[main]\nreposdir=/srv/repos\n")
	fsys["srv/repos/x.repo"] = file("[x]\n")
	if repos, err = LoadSystem(fsys, nil); err != nil || len(repos) != 1 || repos[0].ID != "x" || repos[0].Retries != 1 {
		t.Errorf("%+v, %v", repos, err)
	}
	fsys["etc/dnf/dnf.conf"] = file("nonsense")
	if _, err := LoadSystem(fsys, nil); err == nil || !strings.Contains(err.Error(), "etc/dnf/dnf.conf: line 1") {
		t.Errorf("error %v", err)
	}
}

// Each option sets what it names.
func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		text string
		set  func(*RepoConfig)
	}{
		{"enablegroups=0", func(c *RepoConfig) { c.EnableGroups = false }},
		{"fastestmirror=1", func(c *RepoConfig) { c.FastestMirror = true }},
		{"countme=1", func(c *RepoConfig) { c.CountMe = true }},
		{"retries=0", func(c *RepoConfig) { c.Retries = RetryForever }},
		{"retries=4", func(c *RepoConfig) { c.Retries = 4 }},
		{"throttle=2k", func(c *RepoConfig) { c.MaxRate = 2048 }},
		{"throttle=25%\nbandwidth=1M", func(c *RepoConfig) { c.MaxRate = 1 << 18 }},
		{"sslverifystatus=1", func(c *RepoConfig) { c.SSLVerifyStatus = true }},
		{"sslverify=0\nsslcacert=a\nsslclientcert=b\nsslclientkey=c", func(c *RepoConfig) { c.SSL = SSLConfig{true, "a", "b", "c"} }},
		{"proxy_sslverify=0\nproxy_sslcacert=a\nproxy_sslclientcert=b\nproxy_sslclientkey=c", func(c *RepoConfig) { c.ProxySSL = SSLConfig{true, "a", "b", "c"} }},
		{"proxy=http://p\nproxy_username=u\nproxy_password=w\nproxy_auth_method=digest", func(c *RepoConfig) {
			c.Proxy, c.ProxyUsername, c.ProxyPassword, c.ProxyAuth = "http://p", "u", "w", "digest"
		}},
		{"max_parallel_downloads=5\nmax_downloads_per_mirror=2", func(c *RepoConfig) { c.MaxParallel, c.MaxPerHost = 5, 2 }},
		{"ip_resolve=6\nminrate=5k\ntimeout=3m\nuser_agent=x", func(c *RepoConfig) {
			c.IPVersion, c.MinRate, c.Timeout, c.UserAgent = 6, 5120, 3*time.Minute, "x"
		}},
		{"throttle=200%", func(c *RepoConfig) { c.Warnings = []string{"Invalid configuration value: throttle=200% in f"} }},
	} {
		repos, err := ParseRepos("f", []byte("[a]\n"+tt.text+"\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		want := NewRepoConfig("a")
		want.File, want.Options, want.keys = "f", repos[0].Options, repos[0].keys
		tt.set(&want)
		if d := gocmp.Diff(want, repos[0], gocmp.AllowUnexported(RepoConfig{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, d)
		}
	}
}

func TestEnviron(t *testing.T) {
	v := Vars{}
	v.Environ([]string{"DNF0=a", "DNF9=b=c", "DNF10=x", "DNFx=x", "DNF_VAR_my_var=d", "DNF_VAR_=x", "PATH=/bin"})
	if d := gocmp.Diff(Vars{"DNF0": "a", "DNF9": "b=c", "my_var": "d"}, v); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestVars(t *testing.T) {
	v := Vars{"a": "1", "empty": "", "long_name2": "x", "dollar": "$a"}
	for in, want := range map[string]string{
		"":                      "",
		"plain":                 "plain",
		"$a":                    "1",
		"$a$a/$a-":              "11/1-",
		"${a}b":                 "1b",
		"$ab":                   "$ab",
		"$long_name2.":          "x.",
		"$undefined ${u}":       "$undefined ${u}",
		"$":                     "$",
		"100$ ${":               "100$ ${",
		"${a":                   "${a",
		"${a:}":                 "${a:}",
		"${u:-x}":               "x",
		"${empty:-x}":           "x",
		"${a:-x}":               "1",
		"${a:+x}":               "x",
		"${u:+x}":               "",
		"${empty:+x}":           "",
		"${u:-${a}}":            "1",
		"${u:-${v:-$a}b}c":      "1bc",
		"${u:-}":                "",
		"${a:+$u}":              "$u",
		"$dollar":               "$a", // values are not expanded again
		"http://h/?a=$a&b=${a}": "http://h/?a=1&b=1",
	} {
		if got := v.Expand(in); got != want {
			t.Errorf("Expand(%q) = %q, want %q", in, got, want)
		}
	}
	n := NewVars("9.2", "i686")
	if n["basearch"] != "i386" || n["releasever_major"] != "9" || n["releasever_minor"] != "2" {
		t.Errorf("%v", n)
	}
	for arch, want := range map[string]string{
		"x86_64": "x86_64", "x86_64_v2": "x86_64", "armv7hl": "armhfp", "armv6hl": "armhfp", "armv5tel": "arm", "aarch64": "aarch64",
		"riscv64": "riscv64", "amd64": "x86_64", "s390x": "s390x", "ppc64p7": "ppc64",
	} {
		if got := BaseArch(arch); got != want {
			t.Errorf("BaseArch(%s) = %s, want %s", arch, got, want)
		}
	}
}

func FuzzRepos(f *testing.F) {
	b, err := os.ReadFile("testdata/sample.repo")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("[a]\nname=${x:-${y:+z}}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		repos, err := ParseRepos("f", b, Vars{"x": "", "y": "$x"})
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, r := range repos {
			if r.ID == "" && !strings.Contains(string(b), "$") || r.MetadataExpire < NeverExpire {
				t.Errorf("%+v", r)
			}
			seen[r.ID] = true
		}
	})
}

func FuzzVars(f *testing.F) {
	f.Add("${a:-${b:+c}}$a")
	f.Fuzz(func(t *testing.T, s string) {
		Vars{"a": "1"}.Expand(s)
		if !strings.Contains(s, "$") && (Vars{}).Expand(s) != s {
			t.Errorf("%q changed", s)
		}
	})
}
